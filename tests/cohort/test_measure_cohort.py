import shutil

import numpy as np
import pytest
from cohort.chests import SMALL, SPACING_MM, chest, write_chest

from fastgmm.cohort import measure_cohort, run_cohort
from fastgmm.io import Scan, read_scan, write_labels, write_scan
from fastgmm.lung import TissueModel, label_tissue, measure


@pytest.fixture
def done(tmp_path):
    """Two scans with their results in `out`, and the measures of that run."""
    scans = [write_chest(tmp_path / f"P{k}" / "CT.nrrd", seed=k) for k in (1, 2)]
    return scans, tmp_path / "out", run_cohort(scans, tmp_path / "out", settings=SMALL, preview=False).rows


def test_labels_of_a_run_measure_as_the_run_did(done):
    scans, out, rows = done
    assert measure_cohort(scans, labels=out, lungs=out).rows == rows
    assert measure_cohort(scans, labels=out).rows == rows


def test_files_are_taken_in_the_order_of_the_scans(done):
    scans, out, rows = done
    result = measure_cohort(scans[::-1], labels=[out / "P2_CT_labels.nrrd", out / "P1_CT_labels.nrrd"])
    assert result.rows == rows[::-1]


def test_masks_alone_are_labelled_with_the_model(done):
    scans, out, rows = done
    result = measure_cohort(scans, lungs=out)
    assert result.rows == rows
    assert result.model == TissueModel.published()


def test_a_mask_from_elsewhere_counts_where_it_is_not_zero(tmp_path):
    path = write_chest(tmp_path / "a.nrrd")
    mask = np.zeros(chest().shape, np.uint8)
    mask[8:14, 20:40, 10:30] = 7
    write_labels(tmp_path / "mine.nii.gz", mask, read_scan(path))
    result = measure_cohort([path], lungs=tmp_path / "mine.nii.gz")
    labels = label_tissue(chest(), mask > 0, TissueModel.published())
    assert result.rows == [dict(measure(chest(), mask > 0, labels, spacing_mm=SPACING_MM, case="a"))]


def test_measures_of_other_geometry_are_refused_with_both_printed(tmp_path, done):
    scans, out, _ = done
    volume = read_scan(out / "P1_CT_labels.nrrd", assume_hu=True).volume
    moved = Scan(path="m.nrrd", volume=volume, spacing_mm=SPACING_MM, origin_lps_mm=(-10.5, 3.26, 7.0))
    write_scan(tmp_path / "moved.nrrd", moved)
    short = Scan(path="s.nrrd", volume=volume[1:], spacing_mm=SPACING_MM, origin_lps_mm=(-10.5, 3.25, 7.0))
    write_scan(tmp_path / "short.nrrd", short)
    errors = [
        measure_cohort(scans[:1], labels=[tmp_path / name]).failures[0].error for name in ("moved.nrrd", "short.nrrd")
    ]
    assert "got one 0.0125 voxels away" in errors[0]
    assert "origin -10.5, 3.25, 7 mm" in errors[0]
    assert "origin -10.5, 3.26, 7 mm" in errors[0]
    assert "expected the shape (24, 60, 76)" in errors[1]
    assert "got (23, 60, 76)" in errors[1]


def test_a_shift_below_a_thousandth_of_a_voxel_is_accepted(tmp_path, done):
    scans, out, rows = done
    volume = read_scan(out / "P1_CT_labels.nrrd", assume_hu=True).volume
    near = Scan(path="n.nrrd", volume=volume, spacing_mm=SPACING_MM, origin_lps_mm=(-10.5005, 3.25, 7.0))
    write_scan(tmp_path / "near.nrrd", near)
    (row,) = measure_cohort(scans[:1], labels=[tmp_path / "near.nrrd"]).rows
    assert {**row, "case": "P1_CT"} == rows[0]


def test_what_is_no_label_map_is_refused(done):
    scans, _, _ = done
    (failure,) = measure_cohort(scans[:1], labels=scans[:1]).failures
    assert "expected tissue labels 0..5, got -1024" in failure.error


def test_one_missing_file_does_not_stop_the_others(tmp_path, done):
    scans, out, rows = done
    shutil.move(out / "P1_CT_labels.nrrd", tmp_path)
    result = measure_cohort(scans, labels=out)
    assert result.rows == rows[1:]
    assert str(out / "P1_CT_labels.nrrd") in result.failures[0].error


def test_the_number_of_files_must_be_that_of_the_scans(done):
    scans, out, _ = done
    with pytest.raises(ValueError, match="labels must be a folder or one file per scan, got 1 for 2 scans"):
        measure_cohort(scans, labels=[out / "P1_CT_labels.nrrd"])
    with pytest.raises(ValueError, match="labels or lungs must be given, got neither"):
        measure_cohort(scans)
