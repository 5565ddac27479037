import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgmm.cohort import case_stem, name_cases


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("a/ct.nrrd", "ct"),
        ("a/ct.nii.gz", "ct"),
        ("a/CT.NII.GZ", "CT"),
        ("a/scan.v2.nrrd", "scan.v2"),
        ("a/ct.mha", "ct"),
        ("a/series.7", "series.7"),
        ("a/.nrrd", ".nrrd"),
    ],
)
def test_stem_is_the_name_without_the_extension_of_its_format(path, stem):
    assert case_stem(path) == stem


def test_stem_of_a_folder_is_its_whole_name(tmp_path, monkeypatch):
    (tmp_path / "series.nrrd").mkdir()
    assert case_stem(tmp_path / "series.nrrd") == "series.nrrd"
    monkeypatch.chdir(tmp_path / "series.nrrd")
    assert case_stem(".") == "series.nrrd"


def test_unique_stems_are_the_names():
    assert name_cases(["a/x.nrrd", "b/y.nii.gz"]) == ["x", "y"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["d/P1/CT.nrrd", "d/P2/CT.nrrd"], ["P1_CT", "P2_CT"]),
        (["d/P1/scan/CT.nrrd", "d/P2/scan/CT.nrrd"], ["P1_CT", "P2_CT"]),
        (["A/x/CT.nrrd", "B/x/CT.nrrd", "B/y/CT.nrrd"], ["A_x_CT", "B_x_CT", "B_y_CT"]),
        (["d/P1/CT.nrrd", "d/P2/CT.nii.gz", "d/other.nrrd"], ["P1_CT", "P2_CT", "other"]),
        (["d/P1/CT.nrrd", "d/P2/ct.nrrd"], ["P1_CT", "P2_ct"]),
        (["d/CT.nrrd", "d/CT.nii.gz"], ["CT.nrrd", "CT.nii.gz"]),
        (["q/a/CT.nrrd", "p/b/CT.nrrd", "q/a_CT.nrrd"], ["q_CT", "p_CT", "a_CT"]),
    ],
)
def test_repeated_stems_get_the_fewest_parents_that_tell_them_apart(paths, names):
    assert name_cases([Path("/data", path) for path in paths]) == names


def test_relative_paths_are_told_apart_by_folders_above_the_working_one(tmp_path, monkeypatch):
    (tmp_path / "P1").mkdir()
    monkeypatch.chdir(tmp_path / "P1")
    assert name_cases(["CT.nrrd", "../P2/CT.nrrd"]) == ["P1_CT", "P2_CT"]


@given(
    st.lists(st.lists(st.sampled_from("ab"), min_size=0, max_size=5).map(tuple), min_size=1, max_size=12, unique=True)
)
def test_names_are_always_different_and_end_in_the_stem(folders):
    names = name_cases([Path("/root", *folder, "CT.nrrd") for folder in folders])
    assert len({name.casefold() for name in names}) == len(folders)
    assert all(name == "CT" or name.endswith("_CT") for name in names)


def test_scans_that_nothing_tells_apart_are_refused():
    paths = ["/x/CT.nrrd", "/y/CT.nrrd", "/z/x_CT.nrrd", "/z/x_CT.nrrd.nrrd"]
    with pytest.raises(ValueError, match=r"no folder name tells these scans apart: /x/CT.nrrd, /y/CT.nrrd; rename"):
        name_cases(paths)


@pytest.mark.parametrize("again", ["ct.nrrd", "./ct.nrrd", "other/../ct.nrrd", "link.nrrd"])
def test_the_same_file_twice_is_refused(tmp_path, monkeypatch, again):
    monkeypatch.chdir(tmp_path)
    Path("ct.nrrd").touch()
    os.symlink("ct.nrrd", "link.nrrd")
    with pytest.raises(ValueError, match=r"expected every scan once, got it twice.*; give it once"):
        name_cases(["ct.nrrd", again])
