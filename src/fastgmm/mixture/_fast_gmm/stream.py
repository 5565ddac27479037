"""Chunks of rows from outside, checked, as the rows of a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from fastgmm._arrays import is_device_array
from fastgmm._checks import check_current_gpu
from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends import arrays_for, backend_for, get_backend
from fastgmm.backends._contract import Backend
from fastgmm.mixture._counts import is_integer_column
from fastgmm.mixture._fast_gmm.device import FLOATS, check_beside, checked_device_chunk
from fastgmm.mixture._fast_gmm.training_rows import count_integers, n_jobs_of
from fastgmm.mixture._rows import ArrayRows, Rows, StreamRows

Chunks = Iterable[Any] | Callable[[], Iterable[Any]]
_READ_ONCE = (
    "chunks must be gone over once per step, but an iterator or generator can be read only once; give a list of "
    "arrays, or a function that returns a new iterator each time it is called"
)


def stream_rows(model: Any, chunks: Chunks) -> tuple[Rows, np.dtype[Any], AnyArray | None]:
    """Return the rows, the dtype of the parameters, and the names of the features if the chunks have any.

    Sets the model's `backend_`.
    """
    again = _repeatable(chunks)
    passed = iter(again())
    first = next(passed, None)
    if first is None:
        raise ValueError("chunks must give at least one array, got none")
    check_current_gpu(first)
    model.backend_ = backend_for(model.backend, first)
    kernels, n_jobs = get_backend(model.backend_), n_jobs_of(model)
    names = None if is_device_array(first) else _get_feature_names(first)
    if model.histogram and is_integer_column(first):
        return _counted(chain([first], passed), kernels, n_jobs), np.dtype(np.float64), names
    if iter(again()) is passed:
        raise TypeError(_READ_ONCE)
    width = _checked(first, None, None).shape[1]

    def checked_chunks() -> Iterator[AnyArray]:
        for chunk in again():
            check_beside(chunk, "every chunk", first, "the first one")
            yield arrays_for(kernels, _checked(chunk, width, names))[0]

    rows = StreamRows(checked_chunks, kernels, n_jobs)
    return rows, rows.dtype, names


def _repeatable(chunks: Chunks) -> Callable[[], Iterable[Any]]:
    """Return a function that gives an iterable of the chunks each time it is called."""
    if isinstance(chunks, Iterator):
        raise TypeError(_READ_ONCE)
    if not callable(chunks):
        _check_iterable(chunks, type(chunks).__name__)
        return lambda: chunks

    def called() -> Iterable[Any]:
        given = chunks()
        return _check_iterable(given, f"a function that returned {type(given).__name__}")

    return called


def _check_iterable(chunks: Any, found: str) -> Iterable[Any]:
    if not isinstance(chunks, Iterable) or isinstance(chunks, str | bytes | dict) or hasattr(chunks, "columns"):
        raise TypeError(f"chunks must be an iterable of arrays or a function that returns one, got {found}")
    return chunks


def _checked(chunk: Any, n_features: int | None, names: AnyArray | None) -> AnyArray:
    """Return a chunk as a float array; n_features None takes any width."""
    shape = chunk.shape if is_device_array(chunk) else np.shape(chunk)
    if len(shape) != 2:
        raise ValueError(f"every chunk must be a 2-D array of shape (rows, features), got one of shape {shape}")
    array: AnyArray = (
        checked_device_chunk(chunk)
        if is_device_array(chunk)
        else check_array(chunk, dtype=FLOATS, ensure_min_samples=0, input_name="chunk")
    )
    if n_features is not None and array.shape[1] != n_features:
        raise ValueError(f"every chunk must have {n_features} features as the first one, got {array.shape[1]}")
    found = None if is_device_array(chunk) else _get_feature_names(chunk)
    if n_features is not None and names is not None and found is not None and not np.array_equal(found, names):
        raise ValueError(f"every chunk must have the features {names.tolist()} as the first one, got {found.tolist()}")
    return array


def _counted(chunks: Iterable[Any], kernels: Backend, n_jobs: int) -> ArrayRows:
    values: Float64Array = np.empty(0)
    counts: Float64Array = np.empty(0)
    for chunk in chunks:
        if not is_integer_column(chunk):
            raise TypeError("every chunk must be one column of integers as the first one")
        check_current_gpu(chunk)
        rows = chunk if is_device_array(chunk) else np.asarray(chunk)
        if rows.dtype.kind not in "iu":
            raise ValueError("every chunk must be without missing values")
        if len(rows):
            more = count_integers(rows, None, kernels)
            values, place = np.unique(np.concatenate([values, more[0]]), return_inverse=True)
            counts = np.bincount(place, np.concatenate([counts, more[1]])).astype(np.float64)
    rows = ArrayRows(values[:, np.newaxis], counts, kernels, n_jobs)
    rows.counted = True
    return rows
