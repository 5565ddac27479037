"""What a fit goes over: the rows of X as they are, counted, or with gaps."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import validate_data

from fastgmm._arrays import array_module, is_device_array, to_host
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends import arrays_for, get_backend
from fastgmm.backends._contract import Backend
from fastgmm.mixture._counts import (
    count_column,
    count_device_column,
    distinct_device_rows,
    is_integer_column,
    label_masses,
)
from fastgmm.mixture._fast_gmm.device import FLOATS, checked_device_rows, row_weights
from fastgmm.mixture._missing import UNCORRELATED, MissingRows
from fastgmm.mixture._rows import ArrayRows, Rows

_LEAST_WEIGHT, _MOST_WEIGHT = 2.0**-20, 2.0**500


def training_rows(model: Any, X: Any, sample_weight: Any) -> tuple[Rows, np.dtype[Any]]:
    """Return the checked rows of positive weight, and the dtype of the parameters."""
    if model.allow_nan and model.covariance_type not in UNCORRELATED:
        raise ValueError(
            f"allow_nan=True needs a covariance_type without correlations, one of {UNCORRELATED}, got "
            f"{model.covariance_type!r}"
        )
    collapse = model.histogram is True or (model.histogram == "auto" and is_integer_column(X))
    X = checked_rows(
        model, X, ensure_min_samples=2 if sample_weight is None else 1, integers=collapse and is_integer_column(X)
    )
    weights = None
    if sample_weight is not None:
        weights = row_weights(sample_weight, X)
        if not bool((weights > 0).all()):
            X, weights = X[weights > 0], weights[weights > 0]
        weights = _scaled(weights)
    kernels, n_jobs = get_backend(model.backend_), n_jobs_of(model)
    if X.dtype.kind in "iu" and len(X):
        values, counts = count_integers(X, weights, kernels)
        return counted_rows(model, values[:, np.newaxis], counts), np.dtype(np.float64)
    if model.allow_nan and has_missing(X, model.backend_):
        empty = np.flatnonzero(np.isnan(X).all(axis=0))
        if empty.size:
            raise ValueError(
                "with allow_nan=True every feature of X needs a value in at least one row of weight above 0, got only "
                f"NaN in column {empty[0]}; leave that column out"
            )
        return MissingRows(X, weights, kernels, n_jobs), X.dtype
    if collapse and len(X):
        return counted_rows(model, *_distinct_rows(X, weights, kernels)), X.dtype
    X, weights = arrays_for(kernels, X, weights)
    return ArrayRows(X, weights, kernels, n_jobs), X.dtype


def n_jobs_of(model: Any) -> int:
    """Return the threads of a fit: one for a GPU, whose launches wait for each other."""
    return 1 if model.backend_ == "cuda" else resolve_n_jobs(model.n_jobs)


def has_missing(X: AnyArray, backend: str) -> bool:
    """Return whether rows have NaN; raise if they do and the backend is that of a GPU."""
    missing = bool(array_module(X).isnan(X).any())
    if missing and backend == "cuda":
        raise ValueError(
            "missing values (allow_nan=True) are for the backends of the processor: give NumPy rows (cupy.asnumpy) "
            "and backend='auto' or 'cpp'"
        )
    return missing


def count_integers(X: AnyArray, weights: Any, kernels: Backend) -> tuple[Float64Array, Float64Array]:
    """Return the distinct values of the integer column X and how often each occurs, counted where X is."""
    if is_device_array(X):
        return count_device_column(X[:, 0], weights, kernels)
    return count_column(X[:, 0], weights)


def _distinct_rows(X: AnyArray, weights: Any, kernels: Backend) -> tuple[Float64Array, Float64Array]:
    """Return the distinct rows in rising order and how often each occurs."""
    if is_device_array(X):
        rows, labels = distinct_device_rows(X)
        return to_host(rows).astype(np.float64), label_masses(labels, len(rows), weights, kernels)
    distinct, place = np.unique(X, axis=0, return_inverse=True)
    return np.asarray(distinct, np.float64), np.bincount(place.reshape(-1), weights).astype(np.float64)


def _scaled(weights: Float64Array) -> Float64Array:
    """Return weights of ordinary size: a fit does not depend on their unit, but sums overflow, or drown in 10 eps."""
    largest = float(weights.max()) if len(weights) else 1.0
    if _LEAST_WEIGHT <= largest <= _MOST_WEIGHT:
        return weights
    exponent = (0 if largest < _LEAST_WEIGHT else 64) - math.frexp(largest)[1]
    half = exponent // 2  # a power of two that is too large for one factor
    scaled = weights * 2.0**half * 2.0 ** (exponent - half)
    raised: Float64Array = array_module(weights).maximum(scaled, np.finfo(np.float64).tiny)
    return raised


def counted_rows(model: Any, distinct: Float64Array, counts: Float64Array) -> ArrayRows:
    """Return distinct rows with their counts; one column of them goes to the histogram kernel."""
    kernels = get_backend(model.backend_)
    if distinct.shape[1] > 1:
        distinct, counts = arrays_for(kernels, distinct, counts)
    rows = ArrayRows(distinct, counts, kernels, n_jobs_of(model))
    rows.counted = distinct.shape[1] == 1
    return rows


def checked_rows(
    model: Any, X: Any, *, reset: bool = True, integers: bool = False, ensure_min_samples: int = 1
) -> AnyArray:
    """Return X as a float array where it is; with `integers`, a column of integers without gaps as it is."""
    if is_device_array(X):
        return checked_device_rows(model, X, reset=reset, integers=integers, ensure_min_samples=ensure_min_samples)
    _refuse_texts_and_dates(X, texts=not reset)
    finite: bool | Literal["allow-nan"] = "allow-nan" if model.allow_nan else True
    X = validate_data(
        model,
        X,
        reset=reset,
        dtype=None if integers else FLOATS,
        ensure_min_samples=ensure_min_samples,
        ensure_all_finite=finite,
    )
    checked: AnyArray = X if X.dtype in FLOATS or (integers and X.dtype.kind in "iu") else X.astype(np.float64)
    return checked


def _refuse_texts_and_dates(X: Any, texts: bool) -> None:
    """Raise for what NumPy would turn into numbers unasked; texts are fitted, as in scikit-learn, but not predicted."""
    few = X[:1] if isinstance(X, list | tuple) else X
    dtype = (
        np.asarray(few).dtype if isinstance(few, list | tuple) and _is_rectangle(few) else getattr(few, "dtype", None)
    )
    kind = getattr(dtype, "kind", "")
    if texts and kind in ("S", "U"):
        # scikit-learn's text, with its missing space.
        raise ValueError(
            "dtype='numeric' is not compatible with arrays of bytes/strings.Convert your data to numeric values "
            "explicitly instead."
        )
    if kind in ("M", "m"):
        raise ValueError(f"X must be numbers, got {dtype}; convert dates and times to numbers explicitly")


def _is_rectangle(rows: Any) -> bool:
    return all(isinstance(row, list | tuple) and not any(isinstance(x, list | tuple) for x in row) for row in rows)
