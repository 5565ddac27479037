"""NIfTI files of every kind, judged by SimpleITK and nibabel."""

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scan_files import chest_like
from scipy.spatial.transform import Rotation

from fastgmm.errors import ScanError
from fastgmm.io import read_header, read_scan

AFFINE = np.array([[-0.5, 0, 0, 10], [0, 0.75, 0, -20], [0, 0, 2.5, -300], [0, 0, 0, 1.0]])

METRES, MICRONS = np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ AFFINE, np.diag([1e3, 1e3, 1e3, 1.0]) @ AFFINE


def write_nifti(
    path: Path, volume: np.ndarray, *, sform: Any = AFFINE, qform: Any = AFFINE, codes: tuple[int, int] = (1, 1),
    slope: float = 1.0, intercept: float = 0.0, image: Any = nibabel.Nifti1Image, order: str = "<", **fields: Any,
) -> Path:  # fmt: skip
    """Write stored numbers (z, y, x) through nibabel, header fields set as given."""
    header = image.header_class(endianness=order)
    header.set_data_dtype(volume.dtype.newbyteorder(order))
    made = image(volume.T, None, header)
    if qform is not None:
        made.set_qform(qform, codes[0])
    if sform is not None:
        made.set_sform(sform, codes[1])
    made.header.set_xyzt_units("mm")
    for name, value in fields.items():
        made.header[name] = value
    content = bytearray(made.to_bytes())
    offsets = (112, 116, "f4") if image is nibabel.Nifti1Image else (176, 184, "f8")
    for offset, value in zip(offsets[:2], (slope, intercept), strict=True):
        number = np.array(value, order + offsets[2]).tobytes()
        content[offset : offset + len(number)] = number
    path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else bytes(content))
    return path


def assert_equals_simpleitk(path: Path, *, assume_hu: bool = False) -> np.ndarray:
    image = sitk.ReadImage(str(path))
    scan = read_scan(path, assume_hu=assume_hu)
    assert np.array_equal(scan.volume, sitk.GetArrayFromImage(image))
    assert np.allclose(scan.spacing_mm, image.GetSpacing()[::-1], rtol=1e-7, atol=0)
    assert np.allclose(scan.origin_lps_mm, image.GetOrigin(), rtol=1e-6, atol=1e-5)
    direction = np.reshape(image.GetDirection(), (3, 3))[:, ::-1]
    assert np.allclose(scan.direction, direction, rtol=0, atol=2e-6)
    return scan.volume


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "CT.NII.GZ"])
def test_nifti_equals_simpleitk_and_nibabel(tmp_path: Path, name: str):
    volume = chest_like()
    path = write_nifti(tmp_path / name.lower(), volume).rename(tmp_path / name)
    scan = read_scan(path)
    assert np.array_equal(scan.volume, volume)
    if name.islower():
        assert_equals_simpleitk(path)
    affine = nibabel.load(path).affine
    steps = scan.direction[:, ::-1] * scan.spacing_mm[::-1]
    assert np.allclose(np.diag([-1, -1, 1]) @ steps, affine[:3, :3])
    assert np.allclose(np.array(scan.origin_lps_mm) * (-1, -1, 1), affine[:3, 3])


@pytest.mark.parametrize("dtype", ["i2", "i4", "i8", "u2", "u4", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_types_and_byte_orders_equal_simpleitk(tmp_path: Path, dtype: str, order: str):
    volume = chest_like() if not dtype.startswith("u") else chest_like() + 1024
    path = write_nifti(tmp_path / "ct.nii.gz", volume.astype(dtype), order=order)
    assert np.array_equal(assert_equals_simpleitk(path, assume_hu=True), volume)
    assert read_header(path).stored_dtype == np.dtype(dtype).name


@pytest.mark.parametrize("dtype", ["i1", "u1"])
def test_8_bit_types_equal_simpleitk(tmp_path: Path, dtype: str):
    path = write_nifti(tmp_path / "ct.nii", chest_like().clip(0, 127).astype(dtype))
    assert_equals_simpleitk(path, assume_hu=True)


@pytest.mark.parametrize(
    ("dtype", "slope", "intercept"),
    [("i2", 1.0, -1024.0), ("u2", 1.0, -1024.0), ("u2", 2.0, -1024.0), ("f4", 0.5, 0.0), ("i2", -1.0, 0.0)],
)
def test_slope_and_intercept_are_applied(tmp_path: Path, dtype: str, slope: float, intercept: float):
    volume = chest_like() // 2 * 2
    stored = ((volume - intercept) / slope).astype(dtype)
    path = write_nifti(tmp_path / "ct.nii.gz", stored, slope=slope, intercept=intercept)
    assert np.array_equal(assert_equals_simpleitk(path), volume)
    assert np.array_equal(nibabel.load(path).get_fdata().T, volume)


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 100.0), (np.nan, np.nan), (np.nan, 0.0)])
def test_slope_of_zero_or_nan_means_no_scaling(tmp_path: Path, slope: float, intercept: float):
    volume = chest_like()
    path = write_nifti(tmp_path / "ct.nii.gz", volume, slope=slope, intercept=intercept)
    assert np.array_equal(read_scan(path).volume, volume)
    assert np.array_equal(nibabel.load(path).get_fdata().T, volume)


