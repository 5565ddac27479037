"""Labels of integers from a table of their values, and the arrays that labels are written to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgmm import _memory
from fastgmm._types import AnyArray, Int64Array
from fastgmm.backends._contract import HistogramKernels

MAX_TABLE = 1 << 16
EXACT = 1 << 53  # integers up to here are exact in float64
_MAX_LABELS = 256  # a table holds bytes
_SAMPLE = 4096


def label_integers(
    column: AnyArray, out: AnyArray, n_labels: int, labels_of: Callable[[AnyArray], AnyArray], kernels: Any, n_jobs: int
) -> bool:
    """Write the label of each integer, from a table of the values they span; False where no table would do.

    column, out : shape (n,). labels_of : gives the labels of floats of shape (m, 1).

    The span is guessed first, to read the values once; what lies outside the guess asks for the true one.
    """
    if n_labels > _MAX_LABELS:
        return False
    source: HistogramKernels = kernels
    for low, high in _spans(column):
        if high - low >= min(MAX_TABLE, 4 * len(column)) or max(-low, high) > EXACT:
            continue
        table = labels_of(np.arange(low, high + 1, dtype=np.float64)[:, np.newaxis]).astype(np.uint8)
        if source.label_values(column, low, table, out, n_jobs):
            return True
    return False


def _spans(column: AnyArray) -> Iterator[tuple[int, int]]:
    """Yield a guess of the least and the greatest value where there are many, then the true ones."""
    if len(column) > 16 * _SAMPLE:
        sample = column[:: len(column) // _SAMPLE]
        low, high = int(sample.min()), int(sample.max())
        width, ends = high - low, np.iinfo(column.dtype)
        yield max(low - width, int(ends.min)), min(high + width, int(ends.max))
    yield int(column.min()), int(column.max())


def native(column: AnyArray) -> AnyArray:
    """Return integers in the machine's byte order and at addresses that the kernels can read."""
    if column.flags.aligned and column.dtype.isnative and column.strides[0] % column.itemsize == 0:
        return column
    return column.astype(column.dtype.newbyteorder("="))


def checked_out(out: AnyArray | None, X: AnyArray, n_labels: int) -> AnyArray:
    """Return where to write the labels of the rows: `out` if it fits, else a new int64 array."""
    n = len(X)
    if out is None:
        labels: Int64Array = _memory.empty((n,), np.int64)
        return labels
    fits = (
        isinstance(out, np.ndarray)
        and out.dtype.kind in "iu"
        and out.dtype.isnative
        and out.shape == (n,)
        and out.flags.carray
    )
    if not fits:
        found = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        found += ", not writeable" if isinstance(out, np.ndarray) and not out.flags.writeable else ""
        raise ValueError(f"out must be a contiguous array of integers of shape ({n},), got {found}")
    if np.iinfo(out.dtype).max < n_labels - 1:
        raise ValueError(f"out must hold labels 0..{n_labels - 1}, got {out.dtype}; give one of a wider dtype")
    if np.may_share_memory(out, X):
        raise ValueError("out must be memory of its own, got an array that shares memory with X")
    return out
