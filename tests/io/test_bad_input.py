"""Files that are no CT in HU: each is one line with the path, what was expected, what came, the way out."""

import gzip
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scan_files import chest_like, nrrd_bytes, write_nrrd

from fastgmm.errors import ScanError
from fastgmm.io import read_header, read_scan

COPY = "copy or download the file again$"


def assert_refused(path: Path, words: str, **options: Any) -> None:
    with pytest.raises(ScanError, match=words) as error:
        read_scan(path, **options)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.nii.gz", "folder"])
def test_missing_file(tmp_path: Path, name: str):
    assert_refused(tmp_path / name, "expected a scan file or a DICOM folder, got nothing there; check the path$")
    with pytest.raises(ScanError, match=r"got nothing there; check the path$"):
        read_header(tmp_path / name)


def test_name_that_the_system_refuses(tmp_path: Path):
    assert_refused(tmp_path / ("n" * 300 + ".nrrd"), "could not be read: File name too long; check that it exists")


def test_data_file_that_the_system_refuses_is_named(tmp_path: Path):
    path = write_nrrd(tmp_path / "ct.nhdr", chest_like(), b"", data_file="n" * 300)
    assert_refused(path, r"could not be read, because of .*nnn: File name too long; check that it exists")


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.nhdr", "ct.nii", "ct.nii.gz", "ct.mha"])
@pytest.mark.parametrize("content", [b"", b"Dear reader, this is no scan.\n\nYours\n" * 40], ids=["empty", "text"])
def test_text_and_empty_files_under_a_scans_name(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path / name, "got .*; check the name's extension$")


def test_nrrd_without_end_of_header_is_read_no_further_than_needed(tmp_path: Path):
    (tmp_path / "ct.nrrd").write_bytes(b"NRRD0004\ntype: short\n" + b"x" * 100)
    assert_refused(tmp_path / "ct.nrrd", f"an NRRD header of lines 'field: value', got 'xxx.*'; {COPY}")


def truncated(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_truncated_gzip(tmp_path: Path, share: float):
    volume = chest_like((9, 60, 70))
    write_nrrd(tmp_path / "ct.nrrd", volume)
    nibabel.save(nibabel.Nifti1Image(volume.T, np.eye(4)), tmp_path / "ct.nii.gz")
    sitk.WriteImage(sitk.GetImageFromArray(volume), str(tmp_path / "ct.mha"), True)
    for path in list(tmp_path.iterdir()):
        assert_refused(
            truncated(path, share),
            r"expected 75600 bytes of voxels as its header says, got \d+ \(the compressed data end in the middle\)",
        )


def test_gzip_cut_within_its_checksum(tmp_path: Path):
    volume = chest_like()
    path = write_nrrd(tmp_path / "ct.nrrd", volume, gzip.compress(volume.tobytes())[:-3])
    assert_refused(path, f"an intact end of the voxel data, got the compressed data end in the middle; {COPY}")


@pytest.mark.parametrize("where", [200, -6])
def test_damaged_gzip(tmp_path: Path, where: int):
    volume = chest_like((9, 60, 70))
    payload = bytearray(gzip.compress(volume.tobytes()))
    payload[where] ^= 0xFF
    assert_refused(
        write_nrrd(tmp_path / "ct.nrrd", volume, bytes(payload)), rf"got damaged compressed data \(.*\); {COPY}"
    )


def test_cut_before_or_within_the_header_of_a_nifti(tmp_path: Path):
    nibabel.save(nibabel.Nifti1Image(chest_like().T, np.eye(4)), tmp_path / "ct.nii")
    content = (tmp_path / "ct.nii").read_bytes()
    (tmp_path / "ct.nii").write_bytes(content[:300])
    assert_refused(tmp_path / "ct.nii", "a NIfTI header, got a file that begins")
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(content)[:30])
    assert_refused(tmp_path / "ct.nii.gz", f"a NIfTI file, got the compressed data end in the middle; {COPY}")
    (tmp_path / "ct.nii.gz").write_bytes(b"\x1f\x8b")
    assert_refused(tmp_path / "ct.nii.gz", f"a NIfTI file, got the compressed data end in the middle; {COPY}")


