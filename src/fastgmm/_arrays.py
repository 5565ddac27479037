"""Arrays in the machine's memory (NumPy) and on a GPU (CuPy), told apart without importing CuPy."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np


def is_device_array(value: Any) -> bool:
    """Whether the value is a CuPy array."""
    kind = type(value)
    return kind.__module__.partition(".")[0] == "cupy" and kind.__name__ == "ndarray"


def to_host(value: Any) -> Any:
    """Return an array as NumPy's: downloaded if it is CuPy's."""
    return value.get() if is_device_array(value) else value


def array_module(value: Any) -> Any:
    """Return the module, NumPy or CuPy, that the array belongs to; NumPy for anything else."""
    return sys.modules["cupy"] if is_device_array(value) else np


def to_device(value: Any) -> Any:
    """Return an array as CuPy's: uploaded if it is NumPy's."""
    import cupy

    return cupy.asarray(value)


def device_of(value: Any) -> AbstractContextManager[Any]:
    """Return the GPU of a CuPy array, which becomes the current one in a `with` block; for others nothing changes."""
    gpu: AbstractContextManager[Any] = value.device if is_device_array(value) else nullcontext()
    return gpu
