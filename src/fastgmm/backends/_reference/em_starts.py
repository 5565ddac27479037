"""The passes of k-means, and the moments of labelled rows, from their definitions."""

from __future__ import annotations

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int32Array
from fastgmm.backends._contract import KMEANS_ROWS, Clusters, Moments
from fastgmm.backends._reference.em import em_moments


def em_label_moments(
    X: AnyArray, weights: Float64Array | None, labels: Int32Array, means: Float64Array, kind: str, n_jobs: int
) -> Moments:
    """Return the moments where each row belongs wholly to the component of its label."""
    return em_moments(X, np.eye(len(means))[labels] * _column(X, weights), means, kind, n_jobs)


def kmeans_step(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    labels: Int32Array,
    n_jobs: int,
) -> Clusters:
    """Overwrite the labels with the nearest centres, and add up the clusters."""
    rows = X.astype(np.float64) - origin
    nearest = np.argmin((centres**2).sum(axis=1) - 2 * (rows @ centres.T), axis=1)
    n_changed = int(np.count_nonzero(nearest != labels))
    labels[...] = nearest
    members = np.eye(len(centres))[nearest] * _column(X, weights)
    return Clusters(n_changed, members.sum(axis=0), members.T @ rows)


def kmeans_potentials(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Return for each centre the sum over rows of weight * min(closest, squared distance to it)."""
    nearer = np.minimum(closest[:, np.newaxis], _squared_distances(X, origin, centres))
    potentials: Float64Array = (nearer * _column(X, weights)).sum(axis=0)
    return potentials


def kmeans_approach(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centre: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Lower `closest` to the squared distance to the centre where that is less; return the sums of blocks."""
    np.minimum(closest, _squared_distances(X, origin, centre[np.newaxis])[:, 0], out=closest)
    terms = closest * _column(X, weights)[:, 0]
    return np.array([terms[i : i + KMEANS_ROWS].sum() for i in range(0, len(terms), KMEANS_ROWS)])


def _column(X: AnyArray, weights: Float64Array | None) -> Float64Array:
    """Return the weights with shape (n, 1)."""
    return np.ones((len(X), 1)) if weights is None else weights[:, np.newaxis]


def _squared_distances(X: AnyArray, origin: Float64Array, centres: Float64Array) -> Float64Array:
    """Return |c|^2 - 2 x.c + |x|^2, at least 0, of shape (n, K)."""
    rows = X.astype(np.float64) - origin
    distances = (centres**2).sum(axis=1) - 2 * (rows @ centres.T) + (rows**2).sum(axis=1, keepdims=True)
    positive: Float64Array = np.maximum(distances, 0.0)
    return positive
