import csv
import dataclasses
import errno

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from cohort.chests import SMALL, SPACING_MM, chest, write_chest
from PIL import Image

from fastgmm.cohort import _scan_files as scan_files
from fastgmm.cohort import fit_cohort, label_cohort, run_cohort
from fastgmm.io import read_scan
from fastgmm.lung import (
    MEASURE_COLUMNS,
    TissueModel,
    TissueModelError,
    collect_histogram,
    fit_tissue_model,
    label_tissue,
    measure,
    segment_lungs,
    smooth_labels,
)

KINDS = ("labels", "median", "lungs")


def run(paths, out, **options):
    return run_cohort(paths, out, settings=SMALL, **options)


def voxels(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def two(tmp_path):
    """Two scans whose files are both called CT.nrrd."""
    return [write_chest(tmp_path / f"P{k}" / "CT.nrrd", seed=k) for k in (1, 2)]


def test_a_run_writes_what_the_steps_give_one_by_one(tmp_path):
    path = write_chest(tmp_path / "a.nrrd")
    result = run([path], tmp_path / "out")
    volume, model = chest(), TissueModel.published()
    lungs = segment_lungs(volume, SPACING_MM, SMALL)
    labels = label_tissue(volume, lungs.mask, model)
    expected = {"labels": labels, "median": smooth_labels(labels, SMALL), "lungs": lungs.mask.to_array()}
    for kind, array in expected.items():
        np.testing.assert_array_equal(voxels(tmp_path / "out" / f"a_{kind}.nrrd"), array)
    row = measure(volume, lungs.mask, labels, spacing_mm=SPACING_MM, case="a")
    assert result.rows == [dict(row)]
    assert result.failures == []
    assert result.model == model


def test_every_output_has_the_geometry_of_its_scan(tmp_path):
    path = write_chest(tmp_path / "a.nii.gz")
    run([path], tmp_path / "out")
    scan = sitk.ReadImage(str(path))
    for kind in KINDS:
        image = sitk.ReadImage(str(tmp_path / "out" / f"a_{kind}.nii.gz"))
        for name in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(image, name)() == getattr(scan, name)()


def test_a_run_leaves_exactly_the_files_it_names(tmp_path, two):
    result = run(two, tmp_path / "out")
    volumes = [f"P{k}_CT_{kind}.nrrd" for k in (1, 2) for kind in KINDS]
    pictures = [f"P{k}_CT_overlay.png" for k in (1, 2)]
    assert names_in(tmp_path / "out") == sorted([*volumes, *pictures, "measures.csv", "model.json"])
    told = [path.name for paths in result.outputs.values() for path in paths]
    assert sorted(told) == names_in(tmp_path / "out")


def test_measures_are_one_row_per_scan_in_the_order_given(tmp_path, two):
    result = run(two[::-1], tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "measures.csv")
    assert tuple(rows[0]) == MEASURE_COLUMNS
    assert [row["case"] for row in rows] == ["P2_CT", "P1_CT"]
    assert float(rows[0]["lung_volume_ml"]) == result.rows[0]["lung_volume_ml"]
    assert rows[0]["kernel"] == ""
    assert "kernel:not_in_file" in rows[0]["reasons"]


def test_the_picture_is_a_picture_and_can_be_left_out(tmp_path):
    path = write_chest(tmp_path / "a.nrrd")
    run([path], tmp_path / "out")
    with Image.open(tmp_path / "out" / "a_overlay.png") as picture:
        assert picture.mode == "RGB"
    run([path], tmp_path / "plain", preview=False)
    assert "a_overlay.png" not in names_in(tmp_path / "plain")


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_outputs_do_not_depend_on_the_number_of_threads(tmp_path, two, n_jobs):
    run(two, tmp_path / "out", n_jobs=n_jobs)
    run(two, tmp_path / "again")
    for name in names_in(tmp_path / "again"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_one_bad_scan_never_stops_the_others(tmp_path, two):
    text = tmp_path / "text.nrrd"
    text.write_text("no scan")
    no_lungs = write_chest(tmp_path / "abdomen.nrrd", volume=np.full((24, 60, 76), 40, np.int16))
    result = run([text, two[0], tmp_path / "missing.nrrd", no_lungs, two[1]], tmp_path / "out")
    assert [row["case"] for row in result.rows] == ["P1_CT", "P2_CT"]
    assert [failure.case for failure in result.failures] == ["text", "missing", "abdomen"]
    for failure in result.failures:
        assert failure.error.startswith(str(failure.path))
        assert "\n" not in failure.error
    assert len(rows_of(tmp_path / "out" / "measures.csv")) == 2
    assert not any(name.startswith(("text", "missing", "abdomen", ".")) for name in names_in(tmp_path / "out"))


def test_nothing_is_written_where_every_scan_is_bad(tmp_path):
    result = run([tmp_path / "missing.nrrd"], tmp_path / "new" / "out")
    assert len(result.failures) == 1
    assert names_in(tmp_path) == []


def test_existing_outputs_stay_without_overwrite_and_no_scan_is_read(tmp_path, two, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "P2_CT_median.nrrd").write_text("mine")
    monkeypatch.setattr("fastgmm.cohort._options.read_scan", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(FileExistsError, match=r"P2_CT_median.nrrd; replace them with --overwrite"):
        run(two, tmp_path / "out")
    assert names_in(tmp_path / "out") == ["P2_CT_median.nrrd"]


def test_overwrite_replaces_the_outputs_and_nothing_else(tmp_path, two):
    (tmp_path / "out").mkdir()
    for name in ("P2_CT_median.nrrd", "notes.txt"):
        (tmp_path / "out" / name).write_text("mine")
    run(two, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert voxels(tmp_path / "out" / "P2_CT_median.nrrd").any()


@pytest.mark.parametrize("failing", ["labels", "lungs", "median", "overlay"])
def test_a_full_disk_leaves_nothing_of_the_scan_and_the_next_one_is_done(tmp_path, two, monkeypatch, failing):
    for name in ("write_labels", "write_png"):
        real = getattr(scan_files, name)

        def write(path, *rest, real=real):
            if path.name.startswith(f"P1_CT_{failing}"):
                path.write_bytes(b"half")
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(path, *rest)

        monkeypatch.setattr(scan_files, name, write)
    result = run(two, tmp_path / "out")
    assert "No space left on device" in result.failures[0].error
    assert [row["case"] for row in result.rows] == ["P2_CT"]
    assert not any(name.startswith(("P1", ".")) for name in names_in(tmp_path / "out"))


def test_a_full_disk_at_the_tables_is_a_failure_too(tmp_path, monkeypatch):
    path = write_chest(tmp_path / "a.nrrd")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fastgmm.cohort._run.write_text", full)
    result = run([path], tmp_path / "out")
    assert result.failures[0].error.startswith(str(tmp_path / "out" / "measures.csv"))
    assert "measures.csv" not in names_in(tmp_path / "out")


def test_an_interrupted_run_leaves_whole_scans_only(tmp_path, two):
    def interrupt(event):
        if event.kind == "stage" and event.case.index == 2 and event.text == "median":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(two, tmp_path / "out", on_event=interrupt)
    assert names_in(tmp_path / "out") == sorted(["P1_CT_overlay.png", *(f"P1_CT_{kind}.nrrd" for kind in KINDS)])


def test_a_fit_over_scans_is_the_fit_on_their_concatenation(tmp_path, two):
    parts = [
        collect_histogram(volume, segment_lungs(volume, SPACING_MM, SMALL).mask, SMALL)
        for volume in (chest(seed) for seed in (1, 2))
    ]
    with pytest.warns(UserWarning, match="fitted on 2 scans"):
        expected = fit_tissue_model(parts, SMALL, allow_unordered=True)
    result = run(two, tmp_path / "out", fit=True, allow_unordered=True)
    assert result.model == expected
    assert TissueModel.from_json(tmp_path / "out" / "model.json", allow_unordered=True) == expected
    assert "fitted on 2 scans" in result.warnings[0]
    labels = label_tissue(chest(2), segment_lungs(chest(2), SPACING_MM, SMALL).mask, expected)
    np.testing.assert_array_equal(voxels(tmp_path / "out" / "P2_CT_labels.nrrd"), labels)
    fitted = fit_cohort(two, settings=SMALL, allow_unordered=True)
    assert (fitted.model, fitted.cases) == (expected, ["P1_CT", "P2_CT"])
    assert fitted.n_voxels == sum(part.n for part in parts)


def test_the_masks_of_a_fit_are_not_made_twice(tmp_path, two, monkeypatch):
    calls = []
    real = scan_files.segment_lungs
    monkeypatch.setattr(scan_files, "segment_lungs", lambda *args, **kw: calls.append(1) or real(*args, **kw))
    run(two, tmp_path / "out", fit=True, allow_unordered=True)
    assert len(calls) == 2


def test_one_scan_is_read_once_for_its_fit(tmp_path, monkeypatch):
    path, calls = write_chest(tmp_path / "a.nrrd"), []
    monkeypatch.setattr(
        "fastgmm.cohort._options.read_scan", lambda *args, **kw: calls.append(1) or read_scan(*args, **kw)
    )
    run([path], tmp_path / "out", fit=True, allow_unordered=True)
    assert len(calls) == 1


def test_a_bad_scan_is_left_out_of_the_fit(tmp_path, two):
    alone = fit_cohort(two[:1], settings=SMALL, allow_unordered=True)
    result = run([tmp_path / "missing.nrrd", two[0]], tmp_path / "out", fit=True, allow_unordered=True)
    assert result.model == alone.model
    assert [failure.case for failure in result.failures] == ["missing"]
    assert fit_cohort([tmp_path / "missing.nrrd"], settings=SMALL).model is None


def test_a_fit_that_cannot_be_named_ends_the_run_before_labels(tmp_path, monkeypatch):
    path = write_chest(tmp_path / "a.nrrd")

    def refuse(self):
        raise TissueModelError("no names")

    monkeypatch.setattr(TissueModel, "guard", refuse)
    with pytest.raises(TissueModelError):
        run([path], tmp_path / "out", fit=True)
    assert names_in(tmp_path) == ["a.nrrd"]


def test_a_model_given_is_the_one_used(tmp_path):
    path = write_chest(tmp_path / "a.nrrd")
    model = dataclasses.replace(TissueModel.published(), means=(-900.0, -700.0, -500.0, -300.0, 0.0), source="mine")
    result = run([path], tmp_path / "out", model=model)
    assert result.model == model
    mask = segment_lungs(chest(), SPACING_MM, SMALL).mask
    np.testing.assert_array_equal(voxels(tmp_path / "out" / "a_labels.nrrd"), label_tissue(chest(), mask, model))
    with pytest.raises(ValueError, match="model must be None with fit=True"):
        run([path], tmp_path / "out", model=model, fit=True)


def test_label_writes_volumes_only(tmp_path, two):
    result = label_cohort(two, tmp_path / "out", settings=SMALL)
    run(two, tmp_path / "whole")
    assert names_in(tmp_path / "out") == sorted(f"P{k}_CT_{kind}.nrrd" for k in (1, 2) for kind in KINDS)
    assert result.rows == []
    for name in names_in(tmp_path / "out"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_events_tell_every_scan_in_order(tmp_path, two):
    events = []
    run([two[0], tmp_path / "missing.nrrd", two[1]], tmp_path / "out", on_event=events.append)
    told = [(event.kind, event.case.name) for event in events if event.kind != "stage"]
    assert told == [("done", "P1_CT"), ("failed", "missing"), ("done", "P2_CT")]
    steps = [event.text for event in events if event.kind == "stage" and event.case.name == "P1_CT"]
    assert steps == ["reading", "lungs", "labels", "median", "writing"]


def test_wrong_options_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="li_formula must be one of default, sum, got 'x'"):
        run(["a.nrrd"], tmp_path / "out", li_formula="x")
    with pytest.raises(ValueError, match="backend must be one of"):
        run(["a.nrrd"], tmp_path / "out", backend="x")
    assert names_in(tmp_path) == []


def test_a_fit_tells_what_it_noticed_about_its_scans(tmp_path):
    from fastgmm.io import Scan, write_scan

    thick = Scan(path=tmp_path / "thick.nrrd", volume=chest(), spacing_mm=(5.0, 0.8, 0.7))
    write_scan(thick.path, thick)
    events = []
    result = fit_cohort([thick.path], settings=SMALL, allow_unordered=True, on_event=events.append)
    assert result.warnings[0].startswith("thick: slice_spacing: slices are 5 mm apart")
    assert "fitted on 1 scans" in result.warnings[1]
    assert [event.kind for event in events if event.kind != "stage"] == ["warning", "counted", "warning"]