@pytest.mark.parametrize(
    "sizes", ["7 6 6", "700 600 500", "1000000 1000000 1000000", "3000000000 3000000000 3000000000"]
)
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_header_larger_than_the_data(tmp_path: Path, sizes: str, encoding: str):
    path = write_nrrd(tmp_path / "ct.nrrd", chest_like(), sizes=sizes, encoding=encoding)
    n_bytes = 2 * np.prod([int(size) for size in sizes.split()], dtype=object)
    assert_refused(path, f"expected {n_bytes} bytes of voxels as its header says, got .*; {COPY}")


def test_header_larger_than_memory(tmp_path: Path):
    path = write_nrrd(
        tmp_path / "ct.nrrd", chest_like(), b"00", encoding="hex", sizes="3000000000 3000000000 3000000000"
    )
    assert_refused(
        path, "a volume that fits in memory, got 3000000000 x 3000000000 x 3000000000 voxels; check its header"
    )


def test_header_of_a_nifti_larger_than_the_data(tmp_path: Path):
    nibabel.save(nibabel.Nifti1Image(chest_like().T, np.eye(4)), tmp_path / "ct.nii")
    assert_refused(truncated(tmp_path / "ct.nii", 0.9), "expected 420 bytes of voxels as its header says, got")


@pytest.mark.parametrize(
    ("shape", "fields", "words"),
    [
        ((6, 7), {"space_directions": "(1,0) (0,1)", "kinds": "domain domain"}, "a 3-D volume, got 2-D of sizes 7 6"),
        ((6, 7), {"space_directions": None, "kinds": None}, "a 3-D volume, got 2-D of sizes 7 6; give one 3-D volume"),
        ((2, 5, 6, 7), {"space_directions": None, "kinds": None}, "a 3-D volume, got 4-D of sizes 7 6 5 2"),
        (
            (5, 6, 7, 3),
            {"space_directions": "none (1,0,0) (0,1,0) (0,0,1)", "kinds": "vector domain domain domain"},
            r"one number per voxel, got 3 numbers per voxel \(vector: a colour, vector or complex image\)",
        ),
        (
            (5, 6, 7, 3),
            {"space_directions": None, "kinds": "RGB-color domain domain domain"},
            r"3 numbers per voxel \(rgb-color: a colour, vector or complex image\); extract one component",
        ),
        ((5, 6, 7), {"sizes": "7 6 0"}, f"at least one voxel along each axis, got sizes 7 6 0; {COPY}"),
        ((5, 6, 7), {"sizes": "7 6"}, "3 numbers, as dimension says in the header's sizes, got '7 6'"),
        ((5, 6, 7), {"sizes": "7 6 five"}, "whole numbers in the header's sizes, got '7 6 five'"),
        ((5, 6, 7), {"type": None}, "an NRRD header with the field type, got none"),
        ((5, 6, 7), {"type": "block"}, "integers or floats, got type block; store one number per voxel"),
        ((5, 6, 7), {"endian": None}, "endian: little or big, got no such field; add the byte order"),
        ((5, 6, 7), {"endian": "middle"}, "endian: little or big, got 'middle'"),
        (
            (5, 6, 7),
            {"encoding": "zrl"},
            "encoding raw, gzip, bzip2, ascii, hex, got encoding zrl; write the file again",
        ),
        ((5, 6, 7), {"kinds": "domain domain"}, "a kind and a direction for each of 3 axes, got another number"),
        (
            (5, 6, 7),
            {"space_directions": "(1,0) (0,1) (1,1)"},
            "three vectors of three numbers in the header's space dir",
        ),
        ((5, 6, 7), {"space_origin": "(1,2)"}, r"three numbers in the header's space origin, got '\(1,2\)'"),
        ((5, 6, 7), {"space_origin": "(1,2,x)"}, "numbers in the header's geometry, got 'x'"),
        ((5, 6, 7), {"space_directions": "(0,0,0) (0,1,0) (0,0,1)"}, "voxel spacings above 0 mm, got 0 x 1 x 1"),
        (
            (5, 6, 7),
            {"space_directions": "(1,0,0) (0,1,0) (0,0.1,1)"},
            r"perpendicular axes, got axes sheared by 5\.71 deg",
        ),
        ((5, 6, 7), {"space_directions": None, "spacings": "1 1"}, "3 values in the header's spacings, got '1 1'"),
    ],
)
def test_headers_that_are_no_3d_volume(tmp_path: Path, shape: tuple[int, ...], fields: dict[str, Any], words: str):
    volume = np.resize(chest_like(), shape)
    if "space_directions" in fields and fields["space_directions"] is None:
        fields = {"space": None, "space_origin": None, **fields}
    assert_refused(write_nrrd(tmp_path / "ct.nrrd", volume, **fields), words)


