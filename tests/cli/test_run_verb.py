import json
import os
import re
import sys

import numpy as np
import pytest
from cohort.chests import SMALL, write_chest

from fastgmm.lung import MEASURE_COLUMNS, TissueModel


@pytest.fixture
def chest_file(tmp_path):
    return write_chest(tmp_path / "a.nrrd")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_first_line_says_who_computes(fastgmm, chest_file, tmp_path):
    ended = fastgmm("run", chest_file, "-o", tmp_path / "out", "--backend", "reference", "--jobs", "2")
    assert (
        ended.err.splitlines()[0]
        == "fastgmm: backend reference, SIMD none, 2 threads, preset published, model published"
    )


def test_a_run_prints_one_table_on_standard_output(fastgmm, chest_file, tmp_path):
    ended = fastgmm("run", chest_file, tmp_path / "missing.nrrd", "-o", tmp_path / "out")
    assert ended.code == 1
    heading, rule, row, failed, formula = ended.out.splitlines()
    assert heading.split()[:2] == ["case", "lungs"]
    assert set(rule) == {"-", " "}
    assert row.split()[0] == "a"
    assert failed.split() == ["missing", "failed"]
    assert formula == "involvement = (ggo+consolidation)/(100-other)*100"


def test_plain_progress_has_a_line_per_scan_and_error(fastgmm, chest_file, tmp_path):
    ended = fastgmm("run", chest_file, tmp_path / "missing.nrrd", "-o", tmp_path / "out")
    lines = ended.err.splitlines()
    assert re.fullmatch(r"\[1/2\] a: done in \d+\.\d\d s, lungs 8 ml", lines[1])
    assert lines[2:] == [
        f"error: {tmp_path}/missing.nrrd: expected a scan file or a DICOM folder, got nothing there; check the path"
    ]


def test_json_is_exactly_one_document(fastgmm, chest_file, tmp_path):
    ended = fastgmm("run", chest_file, tmp_path / "missing.nrrd", "-o", tmp_path / "out", "--json")
    document = json.loads(ended.out)
    assert ended.code == 1
    assert tuple(document["scans"][0]["measures"]) == MEASURE_COLUMNS
    assert document["scans"][0]["measures"]["kernel"] is None
    assert [failure["case"] for failure in document["failures"]] == ["missing"]
    assert document["scans"][0]["path"] == str(chest_file)
    assert document["model"]["schema"] == "fastgmm.tissue_model"
    files = [*document["scans"][0]["outputs"], *document["outputs"]]
    assert sorted(files) == [str(path) for path in sorted((tmp_path / "out").iterdir())]


def test_names_are_shown_before_the_run_where_stems_repeat(fastgmm, tmp_path):
    scans = [write_chest(tmp_path / f"P{k}" / "CT.nrrd", seed=k) for k in (1, 2)]
    lines = fastgmm("run", *scans, "-o", tmp_path / "out").err.splitlines()
    assert lines[1:3] == [f"case P{k}_CT  {scan}" for k, scan in zip((1, 2), scans, strict=True)]
    assert lines[3].startswith("[1/2] P1_CT: ")


@pytest.mark.parametrize("option", ["--no-preview", "--overwrite"])
def test_options_reach_the_run(fastgmm, chest_file, tmp_path, option):
    (tmp_path / "out").mkdir()
    existing = tmp_path / "out" / ("a_overlay.png" if option == "--no-preview" else "a_labels.nrrd")
    existing.write_text("mine")
    assert fastgmm("run", chest_file, "-o", tmp_path / "out", option).code == 0
    assert (existing.read_bytes() == b"mine") == (option == "--no-preview")


def test_the_formula_of_involvement_can_be_chosen(fastgmm, chest_file, tmp_path):
    ended = fastgmm("run", chest_file, "-o", tmp_path / "out", "--li-formula", "sum", "--json")
    measures = json.loads(ended.out)["scans"][0]["measures"]
    assert measures["li_formula"] == "ggo+consolidation"
    expected = measures["ggo_percent"] + measures["consolidation_percent"]
    assert measures["lung_involvement_percent"] == pytest.approx(expected)


def test_spacing_out_of_range_warns(fastgmm, tmp_path, chest_file):
    from fastgmm.io import Scan, read_scan, write_scan

    thick = Scan(path=tmp_path / "thick.nrrd", volume=read_scan(chest_file).volume, spacing_mm=(5.0, 0.8, 0.7))
    write_scan(thick.path, thick)
    ended = fastgmm("run", thick.path, "-o", tmp_path / "out")
    assert ended.code == 0
    assert "[1/1] thick: warning: slice_spacing: slices are 5 mm apart" in ended.err
    assert "0.3-1 mm" in ended.err
    assert "warning" not in fastgmm("run", chest_file, "-o", tmp_path / "out2").err


