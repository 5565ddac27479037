"""Lungs made elsewhere instead of those found."""

import csv

import numpy as np
import pytest
import SimpleITK
from cohort.chests import SMALL, SPACING_MM, write_chest

from fastgmm.cohort import fit_cohort, label_cohort, run_cohort
from fastgmm.io import read_scan


def voxels(path):
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def write_mask(path, scan_path, mask, *, offset_mm=0.0, spacing=None):
    """Write a mask with the scan's geometry, or one shifted along x or of another spacing, by SimpleITK."""
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8) * 7)
    image.CopyInformation(SimpleITK.ReadImage(str(scan_path)))
    x, y, z = image.GetOrigin()
    image.SetOrigin((x + offset_mm, y, z))
    if spacing:
        image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.fixture
def scans(tmp_path):
    """Two scans, and masks beside them that no rule would find."""
    paths = [write_chest(tmp_path / f"{name}.nrrd", seed=i) for i, name in enumerate("ab")]
    for path in paths:
        mask = np.zeros(read_scan(path).volume.shape, bool)
        mask[5:9, 20:30, 10:40] = True
        write_mask(tmp_path / f"{path.stem}_mask.nii.gz", path, mask)
    return paths


def test_masks_by_pattern_are_the_lungs_of_each_scan(scans, tmp_path):
    result = run_cohort(
        scans, tmp_path / "out", settings=SMALL, lungs=str(tmp_path / "{case}_mask.nii.gz"), preview=False
    )
    assert not result.failures
    for path in scans:
        given = voxels(tmp_path / f"{path.stem}_mask.nii.gz") > 0
        np.testing.assert_array_equal(voxels(tmp_path / "out" / f"{path.stem}_labels.nrrd") > 0, given)
    rows = list(csv.DictReader((tmp_path / "out/measures.csv").read_text().splitlines()))
    assert float(rows[0]["lung_volume_ml"]) == pytest.approx(4 * 10 * 30 * np.prod(SPACING_MM) / 1000)
    assert rows[1]["warnings"] == "lungs_given: the lungs are those of b_mask.nii.gz"


def test_one_mask_for_several_scans_is_refused(scans, tmp_path):
    mask = str(tmp_path / "a_mask.nii.gz")
    with pytest.raises(ValueError, match=r"lungs must hold \{case\}, .* for 2 scans, got"):
        run_cohort(scans, tmp_path / "out", settings=SMALL, lungs=mask)
    assert not label_cohort(scans[:1], tmp_path / "out", settings=SMALL, lungs=mask).failures


@pytest.mark.filterwarnings("ignore:the model is fitted on")
def test_a_fit_takes_the_lungs_given(scans, tmp_path):
    pattern = str(tmp_path / "{case}_mask.nii.gz")
    result = fit_cohort(scans, settings=SMALL, lungs=pattern, allow_unordered=True)
    assert result.model.source.startswith("fastgmm fit on 600 voxels of 2 scans")


@pytest.mark.parametrize("wrong", [{"offset_mm": 0.01}, {"spacing": (0.7, 0.8, 1.01)}])
def test_a_mask_that_lies_elsewhere_is_refused_with_both_geometries(scans, tmp_path, wrong):
    mask = voxels(tmp_path / "a_mask.nii.gz") > 0
    path = write_mask(tmp_path / "moved.nrrd", scans[0], mask, **wrong)
    result = run_cohort(scans[:1], tmp_path / "out", settings=SMALL, lungs=str(path))
    (failure,) = result.failures
    assert "expected a mask with the geometry of" in failure.error
    assert failure.error.count("spacing") == 2
    assert failure.error.count("origin") == 2
    close = write_mask(tmp_path / "close.nrrd", scans[0], mask, offset_mm=0.0005)
    assert not run_cohort(scans[:1], tmp_path / "out", settings=SMALL, lungs=str(close), preview=False).failures


def test_an_empty_or_missing_mask_is_an_error_of_its_scan(scans, tmp_path):
    shape = voxels(tmp_path / "a_mask.nii.gz").shape
    empty = write_mask(tmp_path / "empty.nrrd", scans[0], np.zeros(shape, bool))
    for path, text in ((empty, "got one without any voxel set"), (tmp_path / "absent.nrrd", "absent.nrrd")):
        (failure,) = run_cohort(scans[:1], tmp_path / "out", settings=SMALL, lungs=str(path)).failures
        assert text in failure.error
    small = write_mask(tmp_path / "small.nrrd", scans[0], np.ones(shape, bool))
    image = SimpleITK.ReadImage(str(small))[:, :, 1:]
    SimpleITK.WriteImage(image, str(small))
    (failure,) = run_cohort(scans[:1], tmp_path / "out", settings=SMALL, lungs=str(small)).failures
    assert "got shape (23, 60, 76)" in failure.error
