"""What a fit goes over: the rows of X as they are, counted, or with gaps."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends import get_backend
from fastgmm.mixture._counts import count_column, is_integer_column
from fastgmm.mixture._missing import UNCORRELATED, MissingRows
from fastgmm.mixture._rows import ArrayRows, Rows

FLOATS = [np.float64, np.float32]


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
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.all():
            X, weights = X[weights > 0], weights[weights > 0]
    if X.dtype.kind in "iu" and len(X):
        values, counts = count_column(X[:, 0], weights)
        return counted_rows(model, values[:, np.newaxis], counts), np.dtype(np.float64)
    kernels, n_jobs = get_backend(model.backend_), resolve_n_jobs(model.n_jobs)
    if model.allow_nan and np.isnan(X).any():
        if np.isnan(X).all(axis=0).any():
            raise ValueError("every feature needs a value in at least one row, got a column of NaN only")
        return MissingRows(X, weights, kernels, n_jobs), X.dtype
    if collapse and len(X):
        distinct, place = np.unique(X, axis=0, return_inverse=True)
        counts = np.bincount(place.reshape(-1), weights).astype(np.float64)
        return counted_rows(model, np.asarray(distinct, np.float64), counts), X.dtype
    return ArrayRows(X, weights, kernels, n_jobs), X.dtype


def counted_rows(model: Any, distinct: Float64Array, counts: Float64Array) -> ArrayRows:
    """Return distinct rows with their counts; one column of them goes to the histogram kernel."""
    rows = ArrayRows(distinct, counts, get_backend(model.backend_), resolve_n_jobs(model.n_jobs))
    rows.counted = distinct.shape[1] == 1
    return rows


def checked_rows(
    model: Any, X: Any, *, reset: bool = True, integers: bool = False, ensure_min_samples: int = 1
) -> AnyArray:
    """Return X as a float array; with `integers`, a column of integers without gaps as it is."""
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
