"""Rows on a GPU (CuPy arrays), checked where they are by scikit-learn's rules."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastgmm._arrays import array_module, is_device_array
from fastgmm._checks import check_same_gpu
from fastgmm._types import AnyArray, Float64Array
from fastgmm.mixture._fast_gmm.array_api import as_numpy
from fastgmm.mixture._rows import CHUNK_ROWS

FLOATS = [np.float64, np.float32]


def check_beside(value: Any, name: str, X: Any, name_of_X: str = "X") -> None:
    """Raise if one of the two is on a GPU and the other is not, or on another; None and single numbers are nowhere."""
    if value is None or isinstance(value, Real):
        return
    if is_device_array(value) == is_device_array(X):
        if is_device_array(X):
            check_same_gpu(value, name, X, name_of_X)
        return
    if is_device_array(X):
        found = "a NumPy array" if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{name} must be a CuPy array as {name_of_X} is, got {found}; move it: cupy.asarray({name})")
    raise TypeError(
        f"{name} must be a NumPy array as {name_of_X} is, got a CuPy array; move it: cupy.asnumpy({name}), or "
        f"{name_of_X}: cupy.asarray({name_of_X})"
    )


def checked_device_rows(
    model: Any, X: AnyArray, *, reset: bool = True, integers: bool = False, ensure_min_samples: int = 1
) -> AnyArray:
    """Return CuPy rows as floats; with `integers`, a column of integers as it is."""
    shape = _shape_of(X)
    validate_data(model, shape, reset=reset, dtype=None, ensure_min_samples=ensure_min_samples, ensure_all_finite=False)
    return _as_finite_floats(X, integers, model.allow_nan, "X")


def checked_device_chunk(chunk: AnyArray) -> AnyArray:
    """Return the CuPy rows of a chunk, maybe none, as floats."""
    check_array(_shape_of(chunk), dtype=None, ensure_min_samples=0, ensure_all_finite=False, input_name="chunk")
    return _as_finite_floats(chunk, False, False, "chunk")


def row_weights(sample_weight: Any, X: AnyArray) -> Float64Array:
    """Return a weight for each row, at least 0, where the rows are."""
    if not is_device_array(X):
        given: Float64Array = _check_sample_weight(
            as_numpy(sample_weight), X, dtype=np.float64, ensure_non_negative=True
        )
        return given
    xp = array_module(X)
    if sample_weight is None or isinstance(sample_weight, Real):
        sample_weight = xp.full(len(X), 1.0 if sample_weight is None else float(sample_weight))
    weights: Float64Array = xp.ascontiguousarray(sample_weight, np.float64)  # astype keeps gaps between elements
    if weights.ndim != 1 or len(weights) != len(X):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(len(X),)}!")
    _check_finite(weights, False, "sample_weight")
    if float(weights.min()) < 0:
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if float(weights.max()) == 0:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def _shape_of(X: AnyArray) -> AnyArray:
    """Return a NumPy array of the same shape and dtype that takes no memory, for scikit-learn's checks."""
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D CuPy array of shape {X.shape} instead. Reshape it with "
            "X.reshape(-1, 1) if it has one feature, or X.reshape(1, -1) if it is one row."
        )
    return np.broadcast_to(np.zeros((), X.dtype), X.shape)


def _as_finite_floats(X: AnyArray, integers: bool, allow_nan: bool, name: str) -> AnyArray:
    if X.dtype.kind in "iu" and integers:
        return X
    rows = X if X.dtype in FLOATS else X.astype(np.float64)
    _check_finite(rows, allow_nan, name)
    return rows


def _check_finite(X: AnyArray, allow_nan: bool, name: str) -> None:
    """Raise for infinities, and for NaN unless allowed; a sum that is finite needs no second look."""
    if not X.size or math.isfinite(float(X.sum(dtype=np.float64))):
        return
    xp = array_module(X)
    for begin in range(0, len(X), CHUNK_ROWS):
        part = X[begin : begin + CHUNK_ROWS]
        if bool(xp.isinf(part).any()):
            raise ValueError(f"Input {name} contains infinity or a value too large for {X.dtype!r}.")
        if not allow_nan and bool(xp.isnan(part).any()):
            raise ValueError(f"Input {name} contains NaN.")
