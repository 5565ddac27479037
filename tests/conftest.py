"""Fixtures that more than one folder of tests uses."""

import importlib
import os
from pathlib import Path

import pytest
from cupy_on_cpu._install import standing_in
from hypothesis import settings

from fastgmm import _core, backends

REPOSITORY = Path(__file__).parent.parent
SIMD_LEVELS = ("baseline", "avx2", "avx512")

settings.register_profile("default", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("default")


@pytest.fixture(scope="module")
def cuda():
    """The module `cupy`: CuPy where it has a device, else what stands in for it on the CPU."""
    if backends.can_use("cuda")[0]:
        yield importlib.import_module("cupy")
        return
    with standing_in():
        yield importlib.import_module("cupy")


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest) -> str:
    """Name of each backend in turn (see `pytest_generate_tests`)."""
    if request.param == "cuda":
        request.getfixturevalue("cuda")
    usable, reason = backends.can_use(request.param)
    if not usable:
        pytest.skip(f"backend {request.param} cannot run here: {reason}")
    return request.param


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests on every backend; on cuda in modules that say ON_CUDA = True and call through `doors`."""
    if "backend" in metafunc.fixturenames:
        names = [name for name in backends.BACKENDS if name != "cuda" or getattr(metafunc.module, "ON_CUDA", False)]
        metafunc.parametrize("backend", names, indirect=True, scope="module")


@pytest.fixture(scope="module", params=SIMD_LEVELS)
def simd(request: pytest.FixtureRequest):
    """Each SIMD level in turn, in use by the compiled kernels."""
    before = _core.simd_level()
    _core.set_simd_level(request.param)
    if _core.simd_level() != request.param:
        pytest.skip(f"this processor has {_core.simd_supported()}, not {request.param}")
    yield request.param
    _core.set_simd_level(before)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real scans, which are not part of the repository."""
    folder = Path(os.environ.get("FASTGMM_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is not a folder; FASTGMM_TEST_DATA names another")
    return folder
