"""Integer columns as counts of their distinct values."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgmm._arrays import array_module, to_host
from fastgmm._checks import INTEGER_DTYPES
from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends._contract import Backend

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


def is_integer_array(X: Any) -> bool:
    """Return whether X is a NumPy array of integers."""
    return isinstance(X, np.ndarray) and X.dtype.kind in "iu"


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


def count_device_column(column: AnyArray, weights: Any, kernels: Backend) -> tuple[Float64Array, Float64Array]:
    """Return what `count_column` returns for an integer column on a GPU; only distinct values leave it."""
    low, high = int(column.min()), int(column.max())
    if weights is None and high - low <= np.iinfo(np.int32).max:
        narrow = column
        if column.dtype not in INTEGER_DTYPES:
            narrow = (column - column.dtype.type(low)).astype(np.int32)
        volume = array_module(column).ascontiguousarray(narrow).reshape(1, 1, -1)
        values, counts = kernels.histogram(volume, None, 1, 1)
        if narrow is not column:
            values = values.astype(column.dtype) + column.dtype.type(low)
        return values.astype(np.float64), counts[0].astype(np.float64)
    distinct, labels = array_module(column).unique(column, return_inverse=True)
    values = to_host(distinct).astype(np.float64)
    return values, label_masses(labels.reshape(-1), values.size, weights, kernels)


def distinct_device_rows(X: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return the distinct rows of an array on a GPU, in rising order, and which of them each row is; both there."""
    xp = array_module(X)
    order = xp.lexsort(xp.ascontiguousarray(X.T[::-1]))
    rising = X[order]
    is_new = xp.ones(len(X), np.bool_)
    is_new[1:] = (rising[1:] != rising[:-1]).any(axis=1)
    labels = xp.empty(len(X), np.int64)
    labels[order] = xp.cumsum(is_new) - 1
    return rising[is_new], labels


def label_masses(labels: AnyArray, n_labels: int, weights: Any, kernels: Backend) -> Float64Array:
    """Return the sum of the weights of each label on a GPU, in the same bits every time."""
    xp = array_module(labels)
    if weights is None:
        counts: Float64Array = to_host(xp.bincount(labels, minlength=n_labels)).astype(np.float64)
        return counts
    nothing, means = xp.zeros((len(labels), 1), np.float32), np.zeros((n_labels, 1))
    return kernels.em_label_moments(nothing, weights, labels.astype(np.int32), means, "tied", 1).mass


def shifted(column: AnyArray, low: int) -> Int64Array:
    """Return column - low as int64, right for every integer dtype."""
    if column.dtype.kind == "u" and column.dtype.itemsize == 8:
        return (column - np.uint64(low)).astype(np.int64)
    return column.astype(np.int64) - low
