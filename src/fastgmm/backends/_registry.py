"""Which backends can run here, and which one a call gets."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, cast

import numpy as np

from fastgmm._arrays import to_device
from fastgmm._checks import check_current_gpu, on_device
from fastgmm._packed_mask import PackedMask
from fastgmm.backends._contract import Backend
from fastgmm.errors import BackendUnavailableError

_MODULES = {
    "reference": "fastgmm.backends._reference",
    "cpp": "fastgmm.backends._cpp",
    "numba": "fastgmm.backends._numba",
    "cuda": "fastgmm.backends._cuda",
}
_HOW_TO_GET = {
    "reference": "it needs NumPy only",
    "cpp": "reinstall fastgmm where a C++17 compiler is at hand: pip install --force-reinstall --no-cache-dir fastgmm; "
    "or do without it: pip install 'fastgmm[numba]'",
    "numba": "pip install 'fastgmm[numba]'",
    "cuda": "pip install 'fastgmm[cuda13]' (or fastgmm[cuda12]) on a machine with an NVIDIA GPU and driver",
}
BACKENDS = tuple(_MODULES)
_SIMD_LEVELS = ("baseline", "avx2", "avx512")
_NOTE = Path(__file__).parent.parent / "_without_extension.txt"
_loaded: dict[str, Backend | str] = {}


def can_use(name: str) -> tuple[bool, str]:
    """Return whether the backend runs here, and the reason if not."""
    found = _load(name)
    return (False, found) if isinstance(found, str) else (True, "")


def usable_backends() -> list[str]:
    """Return the names of the backends that run here."""
    return [name for name in BACKENDS if can_use(name)[0]]


def choose_backend(name: str = "auto", *arrays: Any) -> str:
    """Return the name of the backend for the arrays, or raise `BackendUnavailableError`.

    "auto" means cuda for CuPy arrays; for others the environment variable FASTGMM_BACKEND if set, else cpp, or numba
    where the extension is missing. Arrays of NumPy and CuPy together, or of a kind that the backend named does not
    take, are a TypeError: nothing moves between the memories unasked. Arguments that are neither arrays nor masks do
    not count.
    """
    if not isinstance(name, str):
        raise TypeError(f"backend must be a string, got {name!r}")
    memory = _memory_of(arrays)
    forced = os.environ.get("FASTGMM_BACKEND") if name == "auto" and memory != "CuPy" else None
    asked = forced or (_first_choice(memory) if name == "auto" else name)
    if asked not in _MODULES:
        given = f"FASTGMM_BACKEND={asked}" if forced else repr(asked)
        raise ValueError(f"backend must be one of {', '.join(('auto', *BACKENDS))}, got {given}")
    if asked == "cpp":
        _check_simd()
    usable, reason = can_use(asked)
    if not usable:
        raise BackendUnavailableError(
            f"backend {asked!r} cannot run: {reason}. To get it, {_HOW_TO_GET[asked]}. "
            f"Usable here: {', '.join(usable_backends())}"
        )
    if memory and memory != ("CuPy" if asked == "cuda" else "NumPy"):
        way_out = "cupy.asarray" if asked == "cuda" else "cupy.asnumpy"
        raise TypeError(f"backend {asked!r} does not take {memory} arrays; move them with {way_out}")
    return asked


def _check_simd() -> None:
    """Raise where FASTGMM_SIMD, which the extension reads when it is loaded, names no instruction set."""
    forced = os.environ.get("FASTGMM_SIMD", "")
    if forced and forced not in _SIMD_LEVELS:
        names = ", ".join(_SIMD_LEVELS)
        raise ValueError(f"FASTGMM_SIMD must be one of {names}, got {forced!r}; set it to one of them, or unset it")


def backend_for(name: str, X: Any) -> str:
    """Return the name of the backend for rows that may be uploaded: cuda takes NumPy's too where it is named."""
    return choose_backend(name, X) if on_device(X) else choose_backend(name)


def arrays_for(kernels: Any, *arrays: Any) -> tuple[Any, ...]:
    """Return arrays (or None) where the kernels take them: for cuda those of NumPy are uploaded."""
    if kernels is not _loaded.get("cuda"):
        return arrays
    return tuple(array if array is None else to_device(array) for array in arrays)


def get_backend(name: str = "auto", *arrays: Any) -> Backend:
    """Return the backend's module for the arrays, or raise `BackendUnavailableError`.

    CuPy arrays must be on the GPU that is current, where kernels run and results are made: others are a ValueError.
    """
    chosen = choose_backend(name, *arrays)
    for array in arrays if chosen == "cuda" else ():
        check_current_gpu(array)
    return cast(Backend, _load(chosen))


def _memory_of(arrays: tuple[Any, ...]) -> str:
    """Return whose the arrays and masks are, "NumPy" or "CuPy", "" if there are none."""
    known = [array for array in arrays if isinstance(array, np.ndarray | PackedMask) or on_device(array)]
    kinds = {"CuPy" if on_device(array) else "NumPy" for array in known}
    if len(kinds) > 1:
        raise TypeError("arrays must be all NumPy or all CuPy, got both; move some with cupy.asarray or cupy.asnumpy")
    return kinds.pop() if kinds else ""


def _first_choice(memory: str) -> str:
    """Return cuda for CuPy arrays, else cpp, or numba where only that runs."""
    if memory == "CuPy":
        return "cuda"
    return "numba" if not can_use("cpp")[0] and can_use("numba")[0] else "cpp"


def _load(name: str) -> Backend | str:
    """Return the backend's module, or why it cannot be imported."""
    if name not in _loaded:
        try:
            _loaded[name] = cast(Backend, importlib.import_module(_MODULES[name]))
        except ImportError as error:
            _loaded[name] = _why_not_built() if name == "cpp" and _is_missing(error) else str(error)
    return _loaded[name]


def _is_missing(error: ImportError) -> bool:
    return not isinstance(error, ModuleNotFoundError) and _NOTE.exists()


def _why_not_built() -> str:
    """Return what `setup.py` noted when it left the extension out."""
    return f"fastgmm._core was not built: {_NOTE.read_text(encoding='utf-8').strip()}"
