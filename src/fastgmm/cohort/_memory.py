"""Memory for volumes, used again from scan to scan: the first touch of fresh pages takes longer than most kernels."""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import DTypeLike

from fastgmm._types import AnyArray, Shape3, UInt8Array

# A block is used for what takes at least this share of it.
_LEAST_SHARE = 2


class VolumeMemory:
    """Blocks that are free at the moment; any thread may take and give back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[UInt8Array] = []

    def take(self, shape: Shape3, dtype: DTypeLike) -> AnyArray:
        """Return an array that is not set to anything, in a block given back before if one fits."""
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        block = self._fitting(n_bytes)
        if block is None:
            block = np.empty(n_bytes, np.uint8)
        array: AnyArray = block[:n_bytes].view(dtype).reshape(shape)
        return array

    def give_back(self, array: AnyArray) -> None:
        """Free the block of an array that `take` returned and nobody looks at any more."""
        block = array.base
        if isinstance(block, np.ndarray) and block.dtype == np.uint8 and block.ndim == 1:
            with self._lock:
                self._free.append(block)

    def _fitting(self, n_bytes: int) -> UInt8Array | None:
        """Take out the smallest block that fits; drop those of the same kind that have become too small."""
        with self._lock:
            fitting = [b for b in self._free if n_bytes <= b.size <= _LEAST_SHARE * n_bytes]
            best = min(fitting, key=lambda b: b.size, default=None)
            too_small = [b for b in self._free if best is None and n_bytes // _LEAST_SHARE < b.size < n_bytes]
            self._free = [b for b in self._free if b is not best and not any(b is small for small in too_small)]
        return best
