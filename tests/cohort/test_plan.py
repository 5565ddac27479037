import os
from pathlib import Path

import pytest

from fastgmm.cohort._output_folder import OutputFolder
from fastgmm.cohort._plan import check_output_file, check_outputs, plan_cases
from fastgmm.errors import ScanError

KINDS = ("labels", "median")


def test_no_scan_is_refused():
    with pytest.raises(ValueError, match="at least one scan, got none"):
        plan_cases([])


def test_one_path_instead_of_a_list_is_refused():
    with pytest.raises(TypeError, match=r"paths must be a sequence of paths, got 'ct\.nrrd'; put it in a list"):
        plan_cases("ct.nrrd")


def test_cases_know_their_place():
    assert [(case.name, case.index, case.total) for case in plan_cases(["a.nrrd", "b.nrrd"])] == [
        ("a", 1, 2),
        ("b", 2, 2),
    ]


@pytest.mark.parametrize("name", ["ct_labels.nrrd", "ct_median.nii.gz", "CT_LABELS.mha", "measures.csv"])
def test_an_existing_output_is_refused_without_overwrite(tmp_path, name):
    (tmp_path / name).touch()
    cases = plan_cases(["/data/ct.nrrd"])
    with pytest.raises(FileExistsError, match=rf"got {name}; replace them with --overwrite or choose another -o"):
        check_outputs(tmp_path, cases, kinds=KINDS, files=["measures.csv"])
    check_outputs(tmp_path, cases, kinds=KINDS, files=["measures.csv"], overwrite=True)


@pytest.mark.parametrize("name", ["ct.nrrd", "ct_labels_old.nrrd", "other_labels.nrrd", "ct_lungs.nrrd"])
def test_other_files_in_the_output_folder_are_no_obstacle(tmp_path, name):
    (tmp_path / name).touch()
    check_outputs(tmp_path, plan_cases(["/data/ct.nrrd"]), kinds=KINDS)


def test_many_obstacles_are_counted(tmp_path):
    for k in range(6):
        (tmp_path / f"c{k}_labels.nrrd").touch()
    with pytest.raises(FileExistsError, match=r"got c0_labels.nrrd, c1_labels.nrrd, c2_labels.nrrd and 3 more; "):
        check_outputs(tmp_path, plan_cases([f"/data/c{k}.nrrd" for k in range(6)]), kinds=KINDS)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_with_the_name_of_an_output_is_refused(tmp_path, overwrite):
    for name in ("ct.nrrd", "ct_labels.nrrd"):
        (tmp_path / name).touch()
    cases = plan_cases([tmp_path / "ct.nrrd", tmp_path / "ct_labels.nrrd"])
    with pytest.raises(ValueError, match=r"ct_labels.nrrd: an input is never written to"):
        check_outputs(tmp_path, cases, kinds=KINDS, overwrite=overwrite)


def test_the_model_is_an_input_too(tmp_path):
    (tmp_path / "model.json").touch()
    with pytest.raises(ValueError, match=r"model.json: an input is never written to"):
        check_outputs(
            tmp_path,
            plan_cases(["ct.nrrd"]),
            kinds=KINDS,
            files=["model.json"],
            inputs=[tmp_path / "model.json"],
            overwrite=True,
        )


def test_an_input_reached_through_a_link_is_still_an_input(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_labels.nrrd").touch()
    os.symlink(tmp_path / "out" / "a_labels.nrrd", tmp_path / "a.nrrd")
    with pytest.raises(ValueError, match="an input is never written to"):
        check_outputs(tmp_path / "out", plan_cases([tmp_path / "a.nrrd"]), kinds=KINDS, overwrite=True)


def test_a_folder_that_is_read_is_not_written_to(tmp_path):
    with pytest.raises(ValueError, match="an input is never written to, but this is the output folder"):
        check_outputs(tmp_path, plan_cases([tmp_path]), kinds=KINDS, overwrite=True)


def test_one_output_file_is_checked_alike(tmp_path):
    scan, model = tmp_path / "ct.nrrd", tmp_path / "model.json"
    for path in (scan, model):
        path.touch()
    with pytest.raises(ValueError, match=r"ct\.nrrd: an input is never written to"):
        check_output_file(scan, [scan], overwrite=True)
    with pytest.raises(ValueError, match="an input is never written to, and this is one or lies in one"):
        check_output_file(tmp_path / "new.json", [tmp_path], overwrite=True)
    with pytest.raises(FileExistsError, match=r"model.json: exists already; replace it with --overwrite"):
        check_output_file(model, [scan], overwrite=False)
    with pytest.raises(IsADirectoryError, match="expected a file to write, got a folder"):
        check_output_file(tmp_path, [Path("/data/ct.nrrd")], overwrite=True)
    check_output_file(model, [scan], overwrite=True)


def test_files_appear_under_their_names_only_when_published(tmp_path):
    out = tmp_path / "new" / "out"
    with OutputFolder(out) as folder:
        staged = folder.staging / "a.txt"
        staged.write_text("a")
        assert folder.staging.parent == out
        assert list(out.glob("*.txt")) == []
        assert folder.publish([staged]) == [out / "a.txt"]
    assert [path.name for path in out.iterdir()] == ["a.txt"]


def interrupted(out):
    with OutputFolder(out) as folder:
        (folder.staging / "half").write_text("h")
        raise KeyboardInterrupt


def test_nothing_stays_of_a_run_that_wrote_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "new" / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_existed_stays(tmp_path):
    with OutputFolder(tmp_path / "out"), OutputFolder(tmp_path / "out"):
        pass
    (tmp_path / "kept").mkdir()
    with OutputFolder(tmp_path / "kept"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_folder_that_cannot_be_written_to_is_an_error_with_a_way_out(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ScanError, match=r"out: expected a folder that can be written to, got Not a directory; choose"):
        OutputFolder(tmp_path / "file" / "out").__enter__()
    with pytest.raises(ScanError, match=r"file: expected a folder that can be written to, got Not a directory; choose"):
        OutputFolder(tmp_path / "file").__enter__()
