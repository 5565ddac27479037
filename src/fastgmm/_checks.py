"""Checks of arguments that more than one public function takes: each returns a clean value or raises."""

from __future__ import annotations

import operator
import sys
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import DTypeLike

from fastgmm._arrays import array_module, is_device_array
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Shape3

INTEGER_DTYPES = tuple(np.dtype(t) for t in (np.int8, np.int16, np.int32, np.uint8, np.uint16))


def check_int(value: Any, name: str, *, low: int | None = None, high: int | None = None) -> int:
    """Return an int in low..high, either end open if None."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {value!r}") from None
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if (low is not None and number < low) or (high is not None and number > high):
        span = f"at least {low}" if high is None else f"at most {high}" if low is None else f"in {low}..{high}"
        raise ValueError(f"{name} must be {span}, got {number}")
    return number


def check_triple(value: Any, name: str, *, low: int, high: int | None = None) -> Shape3:
    """Return three ints in low..high for an int or a (z, y, x) sequence of them."""
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim):
        if len(value) != 3:
            raise ValueError(f"{name} must be an int or 3 ints (z, y, x), got {value!r}")
        z, y, x = (check_int(v, name, low=low, high=high) for v in value)
        return z, y, x
    number = check_int(value, name, low=low, high=high)
    return number, number, number


def check_mask(mask: Any, name: str = "mask", shape: tuple[int, ...] | None = None) -> PackedMask:
    """Return a bool array or `PackedMask` as a `PackedMask`."""
    if isinstance(mask, PackedMask):
        packed = mask
    elif is_array(mask) and mask.dtype == np.bool_ and mask.ndim == 3:
        packed = PackedMask.from_array(mask)
    else:
        raise TypeError(f"{name} must be a 3-D bool array or a PackedMask, got {describe(mask)}")
    if shape is not None and packed.shape != shape:
        raise ValueError(f"{name} must have the volume's shape {shape}, got {packed.shape}")
    return packed


def check_volume(volume: Any, name: str = "volume", dtypes: Sequence[DTypeLike] = INTEGER_DTYPES) -> AnyArray:
    """Return a 3-D array of one of the dtypes, C-contiguous and in the machine's byte order."""
    wanted = [np.dtype(d) for d in dtypes]
    if not is_array(volume) or volume.ndim != 3 or volume.dtype.newbyteorder("=") not in wanted:
        kinds = ", ".join(d.name for d in wanted)
        raise TypeError(f"{name} must be a 3-D array of {kinds}, got {describe(volume)}")
    if is_device_array(volume):
        contiguous: AnyArray = array_module(volume).ascontiguousarray(volume)
        return contiguous
    return np.require(volume, volume.dtype.newbyteorder("="), ["C", "A"])


def check_out(out: Any, shape: tuple[int, ...], dtypes: Sequence[DTypeLike], *inputs: Any) -> AnyArray:
    """Return an array that results can be written to; the inputs are arrays or `PackedMask` it must not touch."""
    wanted = [np.dtype(d) for d in dtypes]
    kinds = " or ".join(d.name for d in wanted)
    if not is_array(out):
        raise TypeError(f"out must be a {kinds} array of shape {shape}, got {describe(out)}")
    if out.dtype not in wanted or out.shape != shape:
        raise ValueError(f"out must be {kinds} of shape {shape}, got {describe(out)}")
    check_same_memory(out, "out", *inputs)
    on_host = not is_device_array(out)
    if not out.flags.c_contiguous or (on_host and not (out.flags.writeable and out.flags.aligned)):
        module = array_module(out).__name__
        raise ValueError(f"out must be a C-contiguous, aligned and writeable array; give one made by {module}.empty")
    check_apart(out, *inputs)
    return out


def check_apart(out: AnyArray, *inputs: Any) -> None:
    """Raise if the array shares memory with an input: an array or a `PackedMask`."""
    for given in inputs:
        if array_module(out).may_share_memory(out, given.words if isinstance(given, PackedMask) else given):
            raise ValueError("out must not share memory with an input; give an array of its own")


def check_same_memory(value: Any, name: str, *inputs: Any) -> None:
    """Raise unless the array or `PackedMask` is where the inputs are: a NumPy one, or a CuPy one on the same GPU."""
    for given in inputs:
        if given is None:
            continue
        if on_device(value) != on_device(given):
            kinds = ("a NumPy array", "a CuPy array")
            raise TypeError(f"{name} must be {kinds[on_device(given)]} as the input is, got {kinds[on_device(value)]}")
        if on_device(value):
            check_same_gpu(value, name, given, "the input")


def on_device(value: Any) -> bool:
    """Whether the array or `PackedMask` is on the GPU."""
    return is_device_array(_words_or_self(value))


def check_same_gpu(value: Any, name: str, given: Any, name_of_given: str) -> None:
    """Raise ValueError if two CuPy arrays or masks are on different GPUs."""
    found, wanted = (int(_words_or_self(array).device) for array in (value, given))
    if found != wanted:
        raise ValueError(f"{name} must be on GPU {wanted} as {name_of_given} is, got one on GPU {found}")


def check_current_gpu(value: Any) -> None:
    """Raise ValueError if a CuPy array or mask on one GPU meets another as CuPy's current one."""
    array = _words_or_self(value)
    if not is_device_array(array):
        return
    here, current = int(array.device), int(type(array.device)())
    if here != current:
        raise ValueError(
            f"the array of shape {value.shape} is on GPU {here}, but CuPy's current one is GPU {current}; "
            f"call within 'with cupy.cuda.Device({here}):', or bring the array here with cupy.asarray"
        )


def _words_or_self(value: Any) -> Any:
    return value.words if isinstance(value, PackedMask) else value


def is_array(value: Any) -> TypeGuard[AnyArray]:
    """Whether the value is a NumPy or CuPy array that stands for all its elements (a masked array does not)."""
    if is_device_array(value):
        return True
    ma = sys.modules.get("numpy.ma")
    return isinstance(value, np.ndarray) and not (ma is not None and isinstance(value, ma.MaskedArray))


def describe(value: Any) -> str:
    """Return dtype and shape of an array, the type's name of anything else."""
    if is_array(value):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, np.ndarray):
        return "a masked array (fill it first: its filled() method)"
    return type(value).__name__