def rotated(seed: int, handed: int = 1) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix() @ np.diag([0.5, 0.75, 2.5 * handed])
    affine[:3, 3] = (5, -6, 70)
    return affine


CHOICES = {
    "both the scanner's, alike": {},
    "sform only": {"qform": None},
    "qform only": {"sform": None},
    "qform code 0": {"codes": (0, 1), "qform": rotated(1)},
    "sform code 0": {"codes": (1, 0), "sform": rotated(1)},
    "sform the scanner's, apart": {"codes": (2, 1), "qform": rotated(2)},
    "both the scanner's, apart": {"qform": rotated(2)},
    "sform aligned, apart": {"codes": (1, 2), "sform": rotated(3)},
    "sform aligned, alike": {"codes": (1, 2)},
    "sform of an atlas, apart": {"codes": (1, 4), "sform": rotated(4)},
    "oblique": {"sform": rotated(5), "qform": rotated(5)},
    "left-handed": {"sform": rotated(6, -1), "qform": rotated(6, -1)},
    "half turn": {"qform": np.diag([-0.5, -0.75, 2.5, 1.0]), "sform": None},
    "half turn about x": {"qform": np.diag([0.5, -0.75, -2.5, 1.0]), "sform": None},
    "sheared sform and qform": {"sform": AFFINE + np.eye(4)[[1, 0, 2, 3]] * 0.1},
    "singular sform and qform": {"sform": np.diag([0.5, 0.75, 0.0, 1.0]), "qform": AFFINE},
    "microns": {"xyzt_units": 3, "sform": MICRONS, "qform": MICRONS},
    "metres": {"xyzt_units": 1, "sform": METRES, "qform": METRES},
    "unit unknown": {"xyzt_units": 0},
}


@pytest.mark.parametrize("fields", CHOICES.values(), ids=CHOICES)
def test_choice_of_sform_and_qform_is_that_of_simpleitk(tmp_path: Path, fields: dict[str, Any]):
    volume = chest_like()
    assert np.array_equal(assert_equals_simpleitk(write_nifti(tmp_path / "ct.nii.gz", volume, **fields)), volume)


def test_no_orientation_is_warned_of(tmp_path: Path):
    path = write_nifti(
        tmp_path / "ct.nii.gz", chest_like(), sform=None, qform=None, pixdim=[1, 0.5, 0.75, 2.5, 0, 0, 0, 0]
    )
    assert_equals_simpleitk(path)
    scan = read_scan(path)
    assert scan.spacing_mm == (2.5, 0.75, 0.5)
    assert scan.warnings == ("the header states no orientation",)


def test_pixdim_wins_over_the_sform_with_a_warning(tmp_path: Path):
    path = write_nifti(tmp_path / "ct.nii.gz", chest_like(), qform=None, pixdim=[1, 0.5, 0.75, 3.0, 0, 0, 0, 0])
    assert_equals_simpleitk(path)
    assert read_scan(path).warnings == (
        "spacing 0.5 x 0.75 x 3 mm (pixdim) is used although the sform says 0.5 x 0.75 x 2.5 mm",
    )


