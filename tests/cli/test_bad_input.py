"""Bad input: one line with the file, what was expected, what came and the way out; nothing half-written."""

import gzip
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from cohort.chests import chest, write_chest

SHAPE = (24, 60, 76)
HEADER = (
    "NRRD0004\ntype: {type}\ndimension: {dimension}\nsizes: {sizes}\nencoding: {encoding}\nendian: little\n{more}\n"
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def write_array(path, array, **image):
    sitk.WriteImage(sitk.GetImageFromArray(array, **image), str(path))


def write_nrrd(path, data, *, dtype="short", sizes="76 60 24", encoding="raw", more=""):
    text = HEADER.format(type=dtype, dimension=len(sizes.split()), sizes=sizes, encoding=encoding, more=more)
    path.write_bytes(text.encode() + data)


def no_dicom(path):
    path.mkdir()
    (path / "notes.txt").write_text("nothing here")


def nan(path):
    volume = chest().astype(np.float32)
    volume[3, 4, 5] = np.nan
    write_array(path, volume)


def abdomen():
    """Tissue with air around it and a bubble inside."""
    volume = np.full(SHAPE, 40, np.int16)
    volume[:, :10] = -1000
    volume[5:16, 30:45, 30:45] = -900
    return volume


BAD_SCANS = {
    "missing file": ("a.nrrd", lambda path: None, "nothing there"),
    "folder without DICOM": ("a", no_dicom, "DICOM"),
    "text named nrrd": ("a.nrrd", lambda path: path.write_text("hello, I am text\n"), "NRRD"),
    "text named nii.gz": ("a.nii.gz", lambda path: path.write_text("hello, I am text\n"), "NIfTI"),
    "empty file": ("a.nrrd", lambda path: path.touch(), "NRRD"),
    "truncated gzip": (
        "a.nrrd",
        lambda path: write_nrrd(path, gzip.compress(chest().tobytes())[:-5000], encoding="gzip"),
        "218880",
    ),
    "header larger than the data": ("a.nrrd", lambda path: write_nrrd(path, chest().tobytes()[:-2]), "218880"),
    "two dimensions": ("a.nrrd", lambda path: write_nrrd(path, bytes(200), sizes="10 10"), "2-D"),
    "four dimensions": ("a.nrrd", lambda path: write_nrrd(path, bytes(5**4 * 2), sizes="5 5 5 5"), "4-D"),
    "four dimensions in nifti": (
        "a.nii.gz",
        lambda path: write_array(path, np.zeros((5, 5, 5, 5), np.int16), isVector=False),
        "4-D",
    ),
    "colour": (
        "a.nrrd",
        lambda path: write_array(path, np.zeros((*SHAPE, 3), np.uint8), isVector=True),
        "3 numbers per voxel",
    ),
    "complex": ("a.nii.gz", lambda path: write_array(path, np.zeros(SHAPE, np.complex64)), "complex"),
    "not a number": ("a.nrrd", nan, "nan"),
    "floats that are not whole": ("a.nrrd", lambda path: write_array(path, chest() + np.float32(0.25)), ".25;"),
    "8-bit window": (
        "a.nrrd",
        lambda path: write_array(path, ((np.clip(chest(), -1000, 200) + 1000) // 5).astype(np.uint8)),
        "--assume-hu",
    ),
    "nothing below -500": ("a.nrrd", lambda path: write_array(path, np.maximum(chest(), -400)), "--assume-hu"),
    "empty volume": ("a.nrrd", lambda path: write_nrrd(path, b"", sizes="76 60 0"), "sizes 76 60 0"),
    "one slice": ("a.nrrd", lambda path: write_array(path, chest()[10:11]), "shape (1, 60, 76)"),
    "two slices": ("a.nrrd", lambda path: write_array(path, chest()[10:12]), "shape (2, 60, 76)"),
    "no lungs": ("a.nrrd", lambda path: write_array(path, abdomen()), "touches the image border"),
    "all air": ("a.nrrd", lambda path: write_array(path, np.full(SHAPE, -1000, np.int16)), "-1000 in every voxel"),
    "all tissue": ("a.nrrd", lambda path: write_array(path, np.full(SHAPE, 40, np.int16)), "none below 40"),
}


@pytest.mark.parametrize("kind", BAD_SCANS)
def test_a_bad_scan_is_one_line_and_nothing_is_written(fastgmm, tmp_path, kind):
    name, make, words = BAD_SCANS[kind]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name
    make(path)
    ended = fastgmm("run", path, "-o", tmp_path / "out")
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 2
    (error,) = ended.errors
    assert error.startswith(f"{path}: ")
    assert words in error
    # Every text ends with the way out.
    assert re.search(r"; \w|\. Give ", error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["truncated gzip", "no lungs", "8-bit window"])
def test_a_bad_scan_among_good_ones_costs_only_itself(fastgmm, tmp_path, kind):
    name, make, _ = BAD_SCANS[kind]
    make(tmp_path / name)
    good = [write_chest(tmp_path / f"good{k}.nrrd", seed=k) for k in (1, 2)]
    ended = fastgmm("run", good[0], tmp_path / name, good[1], "-o", tmp_path / "out", "--no-preview")
    assert (ended.code, len(ended.errors)) == (1, 1)
    kinds = ("labels", "lungs", "median")
    assert names_in(tmp_path / "out") == [
        *(f"good{k}_{kind}.nrrd" for k in (1, 2) for kind in kinds),
        "measures.csv",
        "model.json",
    ]


def test_values_that_do_not_look_like_hu_can_be_taken_as_hu(fastgmm, tmp_path):
    write_array(tmp_path / "a.nrrd", np.maximum(chest(), -400))
    assert fastgmm("run", tmp_path / "a.nrrd", "-o", tmp_path / "out", "--assume-hu").code == 0


@pytest.mark.parametrize("verb", ["run", "label"])
def test_the_same_file_twice_is_wrong_use(fastgmm, tmp_path, verb):
    path = write_chest(tmp_path / "a.nrrd")
    ended = fastgmm(verb, path, tmp_path / "." / "a.nrrd", "-o", tmp_path / "out")
    assert ended.code == 2
    assert ended.errors == [f"{path}: expected every scan once, got it twice; give it once"]
    assert names_in(tmp_path) == ["a.nrrd"]


@pytest.mark.parametrize("verb", ["run", "label", "fit"])
def test_an_output_that_exists_is_wrong_use(fastgmm, tmp_path, verb):
    path = write_chest(tmp_path / "a.nrrd")
    (tmp_path / "out").mkdir()
    existing = tmp_path / "out" / ("model.json" if verb == "fit" else "a_labels.nrrd")
    existing.write_text("mine")
    ended = fastgmm(verb, path, "-o", existing if verb == "fit" else tmp_path / "out")
    assert ended.code == 2
    assert "--overwrite" in ended.errors[0]
    assert existing.read_text() == "mine"


@pytest.mark.parametrize("verb", ["run", "label", "fit"])
def test_an_output_folder_that_cannot_be_made_is_wrong_use(fastgmm, tmp_path, verb):
    path = write_chest(tmp_path / "a.nrrd")
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "out"
    ended = fastgmm(verb, path, "-o", place / "model.json" if verb == "fit" else place)
    assert ended.code == 2
    assert ended.errors == [
        f"{place}: expected a folder that can be written to, got Not a directory; choose another -o"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_is_wrong_use(fastgmm, tmp_path):
    path = write_chest(tmp_path / "a.nrrd")
    (tmp_path / "out").mkdir(mode=0o500)
    ended = fastgmm("run", path, "-o", tmp_path / "out")
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "Permission denied" in ended.errors[0]


SMALL_RUN = """
import sys
from cohort.chests import SMALL
from fastgmm.cli import main
from fastgmm.lung import LungSettings
LungSettings.published = classmethod(lambda cls: SMALL)
sys.exit(main([*sys.argv[1:], "--preset", "published"]))
"""


def limit_files():
    """Let no file of this process grow beyond 4 kB: to a writer the same as a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit to file sizes on Windows")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    path = write_chest(tmp_path / "a.nrrd")
    ended = subprocess.run(
        [sys.executable, "-c", SMALL_RUN, "run", path, "-o", tmp_path / "out"],
        preexec_fn=limit_files,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode == 1
    (error,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert error.startswith(f"error: {path}: ")
    assert "File too large" in error
    assert str(tmp_path / "out" / "a_") in error or "check free space" in error
    assert "Traceback" not in ended.stderr
    assert names_in(tmp_path) == ["a.nrrd"]
