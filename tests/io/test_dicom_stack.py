"""The geometry of DICOM folders: order, distances, tilt, and what is refused."""

import math
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_folders import hu_volume, write_series
from pydicom.dataset import Dataset

from fastgmm.errors import ScanError
from fastgmm.io import read_dicom_series, read_header, read_scan


def heights_with(deviation: float, n: int = 6, at: int = 3) -> list[float]:
    """Return positions 2 mm apart but for one step that is longer by a share of 2 mm."""
    steps = [2.0] * (n - 1)
    steps[at] *= 1.0 + deviation
    return [10.0 + sum(steps[:z]) for z in range(n)]


def test_real_series_equals_its_nrrd(test_data: Path):
    series, nrrd = read_scan(test_data / "dicom_cip64"), read_scan(test_data / "cip64_ct.nrrd")
    assert np.array_equal(series.volume, nrrd.volume)
    assert np.array_equal(series.direction, nrrd.direction)
    # The series' positions are rounded to 1 um.
    assert np.allclose(series.spacing_mm, nrrd.spacing_mm, rtol=0, atol=5e-4)
    assert np.allclose(series.origin_lps_mm, nrrd.origin_lps_mm, rtol=0, atol=5e-4)
    assert (series.format, series.slice_thickness_mm, series.warnings) == ("dicom", 3.98734, ())


def test_slices_are_ordered_by_position_and_not_by_name(tmp_path: Path):
    volume = hu_volume()
    paths = write_series(tmp_path, volume)
    scan = read_dicom_series(tmp_path)
    assert np.array_equal(scan.volume, volume)
    assert scan.files == tuple(paths)
    assert sorted(paths) == paths[::-1]
    assert scan.spacing_mm == (2.0, 0.75, 0.5)
    assert scan.origin_lps_mm == (-5.0, -7.0, 10.0)


@pytest.mark.parametrize("seed", range(4))
def test_oblique_series_equals_simpleitk(tmp_path: Path, seed: int):
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0].round(9)
    x_axis, y_axis = rotation[:, 0], rotation[:, 1]
    normal = np.cross(x_axis, y_axis)
    volume = hu_volume(seed=seed)

    def lay(dataset: Dataset, z: int) -> None:
        dataset.ImageOrientationPatient = [f"{value:.9f}" for value in (*x_axis, *y_axis)]
        dataset.ImagePositionPatient = [f"{value:.8f}" for value in np.array([3.0, -40.0, 70.0]) + 1.25 * z * normal]

    write_series(tmp_path, volume, edit=lay)
    scan = read_dicom_series(tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in scan.files])
    image = reader.Execute()
    assert np.array_equal(scan.volume, sitk.GetArrayFromImage(image))
    assert np.array_equal(scan.volume, volume)
    assert np.allclose(scan.spacing_mm, image.GetSpacing()[::-1], rtol=0, atol=1e-6)
    assert np.allclose(scan.origin_lps_mm, image.GetOrigin(), rtol=0, atol=1e-6)
    assert np.allclose(scan.direction, np.reshape(image.GetDirection(), (3, 3))[:, ::-1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("deviation", [0.0, 0.01, -0.009])
def test_steps_within_one_percent_pass_in_silence(tmp_path: Path, deviation: float):
    write_series(tmp_path, hu_volume(), heights=heights_with(deviation))
    scan = read_dicom_series(tmp_path)
    assert scan.warnings == ()
    assert math.isclose(scan.spacing_mm[0], 2.0)


@pytest.mark.parametrize(("deviation", "stated"), [(0.02, "2.0%"), (-0.09, "9.0%")])
def test_steps_within_ten_percent_warn(tmp_path: Path, deviation: float, stated: str):
    write_series(tmp_path, hu_volume(), heights=heights_with(deviation))
    scan = read_dicom_series(tmp_path)
    assert scan.warnings == (f"slice distances vary by up to {stated} around 2 mm",)
    assert math.isclose(scan.spacing_mm[0], 2.0)


@pytest.mark.parametrize(
    ("deviation", "words"),
    [
        (0.11, r"slices 2 mm apart, got a gap: between s003.dcm and s002.dcm \(2.22 mm\)"),
        (1.0, r"slices 2 mm apart, got a gap: between s003.dcm and s002.dcm \(4 mm\)"),
        (-0.5, r"slices 2 mm apart, got slices too near each other: between s003.dcm and s002.dcm \(1 mm\)"),
        (-1.0, r"one slice at each place, got duplicates: between s002.dcm and s003.dcm \(0 mm\)"),
    ],
)
def test_gaps_and_duplicates_are_errors_that_name_the_slices(tmp_path: Path, deviation: float, words: str):
    write_series(tmp_path, hu_volume(), heights=heights_with(deviation))
    with pytest.raises(ScanError, match=words) as error:
        read_dicom_series(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: expected ")
    assert "\n" not in str(error.value)


def test_every_slice_twice_is_a_duplicate_and_not_a_step_of_zero(tmp_path: Path):
    write_series(tmp_path, hu_volume())
    write_series(tmp_path, hu_volume(), prefix="copy")
    with pytest.raises(ScanError, match=r"duplicates: between .*copy00.*\(0 mm\).* and 2 more; remove copies"):
        read_dicom_series(tmp_path)


def change_one(name: str, value: object, which: int = 2):
    def edit(dataset: Dataset, z: int) -> None:
        if z == which:
            setattr(dataset, name, value)

    return edit


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 0, 0.99, 0.14], "orientation"),
        ("PixelSpacing", [0.75, 0.51], "pixel spacing"),
    ],
)
def test_mixed_geometry_is_an_error(tmp_path: Path, name: str, value: list[float], what: str):
    write_series(tmp_path, hu_volume(), edit=change_one(name, value))
    with pytest.raises(ScanError, match=f"one {what} in a series, got 1 of 6 slices unlike s001.dcm: s004.dcm"):
        read_dicom_series(tmp_path)


