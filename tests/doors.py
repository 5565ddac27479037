"""The public functions of `fastgmm.volume` for tests of every backend: NumPy in and out, through CuPy where it is cuda.

A test module that takes its functions from here and says `ON_CUDA = True` runs on the cuda backend, too.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgmm import volume
from fastgmm._arrays import is_device_array
from fastgmm.volume import PackedMask


def to_device(value: Any) -> Any:
    """Upload an array or a mask, or those in a list; leave the rest."""
    import cupy

    if isinstance(value, PackedMask):
        return PackedMask(cupy.asarray(np.ascontiguousarray(value.words)), value.shape)
    if isinstance(value, list | tuple):
        return type(value)(map(to_device, value))
    return cupy.asarray(value) if isinstance(value, np.ndarray) else value


def to_host(value: Any) -> Any:
    """Download an array or a mask, or those in a list; nothing but tables may be on the host yet."""
    if isinstance(value, PackedMask):
        assert is_device_array(value.words), "the cuda backend returned a mask in host memory"
        return PackedMask(value.words.get(), value.shape)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(map(to_host, value))
    if is_device_array(value):
        return value.get()
    assert not isinstance(value, np.ndarray) or value.dtype.names, "the cuda backend returned an array in host memory"
    return value


def _through_the_device(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        if options.get("backend") != "cuda":
            return function(*arguments, **options)
        out = options.get("out")
        returned = function(*map(to_device, arguments), **{name: to_device(value) for name, value in options.items()})
        result = to_host(returned)
        if out is None:
            return result
        (out.words if isinstance(out, PackedMask) else out)[...] = getattr(result, "words", result)
        return out

    return call


globals().update({name: _through_the_device(getattr(volume, name)) for name in volume.__all__ if name.islower()})
