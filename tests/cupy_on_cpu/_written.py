"""Which bytes of device memory were written, where CUEMU_WRITTEN is set: who reads others is told, as by initcheck.

Kernels tell each access (`native/cuda_on_cpu/written.h`), functions and copies are looked at here. Addresses
are not used again, so that what an array held before is never taken for its own.
"""

import itertools
import mmap
import os
import weakref

import numpy as np

WATCHES = bool(os.environ.get("CUEMU_WRITTEN"))
FLAGS = (
    "-DCUEMU_WRITTEN",
    "-g1",
    "-fsanitize=kernel-address",
    *itertools.chain.from_iterable(
        ("--param", setting)
        for setting in ("asan-instrumentation-with-call-threshold=0", "asan-stack=0", "asan-globals=0")
    ),
)
SIZE = 1 << 35
_NO_RESERVE = 0x4000  # of Linux; mmap has the name from Python 3.13 on
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
_memory = mmap.mmap(-1, 2 * SIZE, flags=_PRIVATE) if WATCHES else None
BASE = np.frombuffer(_memory, np.uint8, 1).ctypes.data if WATCHES else 0
_used = 0


class UnwrittenError(RuntimeError):
    """Device memory was read that nothing wrote."""


def new_bytes(n_bytes: int) -> np.ndarray:
    """Bytes that count as not written, and on pages of their own."""
    global _used
    if not WATCHES:
        return np.empty(n_bytes, np.uint8)
    first, _used = _used, _used + n_bytes + -n_bytes % mmap.PAGESIZE
    array = np.frombuffer(_memory, np.uint8, n_bytes, first)
    weakref.finalize(array, _give_back, first, n_bytes)
    return array


def _give_back(first: int, n_bytes: int) -> None:
    """Give pages back to the system: no view of them is left, and to kernels they count as not written from now on."""
    for at in (first, first + SIZE):
        _memory.madvise(mmap.MADV_DONTNEED, at, n_bytes)


def mark(array: np.ndarray, where=...) -> None:
    """Note that this part of an array has been written."""
    if (flags := _flags(array)) is not None:
        flags[where] = ~flags.dtype.type(0)


def check(array: np.ndarray) -> None:
    """Raise if a byte of the array has not been written."""
    flags = _flags(array)
    if flags is not None and not (flags == ~flags.dtype.type(0)).all():
        n = np.count_nonzero(~flags)
        raise UnwrittenError(f"{n} of {array.size} numbers of an array are read and were not written")


def _flags(array: np.ndarray) -> np.ndarray | None:
    """For each number an integer whose bits are set where it has been written; None for memory of the host."""
    first = array.ctypes.data - BASE
    if not WATCHES or not array.size or not 0 <= first < SIZE:
        return None
    kind = f"u{min(array.itemsize, 8)}"  # of a complex number the real part is looked at
    return np.ndarray(array.shape, kind, _memory, first + SIZE, array.strides)
