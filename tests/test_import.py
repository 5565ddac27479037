"""What importing fastgmm costs and offers, and that the examples in the docstrings run."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import fastgmm
from fastgmm import _core

HEAVY = ("sklearn", "scipy", "SimpleITK", "matplotlib", "pandas", "joblib", "nibabel", "nrrd", "pydicom", "PIL", "rich")
MODULES = [info.name for info in pkgutil.walk_packages(fastgmm.__path__, "fastgmm.") if info.name != "fastgmm.__main__"]


def loaded_after(code):
    """The top-level packages and fastgmm modules in sys.modules after the code ran in a fresh interpreter."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name if name.startswith("fastgmm") else name.partition(".")[0] for name in done.stdout.split()}


def test_importing_fastgmm_loads_nothing_else():
    loaded = loaded_after("import fastgmm")
    assert {name for name in loaded if name.startswith("fastgmm")} == {"fastgmm"}
    assert "numpy" not in loaded


@pytest.mark.parametrize(
    "code", ["from fastgmm import Histogram", "import fastgmm.volume", "from fastgmm.lung import LungSettings"]
)
def test_the_array_side_needs_numpy_only(code):
    assert not loaded_after(code) & set(HEAVY)


def test_a_kernel_call_loads_one_backend():
    call = "import numpy, fastgmm.volume; fastgmm.volume.binary_opening(numpy.ones((3, 3, 3), bool), backend='cpp')"
    loaded = loaded_after(call)
    assert "fastgmm._core" in loaded
    assert not any(name.startswith("fastgmm.backends._reference") for name in loaded)
    assert not loaded & set(HEAVY)


def test_public_names_are_listed_and_found():
    assert set(fastgmm.__all__) | {"__version__", "volume", "lung", "io", "cohort", "mixture"} <= set(dir(fastgmm))
    for name in dir(fastgmm):
        assert getattr(fastgmm, name) is not None
    assert fastgmm.Histogram is importlib.import_module("fastgmm._histogram").Histogram


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fastgmm' has no attribute 'Histogramm'"):
        fastgmm.Histogramm  # noqa: B018


def test_releasing_memory_frees_what_kernels_kept():
    fastgmm.volume.label_components(np.ones((40, 40, 40), bool), backend="cpp")
    fastgmm.release_memory()
    assert _core.release_memory() == 0
    done = subprocess.run([sys.executable, "-c", "import fastgmm; fastgmm.release_memory()"], check=False)
    assert done.returncode == 0


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("name", MODULES)
def test_public_names_exist(name):
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public)


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("_core")])
def test_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert failed == 0


def test_the_public_functions_have_examples():
    for function in (fastgmm.volume.__dict__[name] for name in fastgmm.volume.__all__):
        assert ">>> " in function.__doc__


def test_finding_lungs_imports_no_masked_arrays():
    """NumPy loads them at the first np.unique: two threads that do so at once may meet them half made."""
    code = """
import sys
import numpy as np
from fastgmm.lung import segment_lungs
from fastgmm.lung.phantom import thorax_phantom
thorax = thorax_phantom((48, 96, 96), seed=3)  # needs them itself
for name in [name for name in sys.modules if name == "numpy.ma" or name.startswith("numpy.ma.")]:
    del sys.modules[name]
vars(np).pop("ma", None)
segment_lungs(thorax.volume, thorax.spacing_mm)
assert "numpy.ma" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
