"""Source distribution, wheel and installed package hold what they must."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEVICE_TEXT = sorted(
    path.relative_to(ROOT / "csrc").as_posix()
    for folder, ending in (("shared", "*.h"), ("cuda", "*.h"), ("cuda", "*.cu"))
    for path in (ROOT / "csrc" / folder).glob(ending)
)
PROBE = """
import fastgmm, numpy as np
from fastgmm.backends import usable_backends
from fastgmm.backends._device_source import csrc_root, device_source
from fastgmm.volume import PackedMask, binary_closing_ball
assert csrc_root().name == "_csrc", csrc_root()
assert "namespace fg" in device_source("shared/gaussian.h")
assert "cpp" in usable_backends()
assert binary_closing_ball(np.ones((3, 3, 3), bool), 2).all()
print(fastgmm.__version__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the source distribution, and the wheel from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return out


@pytest.mark.slow
def test_source_distribution_holds_all_sources_and_tests(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout: there is no list of tracked files to compare with")
    wanted = [name for name in tracked.stdout.splitlines() if name.startswith(("csrc/", "src/", "tests/", "docs/"))]
    assert wanted
    assert set(wanted) <= names


@pytest.mark.slow
def test_wheel_holds_the_device_text_and_the_published_model(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {f"fastgmm/_csrc/{name}" for name in DEVICE_TEXT} <= names
    assert {"fastgmm/py.typed", "fastgmm/_core.pyi", "fastgmm/lung/published_model.json"} <= names


@pytest.mark.slow
def test_installed_wheel_works_outside_the_checkout(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    path = os.pathsep.join([str(target), sysconfig.get_path("purelib")])
    probe = [sys.executable, "-S", "-c", PROBE]
    result = subprocess.run(probe, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "0.1.0"
