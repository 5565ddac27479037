"""MetaImage files and other formats, judged by SimpleITK."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scan_files import chest_like, write_nrrd
from scipy.spatial.transform import Rotation

from fastgmm.errors import ScanError
from fastgmm.io import read_header, read_scan


def image_of(volume: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing((0.1 + 0.2, 0.75, 2.5))
    image.SetOrigin((-10.1, 20.2, -300.3))
    image.SetDirection(Rotation.random(random_state=3).as_matrix().ravel().tolist())
    return image


def assert_equals_simpleitk(path: Path, *, assume_hu: bool = False) -> np.ndarray:
    image = sitk.ReadImage(str(path))
    scan, header = read_scan(path, assume_hu=assume_hu), read_header(path)
    assert np.array_equal(scan.volume, sitk.GetArrayFromImage(image))
    assert scan.spacing_mm == header.spacing_mm == image.GetSpacing()[::-1]
    assert scan.origin_lps_mm == header.origin_lps_mm == image.GetOrigin()
    assert np.array_equal(scan.direction, np.reshape(image.GetDirection(), (3, 3))[:, ::-1])
    assert scan.shape == header.shape
    assert scan.warnings == ()
    return scan.volume


@pytest.mark.parametrize("name", ["ct.mha", "ct.mhd"])
@pytest.mark.parametrize("compressed", [True, False])
def test_metaimage_equals_simpleitk(tmp_path: Path, name: str, compressed: bool):
    volume = chest_like((9, 60, 70))
    sitk.WriteImage(image_of(volume), str(tmp_path / name), compressed)
    assert np.array_equal(assert_equals_simpleitk(tmp_path / name), volume)
    scan = read_scan(tmp_path / name)
    assert scan.format == "metaimage"
    assert set(scan.files) == set(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_types_equal_simpleitk(tmp_path: Path, dtype: str):
    volume = chest_like().clip(0, 127).astype(dtype)
    sitk.WriteImage(image_of(volume), str(tmp_path / "ct.mha"), True)
    assert np.array_equal(assert_equals_simpleitk(tmp_path / "ct.mha", assume_hu=True), volume)
    assert read_header(tmp_path / "ct.mha").stored_dtype == np.dtype(dtype).name


def write_mha(path: Path, volume: np.ndarray, payload: bytes | None = None, **fields: object) -> Path:
    nz, ny, nx = volume.shape
    header = {"ObjectType": "Image", "NDims": 3, "DimSize": f"{nx} {ny} {nz}", "ElementType": "MET_SHORT", **fields}
    header["ElementDataFile"] = header.get("ElementDataFile", "LOCAL")
    lines = "".join(f"{name} = {value}\n" for name, value in header.items() if value is not None)
    path.write_bytes(lines.encode() + (volume.tobytes() if payload is None else payload))
    return path


def test_older_names_of_the_fields_equal_simpleitk(tmp_path: Path):
    volume = chest_like()
    path = write_mha(
        tmp_path / "ct.mha", volume.astype(">i2"), BinaryDataByteOrderMSB=True, ElementSize="0.5 0.75 2.5",
        Position="1 2 3", Orientation="0 1 0 1 0 0 0 0 1", BinaryData=True, CompressedData=False,
    )  # fmt: skip
    assert np.array_equal(assert_equals_simpleitk(path), volume)


def test_missing_spacing_is_warned_of(tmp_path: Path):
    scan = read_scan(write_mha(tmp_path / "ct.mha", chest_like(), BinaryData=True))
    assert scan.warnings == ("the header states no voxel spacing: 1 mm is assumed",)


@pytest.mark.parametrize(("size", "payload"), [(-1, b"unknown"), (4, b"unkn"), (0, b"")])
def test_bytes_before_the_voxels_of_a_data_file_are_skipped(tmp_path: Path, size: int, payload: bytes):
    volume = chest_like()
    (tmp_path / "ct.raw").write_bytes(payload + volume.tobytes())
    path = write_mha(
        tmp_path / "ct.mhd", volume, b"", HeaderSize=size, ElementSpacing="1 1 2", ElementDataFile="ct.raw"
    )
    assert np.array_equal(assert_equals_simpleitk(path), volume)


def test_gzip_payload_is_read(tmp_path: Path):
    volume = chest_like()
    path = write_mha(
        tmp_path / "ct.mha", volume, gzip.compress(volume.tobytes()), CompressedData=True, ElementSpacing="1 1 2"
    )
    assert np.array_equal(read_scan(path).volume, volume)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"DimSize": "7 6"}, "3 numbers in the header's DimSize, got '7 6'"),
        ({"DimSize": None}, "a MetaImage header with the field DimSize, got none"),
        ({"DimSize": "7 6 0"}, "at least one voxel along each axis, got sizes 7 6 0"),
        ({"NDims": "three"}, "1 numbers in the header's NDims, got 'three'"),
        ({"NDims": 93}, "93 numbers in the header's DimSize, got '7 6 5'"),
        ({"ElementType": "MET_OTHER"}, r"one number per voxel, got MET_OTHER x 1"),
        ({"BinaryData": False}, r"binary voxels, got numbers as text \(BinaryData = False\); write the file again"),
        ({"DimSize": "7 6 500"}, "expected 42000 bytes of voxels as its header says, got a file of 420 bytes"),
        ({"ElementSpacing": "1 two 3"}, "3 numbers in the header's ElementSpacing, got '1 two 3'"),
        ({"ElementSpacing": "1 0 3"}, "voxel spacings above 0 mm, got 1 x 0 x 3"),
        ({"TransformMatrix": "1 0 0 0 1 0 0 0.2 0.98"}, r"axes sheared by 11\.\d+ degrees \(gantry tilt\?\)"),
        ({"ElementDataFile": "LIST"}, "one data file, got ElementDataFile = LIST; join the slices to one .mha file"),
        ({"ElementDataFile": "slice%03d.raw 1 5 1"}, r"one data file, got ElementDataFile = slice%03d\.raw"),
        ({"ElementDataFile": "elsewhere.raw"}, r"its data file .*elsewhere\.raw, got no such file"),
        ({"CompressedData": True}, "compressed data, as its header says, got the bytes"),
        (
            {"ElementNumberOfChannels": 3, "ElementSpacing": "1 1 1"},
            r"got MET_SHORT x 3 \(a colour",
        ),
    ],
)
def test_headers_that_are_no_ct_are_refused(tmp_path: Path, fields: dict[str, object], words: str):
    path = write_mha(tmp_path / "ct.mha", chest_like(), **fields)
    with pytest.raises(ScanError, match=words) as error:
        read_scan(path)
    assert str(error.value).startswith(f"{path}: expected ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("content", "got"), [(b"", "the end of the file"), (b"hello\n", r"b'hello.*'")])
def test_other_files_named_mha_are_refused(tmp_path: Path, content: bytes, got: str):
    (tmp_path / "ct.mha").write_bytes(content)
    with pytest.raises(ScanError, match=f"ends with ElementDataFile, got {got}; check the name's extension"):
        read_scan(tmp_path / "ct.mha")


@pytest.mark.parametrize("name", ["ct.gipl", "ct.vtk", "ct.hdr"])
def test_formats_of_simpleitk(tmp_path: Path, name: str):
    volume = chest_like()
    sitk.WriteImage(image_of(volume), str(tmp_path / name))
    image = sitk.ReadImage(str(tmp_path / name))
    scan = read_scan(tmp_path / name)
    assert np.array_equal(scan.volume, volume)
    assert (scan.format, scan.spacing_mm, scan.origin_lps_mm) == ("sitk", image.GetSpacing()[::-1], image.GetOrigin())
    assert read_header(tmp_path / name).stored_dtype == "int16"


def test_simpleitk_formats_that_are_no_3d_ct_are_refused(tmp_path: Path):
    plane = sitk.GetImageFromArray(np.zeros((6, 7), np.uint8))
    sitk.WriteImage(plane, str(tmp_path / "plane.png"))
    sitk.WriteImage(sitk.Compose(plane, plane, plane), str(tmp_path / "colour.png"))
    for name, words in (
        ("plane.png", "a 3-D volume, got 2-D of sizes 7 6; give one 3-D volume per file"),
        (
            "colour.png",
            r"one number per voxel, got vector of 8-bit unsigned integer \(a colour, vector or complex image\)",
        ),
    ):
        for read in (read_scan, read_header):
            with pytest.raises(ScanError, match=words):
                read(tmp_path / name)


def test_files_simpleitk_refuses_are_refused_in_one_line(tmp_path: Path):
    (tmp_path / "ct.xyz").write_text("hello")
    with pytest.raises(ScanError, match=r"a volume that SimpleITK reads, got Unable to determine ImageIO .*; check"):
        read_scan(tmp_path / "ct.xyz")
    path = write_nrrd(tmp_path / "ct.nhdr", chest_like(), b"", encoding="raw", data_file="slice%d.raw 0 4 1 2")
    for z in range(5):
        (tmp_path / f"slice{z}.raw").write_bytes(b"cut")
    with pytest.raises(ScanError, match=r"ct\.nhdr: expected a volume that SimpleITK reads, got .*; copy") as error:
        read_scan(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("n_axes", "words"), [(2, "a 3-D volume, got 2-D of sizes 7 6"), (4, "got 4-D of sizes 7 6 5 2")]
)
def test_other_dimensions_are_refused(tmp_path: Path, n_axes: int, words: str):
    volume = sitk.GetImageFromArray(chest_like())
    image = volume[:, :, 0] if n_axes == 2 else sitk.JoinSeries([volume, volume])
    sitk.WriteImage(image, str(tmp_path / "ct.mha"))
    with pytest.raises(ScanError, match=words):
        read_scan(tmp_path / "ct.mha")


def test_fourth_axis_of_one_entry_is_dropped(tmp_path: Path):
    volume = chest_like()
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(volume)]), str(tmp_path / "ct.mha"))
    assert np.array_equal(read_scan(tmp_path / "ct.mha").volume, volume)