def test_mixed_matrix_is_an_error(tmp_path: Path):
    write_series(tmp_path, hu_volume())
    write_series(tmp_path, hu_volume((6, 8, 9)), heights=[30.0 + 2.0 * z for z in range(6)], prefix="t")
    with pytest.raises(ScanError, match=r"one matrix size in a series, got 6 of 12 slices.* and 2 more"):
        read_dicom_series(tmp_path)


def leaning(degrees: float):
    def edit(dataset: Dataset, z: int) -> None:
        dataset.ImagePositionPatient = [-5.0, -7.0 + 2.0 * z * math.tan(math.radians(degrees)), 10.0 + 2.0 * z]

    return edit


def test_tilted_gantry_is_an_error(tmp_path: Path):
    write_series(tmp_path, hu_volume(), edit=leaning(0.6))
    with pytest.raises(ScanError, match=r"a gantry tilt of at most 0\.5 degrees, got 0\.60; resample"):
        read_dicom_series(tmp_path)


def test_tilt_that_only_the_tag_states_is_an_error(tmp_path: Path):
    write_series(tmp_path, hu_volume(), GantryDetectorTilt=-12.5)
    with pytest.raises(ScanError, match=r"at most 0\.5 degrees, got 12\.50"):
        read_dicom_series(tmp_path)


def test_tilt_below_half_a_degree_is_read(tmp_path: Path):
    volume = hu_volume()
    write_series(tmp_path, volume, edit=leaning(0.4))
    assert np.array_equal(read_dicom_series(tmp_path).volume, volume)


def test_slice_that_lies_aside_is_an_error(tmp_path: Path):
    write_series(tmp_path, hu_volume(), edit=change_one("ImagePositionPatient", [-4.0, -7.0, 14.0]))
    with pytest.raises(ScanError, match=r"slices straight above each other, got s004.dcm 1 mm aside"):
        read_dicom_series(tmp_path)


@pytest.mark.parametrize("spacing", [{"SliceThickness": 2.0}, {"SliceThickness": 3.0, "SpacingBetweenSlices": 2.0}])
def test_single_slice_takes_its_height_from_its_header(tmp_path: Path, spacing: dict[str, float]):
    write_series(tmp_path, hu_volume((1, 8, 10)), **spacing)
    assert read_dicom_series(tmp_path).spacing_mm == (2.0, 0.75, 0.5)


def test_single_slice_without_thickness_is_an_error(tmp_path: Path):
    write_series(tmp_path, hu_volume((1, 8, 10)), SliceThickness=None)
    with pytest.raises(ScanError, match="at least two slices, got one without SliceThickness"):
        read_dicom_series(tmp_path)


def test_header_says_what_the_scan_says(tmp_path: Path):
    write_series(tmp_path, hu_volume(), ConvolutionKernel=["Br40d", "3"], PixelPaddingValue=-2000)
    scan, header = read_scan(tmp_path), read_header(tmp_path)
    for name in (
        "spacing_mm",
        "origin_lps_mm",
        "format",
        "kernel",
        "slice_thickness_mm",
        "padding_value",
        "shape",
        "files",
    ):
        assert getattr(scan, name) == getattr(header, name)
    assert (scan.kernel, scan.slice_thickness_mm, header.stored_dtype) == ("Br40d/3", 2.0, "int16")
    assert math.isclose(scan.voxel_ml, 2.0 * 0.75 * 0.5 / 1000)