def test_sheared_sform_alone_is_an_error(tmp_path: Path):
    sheared = AFFINE.copy()
    sheared[1, 2] = 0.3
    path = write_nifti(tmp_path / "ct.nii.gz", chest_like(), qform=None, sform=sheared)
    with pytest.raises(
        ScanError, match=r"perpendicular axes, got a sheared sform \(gantry tilt\?\) and no qform; resample"
    ):
        read_scan(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti_2_equals_nibabel(tmp_path: Path, order: str):
    volume = chest_like()
    path = write_nifti(
        tmp_path / "ct.nii.gz", volume, image=nibabel.Nifti2Image, sform=rotated(7), qform=rotated(7), order=order
    )
    scan = read_scan(path)
    loaded = nibabel.load(path)
    assert isinstance(loaded, nibabel.Nifti2Image)
    assert np.array_equal(scan.volume, loaded.get_fdata().T)
    assert np.allclose(np.array(scan.origin_lps_mm) * (-1, -1, 1), loaded.affine[:3, 3])
    steps = scan.direction[:, ::-1] * scan.spacing_mm[::-1]
    assert np.allclose(np.diag([-1, -1, 1]) @ steps, loaded.affine[:3, :3])


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
def test_extensions_between_header_and_voxels_are_skipped(tmp_path: Path, name: str):
    volume = chest_like()
    made = nibabel.Nifti1Image(volume.T, AFFINE)
    made.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Mustermann^Erika" * 9000))
    nibabel.save(made, tmp_path / name)
    assert np.array_equal(assert_equals_simpleitk(tmp_path / name), volume)


def test_trailing_axes_of_one_entry_are_dropped(tmp_path: Path):
    volume = chest_like()
    path = write_nifti(tmp_path / "ct.nii.gz", volume[None, None])
    assert np.array_equal(read_scan(path).volume, volume)


def test_pair_of_files_is_read_through_simpleitk(tmp_path: Path):
    volume = chest_like()
    nibabel.save(nibabel.Nifti1Pair(volume.T, AFFINE), tmp_path / "ct.img")
    scan = read_scan(tmp_path / "ct.hdr")
    assert np.array_equal(scan.volume, volume)
    assert (scan.format, scan.spacing_mm) == ("sitk", (2.5, 0.75, 0.5))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"datatype": 32}, r"one integer or float per voxel, got complex values \(datatype 32\)"),
        ({"datatype": 128}, r"got colour values \(datatype 128\)"),
        ({"datatype": 7}, r"got unknown values \(datatype 7\)"),
        ({"dim": [2, 7, 6, 1, 1, 1, 1, 1]}, "a 3-D volume, got 2-D of sizes 7 6"),
        ({"dim": [4, 7, 6, 1, 5, 1, 1, 1]}, "a 3-D volume, got 4-D of sizes 7 6 1 5; give one 3-D volume per file"),
        (
            {"dim": [5, 7, 6, 5, 1, 3, 1, 1]},
            r"one number per voxel, got 3 numbers per voxel \(a colour or vector image\)",
        ),
        ({"dim": [3, 7, 6, 0, 1, 1, 1, 1]}, "at least one voxel along each axis, got sizes 7 6 0"),
        ({"dim": [3, 7, -6, 5, 1, 1, 1, 1]}, "at least one voxel along each axis, got sizes 7 -6 5"),
        ({"vox_offset": 100}, "voxels behind the header of 348 bytes, got vox_offset 100"),
        ({"magic": b"ni1"}, r"a single-file NIfTI marked 'n\+1' or 'n\+2', got the mark b'ni1'"),
        ({"sizeof_hdr": 1}, r"a NIfTI header, got a file that begins b'.*'; check the name's extension"),
        ({"pixdim": [1, 0.5, 0.75, 0, 0, 0, 0, 0]}, "voxel spacings above 0 mm, got 0.5 x 0.75 x 0; write the true"),
        (
            {"sform_code": 0, "qoffset_x": np.nan},
            "finite axis directions and origin, got NaN or infinity; mend the header",
        ),
    ],
)
def test_headers_that_are_no_ct_are_refused(tmp_path: Path, fields: dict[str, Any], words: str):
    path = write_nifti(tmp_path / "ct.nii", chest_like())
    record = nibabel.Nifti1Header(path.read_bytes()[:348])
    for name, value in fields.items():
        record[name] = value
    path.write_bytes(record.binaryblock + path.read_bytes()[348:])
    for read in (read_header, read_scan):
        if "vox_offset" in fields and read is read_header:
            continue
        with pytest.raises(ScanError, match=words) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: expected ")