def test_complex_and_colour_volumes(tmp_path: Path):
    real = sitk.GetImageFromArray(chest_like().astype(np.float32))
    for name in ("complex.nrrd", "complex.mha", "complex.nii.gz"):
        sitk.WriteImage(sitk.RealAndImaginaryToComplex(real, real), str(tmp_path / name))
        assert_refused(tmp_path / name, "(one number|one integer or float) per voxel, got .*complex")
    colour = sitk.Compose(real, real, real)
    for name in ("colour.nrrd", "colour.mha", "colour.nii.gz"):
        sitk.WriteImage(colour, str(tmp_path / name))
        assert_refused(tmp_path / name, "one number per voxel, got .*; extract one component$")


@pytest.mark.parametrize("wrong", [0.5, 1e-3, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_that_are_not_whole(tmp_path: Path, wrong: float, dtype: type):
    volume = chest_like((3, 90, 80)).astype(dtype)
    volume[2, 3, 4] = wrong
    way_out = "round the volume to whole HU" if np.isfinite(wrong) else "replace such voxels by padding of -1024"
    path = write_nrrd(tmp_path / "ct.nrrd", volume)
    assert_refused(path, rf"expected whole numbers \(HU\), got a voxel of .*; {way_out} before labelling it$")


def test_whole_numbers_beyond_int16_saturate_with_a_warning(tmp_path: Path):
    for dtype in (np.int32, np.float64):
        volume = chest_like((3, 400, 500)).astype(dtype)
        volume[0, 3, 4], volume[1, 3, 4], volume[2, 0, 0], volume[2, 0, 1] = 32767, 32768, 2.0**31 - 1, -32769
        expected = volume.copy()
        expected[1, 3, 4] = expected[2, 0, 0] = 3071
        expected[2, 0, 1] = -32768
        type_name = "int32" if dtype == np.int32 else "double"
        scan = read_scan(write_nrrd(tmp_path / "ct.nrrd", volume, type=type_name))
        assert np.array_equal(scan.volume, expected)
        assert scan.warnings == (
            "voxels above 32767 were set to 3071 HU: 2",
            "voxels below -32768 were set to -32768 HU: 1",
        )


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (
            chest_like().clip(0, 255).astype(np.uint8),
            r"got 8-bit values \(uint8\); use the CT before windowing; if the num",
        ),
        (chest_like() + 1024, r"got none below 0 \(highest \d+\), as in stored values whose intercept"),
        (chest_like().clip(-499), r"air below -500, got none below -499 \(highest \d+\); if the numbers are HU"),
        (np.zeros((5, 6, 7), np.int16), "air below -500, got none below 0"),
        (np.full((5, 6, 7), -1000, np.int16), "CT values in HU, got the same value -1000 in every voxel"),
    ],
)
def test_numbers_that_are_not_hu_are_refused_unless_assumed(tmp_path: Path, volume: np.ndarray, words: str):
    path = write_nrrd(tmp_path / "ct.nrrd", volume)
    assert_refused(path, words + r".*--assume-hu \(assume_hu=True\)$")
    assert np.array_equal(read_scan(path, assume_hu=True).volume, volume)


def test_windowed_real_scan_is_refused(test_data: Path):
    assert_refused(test_data / "odd" / "lidc2_uint8_windowed.nrrd", r"8-bit values \(uint8\)")


def test_two_slices_are_a_volume(test_data: Path):
    assert read_scan(test_data / "odd" / "cip_2slices_ct.nrrd").shape == (2, 349, 443)


@pytest.mark.parametrize(
    ("module", "name"),
    [("isal.igzip_lib", "ct.nrrd"), ("isal.igzip_lib", "ct.nii.gz"), ("SimpleITK", "ct.gipl"), ("pydicom", "folder")],
)
def test_missing_package_is_one_sentence_that_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "ct.nrrd").write_bytes(nrrd_bytes(chest_like()))
    (tmp_path / "ct.gipl").touch()
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(b"anything"))
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    assert_refused(
        tmp_path / name,
        rf"expected the package {package} for .*, which is not installed .*pip install 'fastgmm\[ct\]'$",
    )
