"""Integer columns as counts of their distinct values."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int64Array

_CHUNK = 1 << 18
_TABLE = 1 << 16


def is_integer_column(X: Any) -> bool:
    """Return whether X is an array or a frame with one column of an integer dtype."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) != 2 or shape[1] != 1:
        return False
    dtype = getattr(X, "dtype", None)
    if dtype is None and hasattr(X, "dtypes"):
        dtype = next(iter(X.dtypes))
    return getattr(dtype, "kind", "") in ("i", "u") or bool(getattr(dtype, "is_integer", bool)())


def count_column(column: AnyArray, weights: Float64Array | None) -> tuple[Float64Array, Float64Array]:
    """Return the distinct values of an integer column, rising, and the sum of the weights of each, above 0.

    column, weights : shape (n,).
    """
    low, high = int(column.min()), int(column.max())
    if high - low >= _TABLE:
        values, place = np.unique(column, return_inverse=True)
        counts = np.bincount(place, weights).astype(np.float64)
    else:
        values, counts = np.arange(low, high + 1), np.zeros(high - low + 1)
        for begin in range(0, column.size, _CHUNK):
            part = slice(begin, begin + _CHUNK)
            counts += np.bincount(shifted(column[part], low), None if weights is None else weights[part], counts.size)
    present = counts > 0
    return values[present].astype(np.float64), counts[present]


def shifted(column: AnyArray, low: int) -> Int64Array:
    """Return column - low as int64, right for every integer dtype."""
    if column.dtype.kind == "u" and column.dtype.itemsize == 8:
        return (column - np.uint64(low)).astype(np.int64)
    return column.astype(np.int64) - low
