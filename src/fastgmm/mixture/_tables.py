"""The most probable component of each of a list of values."""

from __future__ import annotations

import numpy as np

from fastgmm._types import AnyArray, Int64Array


def map_table(weights: AnyArray, means: AnyArray, variances: AnyArray, values: AnyArray) -> Int64Array:
    """Return the most probable component of each value, computed in float64.

    Parameters
    ----------
    weights, means, variances : ndarray of shape (n_components,)
    values : ndarray of shape (n,), any real dtype

    Returns
    -------
    ndarray of shape (n,), dtype int64
        0..n_components - 1; the first of components that are equally probable.
    """
    weights, means, variances = (np.asarray(a, np.float64).reshape(-1) for a in (weights, means, variances))
    with np.errstate(divide="ignore"):
        offsets = np.log(weights) - 0.5 * np.log(variances)
    distances = np.asarray(values, np.float64)[:, np.newaxis] - means
    labels: Int64Array = np.argmax(offsets - 0.5 * distances**2 / variances, axis=1).astype(np.int64)
    return labels
