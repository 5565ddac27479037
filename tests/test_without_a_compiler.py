"""An install where no compiler runs, or where none is wanted, works on Numba and says why."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REASONS = {
    "no compiler": ({"CC": "false", "CXX": "false"}, "no C++ compiler ran when fastgmm was installed"),
    "not wanted": ({"FASTGMM_NO_EXTENSION": "1"}, "FASTGMM_NO_EXTENSION was set when fastgmm was installed"),
}
FIT = """
import numpy as np
from fastgmm import FastGMM
values = np.random.default_rng(0).integers(-1000, 100, (2000, 1))
floats = np.random.default_rng(1).normal(size=(500, 2))
print(FastGMM(2, random_state=0).fit(values).backend_, FastGMM(2, random_state=0).fit(floats).backend_)
"""
SCAN = """
from fastgmm.io import Scan, write_scan
from fastgmm.lung.phantom import thorax_phantom
thorax = thorax_phantom((100, 128, 128), seed=1)
write_scan("ct.nrrd", Scan(path="made", volume=thorax.volume, spacing_mm=thorax.spacing_mm))
"""


def installed(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Install from a copy of the sources, which no earlier build has touched, into `folder / "site"`."""
    source = folder / "source"
    source.mkdir()
    for name in ("src", "csrc"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("*.so", "*.pyd", "*.egg-info", "_without*")
        )
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "install", "-v", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
    command += ["--target", str(folder / "site"), str(source)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | settings)


def run(folder: Path, *arguments: str) -> str:
    """What Python prints there; -S keeps an editable install of the checkout from giving its extension."""
    environment = {name: text for name, text in os.environ.items() if name != "FASTGMM_BACKEND"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(folder / "site"), *(p for p in sys.path if p.endswith("-packages"))]
    )
    done = subprocess.run(
        [sys.executable, "-S", *arguments], cwd=folder, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "reason"), REASONS.values(), ids=REASONS)
def test_an_install_without_the_extension_runs_on_numba_and_says_why(tmp_path, settings, reason):
    pytest.importorskip("numba")
    done = installed(tmp_path, settings)
    assert done.returncode == 0, done.stderr
    assert f"built without its compiled kernels: {reason}" in done.stdout + done.stderr
    info = json.loads(run(tmp_path, "-m", "fastgmm", "info", "--json"))
    assert info["backends"]["cpp"].startswith(f"fastgmm._core was not built: {reason}")
    assert info["backend"] == "numba"
    if "FASTGMM_NO_EXTENSION" in settings:
        return  # the same package: one of them is enough to compile Numba's kernels
    assert run(tmp_path, "-c", "import fastgmm; print(fastgmm.__file__)").startswith(str(tmp_path))
    assert run(tmp_path, "-c", FIT).split() == ["numba", "numba"]
    run(tmp_path, "-c", SCAN)
    run(tmp_path, "-m", "fastgmm", "run", "ct.nrrd", "-o", "out")
    assert (tmp_path / "out" / "ct_labels.nrrd").exists()
    with pytest.raises(AssertionError, match=r"backend 'cpp' cannot run: fastgmm._core was not built"):
        run(tmp_path, "-c", "from fastgmm.backends import choose_backend; choose_backend('cpp')")


@pytest.mark.slow
def test_sources_that_do_not_compile_are_an_error(tmp_path):
    done = installed(tmp_path, {"FASTGMM_CXXFLAGS": "-include no_such_header.h"})
    assert done.returncode != 0
    assert not (tmp_path / "site").exists()
