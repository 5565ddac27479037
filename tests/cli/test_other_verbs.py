import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from cohort.chests import SPACING_MM, chest, write_chest

from fastgmm.cli import info


@pytest.fixture
def chest_file(tmp_path):
    return write_chest(tmp_path / "a.nrrd")


@pytest.fixture
def labels(fastgmm, chest_file, tmp_path):
    """Return the folder of a run on the chest."""
    assert fastgmm("run", chest_file, "-o", tmp_path / "out", "--no-preview").code == 0
    return tmp_path / "out"


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_measure_writes_the_table_of_the_run(fastgmm, chest_file, labels, tmp_path):
    again = tmp_path / "again.csv"
    ended = fastgmm("measure", chest_file, "--labels", labels, "-o", again)
    assert ended.code == 0
    assert again.read_bytes() == (labels / "measures.csv").read_bytes()
    assert ended.out.splitlines()[2].split()[0] == "a"
    ended = fastgmm("measure", chest_file, "--labels", labels, "-o", again)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert fastgmm("measure", chest_file, "--labels", labels, "-o", again, "--overwrite").code == 0


def test_measure_writes_beside_the_labels_but_not_over_them(fastgmm, chest_file, labels):
    assert fastgmm("measure", chest_file, "--labels", labels, "-o", labels / "more.csv").code == 0
    file = labels / "a_labels.nrrd"
    ended = fastgmm("measure", chest_file, "--labels", file, "-o", file, "--overwrite")
    assert ended.code == 2
    assert "an input is never written to" in ended.errors[0]


def test_measure_prints_one_document_with_json(fastgmm, chest_file, labels):
    ended = fastgmm("measure", chest_file, "--lungs", labels, "--json")
    (scan,) = json.loads(ended.out)["scans"]
    (row,) = rows_of(labels / "measures.csv")
    assert float(row["ggo_percent"]) == scan["measures"]["ggo_percent"]


def test_measure_says_which_labels_are_missing(fastgmm, chest_file, tmp_path):
    (tmp_path / "empty").mkdir()
    ended = fastgmm("measure", chest_file, "--labels", tmp_path / "empty", "-o", tmp_path / "m.csv")
    assert ended.code == 1
    assert str(tmp_path / "empty" / "a_labels.nrrd") in ended.errors[0]
    assert not (tmp_path / "m.csv").exists()


@pytest.mark.parametrize("name", ["c.nrrd", "c.nii.gz", "new/c.mha"])
def test_convert_keeps_voxels_and_geometry(fastgmm, chest_file, tmp_path, name):
    ended = fastgmm("convert", chest_file, "-o", tmp_path / name)
    assert (ended.code, ended.out) == (0, f"{tmp_path / name}: 76 x 60 x 24 voxels (x, y, z)\n")
    image = sitk.ReadImage(str(tmp_path / name))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), chest())
    np.testing.assert_allclose(image.GetSpacing()[::-1], SPACING_MM, rtol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), (-10.5, 3.25, 7.0), rtol=1e-6)


def test_convert_turns_a_dicom_folder_into_one_file(fastgmm, tmp_path, test_data):
    ended = fastgmm("convert", test_data / "dicom_cip64", "-o", tmp_path / "ct.nrrd", "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["shape"]) == (0, [79, 64, 64])
    expected = sitk.ReadImage(str(test_data / "cip64_ct.nrrd"))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "ct.nrrd"))), sitk.GetArrayFromImage(expected)
    )
    header = (tmp_path / "ct.nrrd").read_bytes().split(b"\n\n")[0]
    assert b":=" not in header


def test_convert_never_writes_to_its_input(fastgmm, chest_file, tmp_path):
    before = chest_file.read_bytes()
    ended = fastgmm("convert", chest_file, "-o", chest_file, "--overwrite")
    assert (ended.code, chest_file.read_bytes()) == (2, before)
    ended = fastgmm("convert", chest_file, "-o", tmp_path / "c.xyz")
    assert ended.code in (1, 2)
    assert "c.xyz: expected a name that ends in .nrrd" in ended.errors[0]
    (tmp_path / "there.nrrd").write_text("mine")
    ended = fastgmm("convert", chest_file, "-o", tmp_path / "there.nrrd")
    assert ended.code == 2
    assert (tmp_path / "there.nrrd").read_text() == "mine"