def test_fit_writes_a_model_that_run_and_label_take(fastgmm, chest_file, tmp_path):
    model = tmp_path / "m" / "model.json"
    ended = fastgmm("fit", chest_file, "-o", model, "--allow-unordered")
    assert ended.code == 0
    assert "warning: the model is fitted on 1 scans" in ended.err
    assert ended.out.splitlines()[0].split()[0] == "class"
    one = fastgmm("run", chest_file, "-o", tmp_path / "one", "--model", model, "--allow-unordered", "--json")
    two = fastgmm("run", chest_file, "-o", tmp_path / "two", "--fit", "--allow-unordered", "--json")
    assert json.loads(one.out)["scans"][0]["measures"] == json.loads(two.out)["scans"][0]["measures"]
    assert fastgmm("label", chest_file, "-o", tmp_path / "three", "--model", model, "--allow-unordered").code == 0
    labels = [(tmp_path / name / "a_labels.nrrd").read_bytes() for name in ("one", "two", "three")]
    assert labels[0] == labels[1] == labels[2]
    assert names_in(tmp_path / "three") == ["a_labels.nrrd", "a_lungs.nrrd", "a_median.nrrd"]


def test_tol_reaches_the_fit(fastgmm, chest_file, tmp_path):
    documents = [
        json.loads(
            fastgmm("fit", chest_file, "-o", tmp_path / f"{tol}.json", "--tol", tol, "--allow-unordered", "--json").out
        )
        for tol in ("1e-2", "1e-6")
    ]
    loose, tight = (document["model"]["mean_log_likelihood"] for document in documents)
    assert tight > loose


def test_a_model_that_cannot_be_named_is_one_line_and_code_1(fastgmm, tmp_path):
    path = write_chest(tmp_path / "a.nrrd", volume=spikes())
    ended = fastgmm("run", path, "-o", tmp_path / "out", "--fit")
    assert ended.code == 1
    (error,) = ended.errors
    assert "cannot be given tissue names" in error
    assert "--model published" in error
    assert "--allow-unordered" in error
    assert names_in(tmp_path) == ["a.nrrd"]


def spikes():
    """Lungs of six HU only, so that every component is a spike."""
    from cohort.chests import chest

    volume = chest()
    return np.where(volume < SMALL.air_below_hu, -900 + 20 * (volume % 6), volume).astype(np.int16)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"schema": "other", "schema_version": 1}', "expected schema 'fastgmm.tissue_model' version 1, got 'other'"),
        (
            '{"schema": "fastgmm.tissue_model", "schema_version": 99}',
            "version 1, got 'fastgmm.tissue_model' version 99",
        ),
        ("[]", "expected schema"),
        ("no json", "expected a tissue model in JSON"),
        (None, "expected a tissue model file, got No such file or directory; make one with fastgmm fit"),
    ],
)
def test_an_unknown_model_is_refused_before_any_scan_is_read(fastgmm, chest_file, tmp_path, text, expected):
    model = tmp_path / "model.json"
    if text is not None:
        model.write_text(text)
    for verb in ("run", "label"):
        ended = fastgmm(verb, chest_file, "-o", tmp_path / "out", "--model", model)
        assert ended.code in (1, 2)
        assert ended.err.splitlines()[-1].startswith(f"error: {model}: ")
        assert expected in ended.errors[0]
    assert not (tmp_path / "out").exists()


def test_published_is_a_model_by_name(fastgmm, chest_file, tmp_path):
    assert fastgmm("run", chest_file, "-o", tmp_path / "out", "--model", "published").code == 0
    assert TissueModel.from_json(tmp_path / "out" / "model.json") == TissueModel.published()


def test_the_model_that_is_read_is_not_overwritten(fastgmm, chest_file, tmp_path):
    fastgmm("run", chest_file, "-o", tmp_path / "out")
    model = tmp_path / "out" / "model.json"
    before = model.read_bytes()
    ended = fastgmm("run", chest_file, "-o", tmp_path / "out", "--model", model, "--overwrite")
    assert (ended.code, model.read_bytes()) == (2, before)
    assert "an input is never written to" in ended.errors[0]


def test_pictures_without_pillow_are_refused_with_the_way_out(fastgmm, chest_file, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ended = fastgmm("run", chest_file, "-o", tmp_path / "out")
    assert ended.code == 2
    assert ended.errors == ["pictures need Pillow: pip install 'fastgmm[ct]', or go without them by --no-preview"]
    assert fastgmm("run", chest_file, "-o", tmp_path / "out", "--no-preview").code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
@pytest.mark.parametrize("how", ["--overwrite", "--json"])
def test_a_file_name_that_is_no_text_does_not_stop_a_run(fastgmm, tmp_path, how):
    path = write_chest(tmp_path / os.fsdecode(b"bad\xff\xe4.nrrd"))
    ended = fastgmm("run", path, "-o", tmp_path / "out", how)
    assert ended.code == 0
    assert "bad\\udcff" in ended.out
    assert b"\nbad\\udcff\\udce4," in (tmp_path / "out" / "measures.csv").read_bytes()
