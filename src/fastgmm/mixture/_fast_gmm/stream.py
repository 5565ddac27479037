"""Chunks of rows from outside, checked, as the rows of a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends._contract import EMKernels
from fastgmm.mixture._counts import count_column, is_integer_column
from fastgmm.mixture._rows import ArrayRows, Rows, StreamRows

Chunks = Iterable[Any] | Callable[[], Iterable[Any]]


def stream_rows(
    chunks: Chunks, counts: bool, kernels: EMKernels, n_jobs: int
) -> tuple[Rows, np.dtype[Any], AnyArray | None]:
    """Return the rows, the dtype of the parameters, and the names of the features if the chunks have any.

    counts : whether a single column of integers is counted.
    """
    again = _repeatable(chunks)
    first = next(iter(again()), None)
    if first is None:
        raise ValueError("chunks must give at least one array, got none")
    names = _get_feature_names(first)
    if counts and is_integer_column(first):
        rows = _counted(again(), kernels, n_jobs)
        return rows, np.dtype(np.float64), names
    n_features = np.shape(first)[1]
    dtype = _checked(first, n_features).dtype

    def checked_chunks() -> Iterator[AnyArray]:
        return (_checked(chunk, n_features) for chunk in again())

    return StreamRows(checked_chunks, kernels, n_jobs), dtype, names


def _repeatable(chunks: Chunks) -> Callable[[], Iterable[Any]]:
    if callable(chunks):
        return chunks
    if isinstance(chunks, Iterator):
        raise TypeError(
            "chunks must be gone over once per step, but an iterator or generator can be read only once; give a list "
            "of arrays, or a function that returns a new iterator each time it is called"
        )
    if not isinstance(chunks, Iterable):
        raise TypeError(
            f"chunks must be an iterable of arrays or a function that returns one, got {type(chunks).__name__}"
        )
    return lambda: chunks


def _checked(chunk: Any, n_features: int) -> AnyArray:
    array: AnyArray = check_array(chunk, dtype=[np.float64, np.float32], ensure_min_samples=0, input_name="chunk")
    if array.shape[1] != n_features:
        raise ValueError(f"every chunk must have {n_features} features as the first one, got {array.shape[1]}")
    return array


def _counted(chunks: Iterable[Any], kernels: EMKernels, n_jobs: int) -> ArrayRows:
    values: Float64Array = np.empty(0)
    counts: Float64Array = np.empty(0)
    for chunk in chunks:
        if not is_integer_column(chunk):
            raise TypeError("every chunk must be one column of integers as the first one")
        column = np.asarray(chunk)[:, 0]
        if column.size:
            more = count_column(column, None)
            values, place = np.unique(np.concatenate([values, more[0]]), return_inverse=True)
            counts = np.bincount(place, np.concatenate([counts, more[1]])).astype(np.float64)
    rows = ArrayRows(values[:, np.newaxis], counts, kernels, n_jobs)
    rows.counted = True
    return rows