def test_convert_of_a_bad_scan_is_one_line_and_code_1(fastgmm, tmp_path):
    ended = fastgmm("convert", tmp_path / "missing", "-o", tmp_path / "c.nrrd")
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert list(tmp_path.iterdir()) == []


def test_info_of_a_scan_shows_geometry_and_range(fastgmm, chest_file):
    volume = chest()
    text = fastgmm("info", chest_file).out
    assert "24, 60, 76 voxels (z, y, x)" in text
    assert "1, 0.8, 0.7 mm (z, y, x)" in text
    assert f"{volume.min()}..{volume.max()}" in text
    assert "default     opening 2 x 3 x 3, airway wall 2 x 3 x 3, closing 20 x 25 x 29, median 3 x 3 x 5" in text
    (scan,) = json.loads(fastgmm("info", chest_file, "--json").out)["scans"]
    assert scan["origin_lps_mm"] == [-10.5, 3.25, 7.0]
    assert (scan["hu_min"], scan["hu_max"]) == (volume.min(), volume.max())


def test_info_shows_what_is_no_hu_and_goes_on_after_errors(fastgmm, tmp_path, chest_file):
    sitk.WriteImage(sitk.GetImageFromArray((chest() > 0).astype(np.uint8)), str(tmp_path / "mask.nrrd"))
    ended = fastgmm("info", tmp_path / "missing.nrrd", tmp_path / "mask.nrrd", chest_file)
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert "HU          0..1" in ended.out
    assert ended.out.count("format ") == 2
    document = json.loads(fastgmm("info", tmp_path / "missing.nrrd", chest_file, "--json").out)
    assert len(document["scans"]) == len(document["failures"]) == 1


def test_info_of_a_dicom_folder_shows_what_its_files_say(fastgmm, test_data):
    ended = fastgmm("info", test_data / "dicom_cip64")
    assert ended.code == 0
    assert "format      dicom" in ended.out
    assert "79, 64, 64 voxels (z, y, x)" in ended.out
    assert "-1007..1095" in ended.out


def test_label_and_fit_speak_json_too(fastgmm, chest_file, tmp_path):
    document = json.loads(fastgmm("label", chest_file, "-o", tmp_path / "l", "--json").out)
    assert [len(scan["outputs"]) for scan in document["scans"]] == [3]
    assert document["scans"][0]["measures"] is None
    ended = fastgmm(
        "fit", chest_file, tmp_path / "missing.nrrd", "-o", tmp_path / "m.json", "--allow-unordered", "--json"
    )
    document = json.loads(ended.out)
    assert (ended.code, document["cases"], len(document["failures"])) == (1, ["a"], 1)
    assert json.loads((tmp_path / "m.json").read_text()) == document["model"]


def test_a_fit_without_a_usable_scan_writes_nothing(fastgmm, tmp_path):
    ended = fastgmm("fit", tmp_path / "missing.nrrd", "-o", tmp_path / "new" / "m.json")
    assert (ended.code, ended.out) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_label_prints_the_files_and_what_failed(fastgmm, chest_file, tmp_path):
    ended = fastgmm("label", chest_file, tmp_path / "missing.nrrd", "-o", tmp_path / "l")
    lines = ended.out.splitlines()
    assert lines[2].split(maxsplit=1) == ["a", "a_lungs.nrrd, a_labels.nrrd, a_median.nrrd"]
    assert lines[3].split() == ["missing", "failed"]


@pytest.mark.parametrize("wheel", ["cupy", "cupy-cuda12x", "cupy-cuda13x"])
def test_info_knows_cupy_by_any_of_its_names(fastgmm, monkeypatch, wheel):
    real = info.metadata.version
    monkeypatch.setattr(info.metadata, "version", lambda name: "14.2.0" if name == wheel else real(name))
    assert json.loads(fastgmm("info", "--json").out)["packages"]["cupy"] == "14.2.0"
