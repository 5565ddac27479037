"""Arrays whose memory is kept for the next one: first touch of fresh pages costs more than most kernels."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm._arrays import array_module, is_device_array
from fastgmm._cgroups import MEMBERSHIP, ROOT, cgroups
from fastgmm._types import AnyArray

try:
    from fastgmm import _core
except ImportError:  # no compiler was at hand
    _core = None  # type: ignore[assignment]

# Below this the allocator of NumPy keeps memory by itself.
_LEAST_BYTES = 1 << 16
_PAGE_BYTES = 1 << 12
_MEMINFO = Path("/proc/meminfo")
_MAX_TOUCHED_BYTES = 1 << 30  # more is not kept


def empty(shape: tuple[int, ...], dtype: Any, like: Any = None) -> AnyArray:
    """Return a C-contiguous array with nothing in it, aligned to 64 bytes where it is of some size.

    When it is no longer in use its memory waits for the next one; `fastgmm.release_memory` gives it back.

    On the GPU if `like` is a CuPy array.
    """
    if is_device_array(like):
        on_device: AnyArray = array_module(like).empty(shape, dtype)
        return on_device
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if _core is None or n_bytes < _LEAST_BYTES:
        return np.empty(shape, dtype)
    array: AnyArray = _core.kept_bytes(n_bytes).view(dtype).reshape(shape)
    return array


def make_pages(array: AnyArray) -> bool:
    """Have the pages of an array made while others may write to it; False where the system cannot do so."""
    return _core is not None and _core.make_pages(array)


def touch(shape: tuple[int, ...], dtype: Any, n: int) -> None:
    """Have the pages of n arrays made that are asked for later; nothing where no memory is kept."""
    n_bytes = n * math.prod(shape) * np.dtype(dtype).itemsize
    if _core is None or n_bytes > _MAX_TOUCHED_BYTES:
        return
    with contextlib.suppress(MemoryError):
        arrays = [empty(shape, dtype) for _ in range(n)]
        for array in arrays:
            if not make_pages(array):
                array.reshape(-1).view(np.uint8)[::_PAGE_BYTES] = 0


def available_bytes() -> int | None:
    """Return the memory that new arrays may take without swapping, within the cgroup's limit; None if not told."""
    limits = [*_machine_limit(_MEMINFO), *_cgroup_limits(ROOT, MEMBERSHIP)]
    return min(limits, default=None)


def _machine_limit(meminfo: Path) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) << 10


def _cgroup_limits(root: Path, membership: Path) -> Iterator[int]:
    for group in cgroups(root, membership, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):  # "max" is no number
                yield int((group / name).read_text())
