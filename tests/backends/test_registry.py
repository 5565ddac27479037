"""Which backend a call gets, and what is said when it cannot have one."""

import importlib

import numpy as np
import pytest

from fastgmm import backends
from fastgmm.backends import _registry, can_use, choose_backend, get_backend, usable_backends
from fastgmm.errors import BackendUnavailableError, FastGMMError


@pytest.fixture
def without_the_extension(monkeypatch):
    """A registry that has not loaded anything and finds no compiled module."""

    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    load = importlib.import_module

    def import_module(name):
        if name.endswith("._cpp"):
            raise ImportError("No module named 'fastgmm._core'")
        return load(name)

    monkeypatch.setattr(_registry, "_loaded", {})
    monkeypatch.setattr(_registry.importlib, "import_module", import_module)


def test_all_backends_of_this_version_run_here():
    assert backends.BACKENDS == ("reference", "cpp", "numba", "cuda")
    assert usable_backends()[:3] == ["reference", "cpp", "numba"]
    assert can_use("cpp") == (True, "")


def test_auto_is_cpp(monkeypatch):
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    assert choose_backend() == choose_backend("auto", np.zeros(3)) == "cpp"
    assert get_backend("cpp").__name__ == "fastgmm.backends._cpp"


def test_the_environment_replaces_auto_only(monkeypatch):
    monkeypatch.setenv("FASTGMM_BACKEND", "reference")
    assert choose_backend() == "reference"
    assert choose_backend("cpp") == "cpp"
    monkeypatch.setenv("FASTGMM_BACKEND", "")
    assert choose_backend() == "cpp"


def test_an_unknown_name_is_refused_with_the_known_ones(monkeypatch):
    with pytest.raises(ValueError, match="backend must be one of auto, reference, cpp, numba, cuda, got 'fortran'"):
        choose_backend("fortran")
    monkeypatch.setenv("FASTGMM_BACKEND", "fortran")
    with pytest.raises(ValueError, match="got FASTGMM_BACKEND=fortran"):
        choose_backend()
    with pytest.raises(TypeError, match="backend must be a string, got 3"):
        choose_backend(3)


@pytest.mark.usefixtures("without_the_extension")
def test_auto_is_numba_where_the_extension_is_missing_but_cpp_by_name_is_an_error():
    assert can_use("cpp") == (False, "No module named 'fastgmm._core'")
    assert usable_backends()[:2] == ["reference", "numba"]
    assert choose_backend() == "numba"
    with pytest.raises(BackendUnavailableError, match=r"'cpp' cannot run: No module named .* To get it, reinstall"):
        choose_backend("cpp")
    assert choose_backend("reference") == "reference"


@pytest.mark.usefixtures("without_the_extension")
def test_without_the_extension_and_numba_auto_is_an_error_and_no_fall_back(monkeypatch):
    monkeypatch.setitem(_registry._loaded, "numba", "No module named 'numba'")
    assert usable_backends()[:1] == ["reference"]
    with pytest.raises(BackendUnavailableError, match=r"'cpp' cannot run.*Usable here: reference"):
        choose_backend()
    with pytest.raises(
        BackendUnavailableError, match=r"'numba' cannot run: No module .* pip install 'fastgmm\[numba\]'"
    ):
        choose_backend("numba")


def test_the_error_is_a_runtime_error_of_ours():
    assert issubclass(BackendUnavailableError, RuntimeError)
    assert issubclass(BackendUnavailableError, FastGMMError)


def test_a_wrong_instruction_set_is_refused_with_the_known_ones(monkeypatch):
    monkeypatch.delenv("FASTGMM_BACKEND", raising=False)
    monkeypatch.setenv("FASTGMM_SIMD", "AVX2")
    with pytest.raises(ValueError, match=r"FASTGMM_SIMD must be one of baseline, avx2, avx512, got 'AVX2'; .*unset it"):
        choose_backend()
    assert choose_backend("reference") == "reference"
    for right in ("", "baseline", "avx512"):
        monkeypatch.setenv("FASTGMM_SIMD", right)
        assert choose_backend() == "cpp"
