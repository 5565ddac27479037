"""Checks of arguments that more than one public function takes: each returns a clean value or raises."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Shape3

INTEGER_DTYPES = tuple(np.dtype(t) for t in (np.int8, np.int16, np.int32, np.uint8, np.uint16))


def check_int(value: Any, name: str, *, low: int, high: int | None = None) -> int:
    """Return an int in low..high."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {value!r}") from None
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if number < low or (high is not None and number > high):
        span = f"at least {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"{name} must be {span}, got {number}")
    return number


def check_triple(value: Any, name: str, *, low: int, high: int | None = None) -> Shape3:
    """Return three ints in low..high for an int or a (z, y, x) sequence of them."""
    if isinstance(value, tuple | list | np.ndarray):
        if len(value) != 3:
            raise ValueError(f"{name} must be an int or 3 ints (z, y, x), got {value!r}")
        z, y, x = (check_int(v, name, low=low, high=high) for v in value)
        return z, y, x
    number = check_int(value, name, low=low, high=high)
    return number, number, number


def check_mask(mask: Any, name: str = "mask", shape: tuple[int, ...] | None = None) -> PackedMask:
    """Return a bool array or `PackedMask` as a `PackedMask`."""
    if not isinstance(mask, PackedMask):
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 3:
            raise TypeError(f"{name} must be a 3-D bool array or a PackedMask, got {describe(mask)}")
        mask = PackedMask.from_array(mask)
    if shape is not None and mask.shape != shape:
        raise ValueError(f"{name} must have the volume's shape {shape}, got {mask.shape}")
    return mask


def check_volume(volume: Any, name: str = "volume") -> AnyArray:
    """Return a 3-D integer array, C-contiguous and in the machine's byte order."""
    if not isinstance(volume, np.ndarray) or volume.ndim != 3 or volume.dtype.newbyteorder("=") not in INTEGER_DTYPES:
        kinds = ", ".join(d.name for d in INTEGER_DTYPES)
        raise TypeError(f"{name} must be a 3-D array of {kinds}, got {describe(volume)}")
    return np.ascontiguousarray(volume, volume.dtype.newbyteorder("="))


def describe(value: Any) -> str:
    """Return dtype and shape of an array, the type's name of anything else."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__
