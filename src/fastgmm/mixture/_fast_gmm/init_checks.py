"""Checks of weights_init, means_init and precisions_init, with scikit-learn's error texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from fastgmm._types import AnyArray
from fastgmm.mixture._covariance import covariance_shape

_FLOATS = [np.float64, np.float32]


def checked_weights(weights: Any, n_components: int) -> AnyArray:
    """Return weights of shape (n_components,) that lie in 0..1 and add up to 1."""
    array: AnyArray = check_array(weights, dtype=_FLOATS, ensure_2d=False)
    _check_shape(array, (n_components,), "weights")
    if np.any(array < 0) or np.any(array > 1):
        # scikit-learn's text has the two numbers this way round.
        raise ValueError(
            f"The parameter 'weights' should be in the range [0, 1], but got max value {array.min():.5f}, "
            f"min value {array.max():.5f}"
        )
    if abs(1 - float(array.sum())) > (1e-6 if array.dtype == np.float32 else 1e-8):
        raise ValueError(
            f"The parameter 'weights' should be normalized, but got sum(weights) = {float(array.sum()):.5f}"
        )
    return array


def checked_means(means: Any, n_components: int, n_features: int) -> AnyArray:
    """Return means of shape (n_components, n_features)."""
    array: AnyArray = check_array(means, dtype=_FLOATS, ensure_2d=False)
    _check_shape(array, (n_components, n_features), "means")
    return array


def checked_precisions(precisions: Any, covariance_type: str, n_components: int, n_features: int) -> AnyArray:
    """Return precisions of the type's shape, positive or symmetric and positive-definite."""
    array: AnyArray = (
        check_array(precisions, dtype=_FLOATS, ensure_2d=False, allow_nd=True, ensure_min_samples=0)
        if np.ndim(precisions)
        else np.asarray(precisions, np.float64)
    )
    _check_shape(array, covariance_shape(covariance_type, n_components, n_features), f"{covariance_type} precision")
    if covariance_type not in ("full", "tied"):
        if np.any(array <= 0):
            raise ValueError(f"'{covariance_type} precision' should be positive")
        return array
    for matrix in array.reshape(-1, n_features, n_features):
        if not (np.allclose(matrix, matrix.T) and np.all(np.linalg.eigvalsh(matrix) > 0)):
            raise ValueError(f"'{covariance_type} precision' should be symmetric, positive-definite")
    return array


def _check_shape(array: AnyArray, shape: tuple[int, ...], name: str) -> None:
    if array.shape != shape:
        raise ValueError(f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}")
