"""Which backend a call gets, and what is said when it cannot have one."""

import importlib

import numpy as np
import pytest

from fastgmm import backends
from fastgmm.backends import _registry, can_use, choose_backend, get_backend, usable_backends
from fastgmm.errors import BackendUnavailableError, FastGMMError
from fastgmm.volume import component_table


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
    assert backends.BACKENDS == ("reference", "cpp", "cuda")
    assert usable_backends() == ["reference", "cpp"]
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
    with pytest.raises(ValueError, match="backend must be one of auto, reference, cpp, cuda, got 'fortran'"):
        choose_backend("fortran")
    monkeypatch.setenv("FASTGMM_BACKEND", "fortran")
    with pytest.raises(ValueError, match="got FASTGMM_BACKEND=fortran"):
        choose_backend()
    with pytest.raises(TypeError, match="backend must be a string, got 3"):
        choose_backend(3)


def test_a_backend_of_a_later_version_is_unavailable_not_unknown():
    with pytest.raises(BackendUnavailableError, match=r"'numba' cannot run.*Usable here: reference, cpp"):
        component_table(np.zeros((1, 1, 1), bool), backend="numba")


@pytest.mark.usefixtures("without_the_extension")
def test_a_missing_extension_is_an_error_and_no_fall_back():
    assert can_use("cpp") == (False, "No module named 'fastgmm._core'")
    assert usable_backends() == ["reference"]
    for name in ("auto", "cpp"):
        with pytest.raises(BackendUnavailableError, match=r"'cpp' cannot run: No module named .* To get it, reinstall"):
            choose_backend(name)
    assert choose_backend("reference") == "reference"


@pytest.mark.usefixtures("without_the_extension")
def test_auto_is_numba_where_only_that_has_the_family():
    assert choose_backend(family="em") == "numba"
    with pytest.raises(BackendUnavailableError, match="'cpp' cannot run"):
        choose_backend(family="median")


@pytest.mark.usefixtures("without_the_extension")
def test_a_missing_numba_names_its_extra(monkeypatch):
    monkeypatch.setitem(_registry._loaded, "numba", "No module named 'numba'")
    with pytest.raises(
        BackendUnavailableError, match=r"'numba' cannot run: No module .* pip install 'fastgmm\[numba\]'"
    ):
        choose_backend("numba", family="em")
    with pytest.raises(BackendUnavailableError, match="'cpp' cannot run"):
        choose_backend(family="em")


def test_the_error_is_a_runtime_error_of_ours():
    assert issubclass(BackendUnavailableError, RuntimeError)
    assert issubclass(BackendUnavailableError, FastGMMError)
