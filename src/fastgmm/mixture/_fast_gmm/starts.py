"""The starts of `FastGMM`: scikit-learn's four, drawn with the same random numbers, and deterministic ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus
from threadpoolctl import threadpool_limits

from fastgmm._types import Float64Array, Int64Array
from fastgmm.mixture._covariance import Parameters, cholesky_of_precisions, kernel_kind, maximise
from fastgmm.mixture._rows import CHUNK_ROWS, ArrayRows, first_guess, one_hot
from fastgmm.mixture._starts import optimal_clusters

_PROJECTION_BINS = 4096


def draw_start(
    rows: ArrayRows, init_params: str, n_components: int, covariance_type: str, reg_covar: float, random_state: Any
) -> Parameters:
    """Return the parameters that the first M-step makes of the start's responsibilities.

    random_state : RandomState, used exactly as scikit-learn's GaussianMixture uses it where the rows have no weights.
    """
    kind = kernel_kind(covariance_type, rows.X.shape[1])
    whole = True
    if init_params == "random":
        means = np.repeat(first_guess(rows.X)[np.newaxis], n_components, axis=0)
        moments = rows.moments_of(_uniform_shares(random_state, n_components), means, kind)
    elif init_params in ("kmeans", "optimal"):
        labels = _kmeans(rows, n_components, random_state) if init_params == "kmeans" else _optimal(rows, n_components)
        means = _means_of_labels(rows, labels, n_components)
        moments = rows.moments_of(one_hot(labels, n_components), means, kind)
    else:
        draw = _kmeans_plusplus if init_params == "k-means++" else _random_rows
        chosen = draw(rows, n_components, random_state)
        few = ArrayRows(rows.X[chosen], None if rows.weights is None else rows.weights[chosen], rows.kernels, 1)
        means, whole = np.asarray(few.X, np.float64), False
        moments = few.moments_of(one_hot(np.arange(n_components), n_components), means, kind)
    total = rows.total_scatter() if covariance_type == "tied" else None
    masses, means, covariances = maximise(moments, means, covariance_type, reg_covar, total, whole=whole)
    factors = cholesky_of_precisions(covariances, covariance_type, masses)
    return Parameters(masses / rows.mass, means, covariances, factors)


def _uniform_shares(random_state: Any, n_components: int) -> Callable[[int, int], Float64Array]:
    """Return normalised uniform responsibilities; drawn chunk by chunk they are the numbers of one large draw."""

    def shares(begin: int, end: int) -> Float64Array:
        drawn: Float64Array = random_state.uniform(size=(end - begin, n_components))
        drawn /= drawn.sum(axis=1, keepdims=True)
        return drawn

    return shares


def _kmeans(rows: ArrayRows, n_components: int, random_state: Any) -> Int64Array:
    with threadpool_limits(limits=rows.n_jobs, user_api="openmp"):
        clusters = KMeans(n_components, n_init=1, random_state=random_state).fit(rows.X, sample_weight=rows.weights)
    labels: Int64Array = clusters.labels_
    return labels


def _random_rows(rows: ArrayRows, n_components: int, random_state: Any) -> Int64Array:
    shares = None if rows.weights is None else rows.weights / rows.mass
    chosen: Int64Array = random_state.choice(len(rows.X), size=n_components, replace=False, p=shares)
    return chosen


def _kmeans_plusplus(rows: ArrayRows, n_components: int, random_state: Any) -> Int64Array:
    chosen: Int64Array = kmeans_plusplus(rows.X, n_components, sample_weight=rows.weights, random_state=random_state)[1]
    return chosen


def _optimal(rows: ArrayRows, n_components: int) -> Int64Array:
    """Return the labels of the optimal partition in 1-D, of that of the projection on the principal axis in n-D.

    In n-D the projections are counted in 4096 equal bins first.
    """
    weights = np.ones(len(rows.X)) if rows.weights is None else rows.weights
    if rows.X.shape[1] == 1:
        values, place = np.unique(rows.X[:, 0], return_inverse=True)
        return optimal_clusters(values, np.bincount(place, weights), n_components)[place]
    total = rows.total_scatter()
    axis = np.linalg.eigh(total.matrix)[1][:, -1]
    axis *= np.sign(axis[np.argmax(np.abs(axis))])
    projected = np.empty(len(rows.X))
    for begin in range(0, len(rows.X), CHUNK_ROWS):
        projected[begin : begin + CHUNK_ROWS] = (rows.X[begin : begin + CHUNK_ROWS] - total.mean) @ axis
    low, high = projected.min(), projected.max()
    bins = ((projected - low) * ((_PROJECTION_BINS - 1) / (high - low or 1.0))).astype(np.int64)
    occupied, place = np.unique(bins, return_inverse=True)
    return optimal_clusters(occupied, np.bincount(place, weights), n_components)[place]


def _means_of_labels(rows: ArrayRows, labels: Int64Array, n_components: int) -> Float64Array:
    """Return the mean of each label's rows, the mean of all rows for an empty one; shape (K, d)."""
    guess = np.repeat(first_guess(rows.X)[np.newaxis], n_components, axis=0)
    moments = rows.moments_of(one_hot(labels, n_components), guess, "tied")
    return guess + moments.first / np.maximum(moments.mass, np.finfo(np.float64).tiny)[:, np.newaxis]
