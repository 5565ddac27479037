"""`fastgmm` as a process of its own."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from cohort.chests import write_chest

# What costs start-up and is not needed to read, label and write a .nrrd or .nii.gz.
HEAVY = ("sklearn", "scipy", "SimpleITK", "matplotlib", "pandas", "pydicom", "rich", "nibabel", "nrrd", "joblib")
SMALL_MAIN = """
import sys
from cohort.chests import SMALL
from fastgmm.cli import main
from fastgmm.lung import LungSettings
LungSettings.published = classmethod(lambda cls: SMALL)
code = main([*sys.argv[1:], "--preset", "published"])
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def small_main(*arguments, more="", **options):
    """Run a command in a new process, with sizes for small chests."""
    command = [sys.executable, "-c", SMALL_MAIN + more + "\nsys.exit(code)", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, **options)


@pytest.mark.parametrize("name", ["a.nrrd", "a.nii.gz"])
@pytest.mark.parametrize("how", [[], ["--fit", "--allow-unordered"]])
def test_a_run_imports_nothing_heavy(tmp_path, name, how):
    path = write_chest(tmp_path / name)
    tell = f"print('imported', *sorted(set(sys.modules) & {set(HEAVY)!r}), file=sys.stderr)"
    ended = small_main("run", path, "-o", tmp_path / "out", "--json", *how, more=tell)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["failures"] == []
    assert ended.stderr.splitlines()[-1] == "imported"


def test_the_module_is_the_command(tmp_path):
    command = [sys.executable, "-m", "fastgmm", "info", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(ended.stdout)["backends"]["reference"] is None


def test_a_reader_that_goes_away_gets_no_traceback(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "fastgmm", "info"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process on Windows")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_leaves_whole_scans_and_no_traceback(tmp_path, number, code):
    scans = [write_chest(tmp_path / f"c{k:02}.nrrd", seed=k) for k in range(60)]
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL_MAIN + "\nsys.exit(code)", "run", *map(str, scans), "-o", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    lines = [process.stderr.readline() for _ in range(4)]
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "done in" in lines[-1]
    assert out == ""
    assert "Traceback" not in err
    found = names_in(tmp_path / "out")
    cases = {name[:3] for name in found}
    kinds = ("labels.nrrd", "lungs.nrrd", "median.nrrd", "overlay.png")
    assert found == sorted(f"{case}_{kind}" for case in cases for kind in kinds)
    assert 3 <= len(cases) < 60


def test_progress_is_a_bar_on_a_terminal_only(tmp_path):
    pty = pytest.importorskip("pty")
    path = write_chest(tmp_path / "a.nrrd")
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SMALL_MAIN + "\nsys.exit(code)",
            "run",
            str(path),
            "-o",
            str(tmp_path / "out"),
            "--json",
        ],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    told = b""
    try:
        while piece := os.read(mine, 4096):
            told += piece
    except OSError:  # Linux: the other end is closed
        pass
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert json.loads(out)["failures"] == []
    assert b"\x1b[" in told
    assert b"0/1" in told


@pytest.mark.parametrize("name", ["covid_p002_ct.nrrd", "covid_p002_ct.nii.gz"])
def test_p002_equals_the_published_scripts_in_every_voxel(tmp_path, test_data, name):
    path = test_data / "covid_p002_ct.nrrd"
    if name.endswith(".nii.gz"):
        sitk.WriteImage(sitk.ReadImage(str(path)), str(tmp_path / name), useCompression=True)
        path = tmp_path / name
    command = [sys.executable, "-m", "fastgmm", "run", str(path), "-o", str(tmp_path / "out"), "--json"]
    command += ["--preset", "published"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    scan, extension = sitk.ReadImage(str(path)), ".nrrd" if name.endswith(".nrrd") else ".nii.gz"
    for kind in ("labels", "median"):
        image = sitk.ReadImage(str(tmp_path / "out" / f"covid_p002_ct_{kind}{extension}"))
        golden = sitk.ReadImage(str(test_data / f"golden/covid_p002_published_{kind}.nii.gz"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(golden))
        assert image.GetPixelID() == sitk.sitkUInt8
        for geometry in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(image, geometry)() == getattr(scan, geometry)()
    (document,) = json.loads(ended.stdout)["scans"]
    voxels = [document["measures"][f"{key}_voxels"] for key in ("air", "healthy", "ggo", "consolidation", "other")]
    # From the README of the test data.
    assert voxels == [2145896, 2522628, 524137, 255733, 528344]


PEAK = """
import re
from fastgmm.cli import main
code = main(ARGUMENTS)
print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
raise SystemExit(code)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("preset", ["published", "default"])
def test_a_run_takes_the_scan_two_label_volumes_and_little_more(tmp_path, test_data, preset):
    path = test_data / "covid_p002_ct.nrrd"
    arguments = ["run", str(path), "-o", str(tmp_path / "out"), "--preset", preset, "--jobs", "2"]
    program = PEAK.replace("ARGUMENTS", repr(arguments))
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert ended.returncode == 0, ended.stderr
    peak = 1024 * int(ended.stdout.split()[-1])
    size = sitk.ReadImage(str(path)).GetNumberOfPixels()
    room = {"published": 80e6, "default": 92e6}[preset]  # on scans this small the fixed part of the default decides
    assert peak <= 2 * size + 2 * size + path.stat().st_size + room


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: OpenBLAS makes no threads anyway")
@pytest.mark.parametrize("asked", [None, "2"])
def test_numpy_comes_without_blas_threads_unless_asked_for(asked):
    code = """
import os
from fastgmm.cli import main
main(["info", "--json"])
import threadpoolctl
counts = [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "openblas"]
print(counts, os.environ.get("OPENBLAS_NUM_THREADS"))
"""
    environment = {name: value for name, value in ENVIRONMENT.items() if not name.endswith("_NUM_THREADS")}
    if asked:
        environment["OPENBLAS_NUM_THREADS"] = asked
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    counts = ended.stdout.splitlines()[-1]
    if counts.startswith("[]"):
        pytest.skip("this NumPy has no OpenBLAS")
    assert counts == f"[{asked or 1}] {asked}"
