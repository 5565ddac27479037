import json
import re

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from fastgmm.cli import main
from fastgmm.lung.phantom import thorax_phantom

SMALL = ("--shape", "60", "96", "96")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_demo_keeps_scan_labels_and_picture_where_told(fastgmm, tmp_path):
    ended = fastgmm("demo", *SMALL, "--seed", 3, "-o", tmp_path / "demo")
    assert ended.code == 0
    case = "thorax_seed3"
    kinds = ("_labels.nrrd", "_lungs.nrrd", "_median.nrrd", "_overlay.png", ".nrrd")
    assert names_in(tmp_path / "demo") == sorted([*(f"{case}{kind}" for kind in kinds), "measures.csv", "model.json"])
    volume = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "demo" / f"{case}.nrrd")))
    np.testing.assert_array_equal(volume, thorax_phantom((60, 96, 96), seed=3).volume)


def test_demo_prints_the_dice_of_what_it_wrote(fastgmm, tmp_path):
    ended = fastgmm("demo", *SMALL, "-o", tmp_path / "demo", "--json", "--no-preview")
    dice = json.loads(ended.out)["dice"]
    truth = thorax_phantom((60, 96, 96), seed=0).truth
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "demo" / "thorax_seed0_labels.nrrd")))

    def expected(found, true):
        return 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))

    assert dice["lungs"] == pytest.approx(expected(labels > 0, truth.lungs > 0))
    assert dice["lungs_and_airways"] == pytest.approx(expected(labels > 0, (truth.lungs > 0) | truth.airways))
    for number, name in enumerate(("air", "healthy", "ggo", "consolidation", "other"), start=1):
        assert dice[name] == pytest.approx(expected(labels == number, truth.tissue == number))


def test_demo_without_a_folder_leaves_nothing_and_says_how_to_keep(fastgmm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = fastgmm("demo", *SMALL)
    assert ended.code == 0
    assert "fastgmm demo -o DIR keeps" in ended.err
    heading = ended.out.splitlines().index("agreement with the truth      Dice")
    rows = ended.out.splitlines()[heading + 2 :]
    assert len(rows) == 7
    assert all(re.fullmatch(r".+ (\d\.\d{3}|-)", row) for row in rows)
    assert names_in(tmp_path) == []


def test_demo_does_not_overwrite_without_leave(fastgmm, tmp_path):
    assert fastgmm("demo", *SMALL, "-o", tmp_path).code == 0
    ended = fastgmm("demo", *SMALL, "-o", tmp_path)
    assert ended.code == 2
    assert "--overwrite" in ended.errors[0]
    assert fastgmm("demo", *SMALL, "-o", tmp_path, "--overwrite").code == 0


@pytest.mark.parametrize("shape", ["0", "x"])
def test_demo_refuses_a_shape_that_is_none(fastgmm, tmp_path, shape):
    ended = fastgmm("demo", "--shape", shape, "96", "96", "-o", tmp_path)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert names_in(tmp_path) == []


def test_a_demo_without_lungs_fails_in_one_line(fastgmm, tmp_path):
    ended = fastgmm("demo", "--shape", "4", "30", "30", "-o", tmp_path, "--json")
    assert (ended.code, len(ended.errors)) == (1, 1)
    assert json.loads(ended.out)["dice"] == {}


@pytest.mark.slow
def test_the_demo_as_it_comes_finds_the_lungs(capsys):
    assert main(["demo", "--json", "--no-preview"]) == 0
    dice = json.loads(capsys.readouterr().out)["dice"]
    assert dice["lungs_and_airways"] >= 0.97
    assert dice["lungs"] >= 0.96
