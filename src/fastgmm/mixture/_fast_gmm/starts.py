"""The starts of `FastGMM`: scikit-learn's four, drawn with the same random numbers, and a deterministic one."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastgmm._arrays import is_device_array, to_device, to_host
from fastgmm._types import AnyArray, Float64Array, Int32Array, Int64Array
from fastgmm.mixture._covariance import Parameters, cholesky_of_precisions, kernel_kind, maximise
from fastgmm.mixture._kmeans import kmeans_labels, kmeans_seeds
from fastgmm.mixture._rows import (
    ArrayRows,
    LabelsOf,
    Piece,
    Rows,
    Shares,
    StreamRows,
    first_guess,
    label_moments_of,
    labels_in,
    moments_of,
    rows_at,
)
from fastgmm.mixture._starts import optimal_clusters

_PROJECTION_BINS = 4096
DEVICE_ROWS = 1 << 18  # of an array on a GPU, which a start looks at


def draw_start(
    rows: Rows, init_params: str, n_components: int, covariance_type: str, reg_covar: float, random_state: Any
) -> Parameters:
    """Return the parameters that the first M-step makes of the start's responsibilities.

    random_state : RandomState, used exactly as scikit-learn's GaussianMixture uses it where the rows have no weights.
    Of a stream, the two k-means starts see the first chunk only; of an array on a GPU all starts see some rows.
    """
    if isinstance(rows, StreamRows) and init_params in ("kmeans", "k-means++"):
        rows = rows.first()
    if isinstance(rows, ArrayRows) and is_device_array(rows.X) and len(rows.X) > DEVICE_ROWS:
        rows = _drawn_rows(rows, None if init_params == "optimal" else random_state)
    kind = kernel_kind(covariance_type, rows.n_features)
    whole = True
    if init_params == "random":
        guess = first_guess(next(rows.pieces()).X)
        means = np.repeat(guess[np.newaxis], n_components, axis=0)
        moments = moments_of(rows, _uniform_shares(random_state, n_components), means, kind)
    elif init_params in ("optimal", "kmeans"):
        labels = _labels_of_start(rows, init_params, n_components, random_state)
        means = _means_of_labels(rows, labels, n_components)
        moments = label_moments_of(rows, labels, means, kind)
    else:
        few = _few_rows(rows, init_params, n_components, random_state)
        means, whole = np.asarray(few.X, np.float64), False
        moments = label_moments_of(few, labels_in(np.arange(n_components, dtype=np.int32)), means, kind)
    total = rows.total_scatter() if covariance_type == "tied" else None
    masses, means, covariances = maximise(moments, means, covariance_type, reg_covar, total, whole=whole)
    factors = cholesky_of_precisions(covariances, covariance_type, masses)
    return Parameters(masses / rows.mass, means, covariances, factors)


def _drawn_rows(rows: ArrayRows, random_state: Any) -> ArrayRows:
    """Return DEVICE_ROWS of the rows, one drawn from each of as many equal stretches.

    random_state : None takes the middle of each.
    """
    ends = np.arange(DEVICE_ROWS + 1) * len(rows.X) // DEVICE_ROWS
    drawn = 0.5 if random_state is None else random_state.uniform(size=DEVICE_ROWS)
    chosen = to_device(ends[:-1] + (drawn * np.diff(ends)).astype(np.int64))
    weights = None if rows.weights is None else rows.weights[chosen]
    return ArrayRows(rows.X[chosen], weights, rows.kernels, rows.n_jobs)


def _uniform_shares(random_state: Any, n_components: int) -> Shares:
    """Return normalised uniform responsibilities; drawn piece by piece they are the numbers of one large draw."""

    def shares(piece: Piece) -> Float64Array:
        drawn: Float64Array = random_state.uniform(size=(len(piece.X), n_components))
        drawn /= drawn.sum(axis=1, keepdims=True)
        return drawn

    return shares


def _labels_of_start(rows: Rows, init_params: str, n_components: int, random_state: Any) -> LabelsOf:
    if init_params == "kmeans":
        assert isinstance(rows, ArrayRows)
        labels, n_distinct = kmeans_labels(rows.placed(), n_components, random_state)
        if n_distinct < n_components:
            warnings.warn(
                f"Number of distinct clusters ({n_distinct}) found smaller than n_clusters ({n_components}). Possibly "
                "due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=8,
            )
        return labels_in(to_host(labels) if rows.counted else labels)
    if isinstance(rows, ArrayRows) and rows.n_features == 1:
        weights = np.ones(len(rows.X)) if rows.weights is None else to_host(rows.weights)
        values, place = np.unique(to_host(rows.X[:, 0]), return_inverse=True)
        clusters = optimal_clusters(values, np.bincount(place, weights), n_components).astype(np.int32)
        return labels_in(clusters[place])
    return _principal_labels(rows, n_components)


def _few_rows(rows: Rows, init_params: str, n_components: int, random_state: Any) -> ArrayRows:
    """Return the rows that are the components of the start."""
    if isinstance(rows, StreamRows):
        chosen = random_state.choice(int(rows.mass), size=n_components, replace=False)
        return ArrayRows(_gather(rows, chosen), None, rows.kernels, 1)
    assert isinstance(rows, ArrayRows)
    if init_params == "random_from_data":
        odds = None if rows.weights is None else to_host(rows.weights) / rows.mass
        chosen = random_state.choice(len(rows.X), size=n_components, replace=False, p=odds)
    else:
        chosen = kmeans_seeds(rows.placed(), np.zeros(rows.n_features), n_components, random_state)
    weights = None if rows.weights is None else rows_at(rows.weights, chosen)
    return ArrayRows(rows_at(rows.X, chosen), weights, rows.kernels, 1)


def _gather(rows: Rows, chosen: Int64Array) -> AnyArray:
    """Return the chosen rows of a stream, in the order chosen."""
    found = np.empty((len(chosen), rows.n_features))
    for piece in rows.pieces():
        here = (chosen >= piece.begin) & (chosen < piece.begin + len(piece.X))
        found[here] = rows_at(piece.X, chosen[here] - piece.begin)
    return found


def _principal_labels(rows: Rows, n_components: int) -> LabelsOf:
    """Return the optimal one-dimensional partition of the projections on the principal axis, in 4096 equal bins."""
    total = rows.total_scatter()
    axis = np.linalg.eigh(total.matrix)[1][:, -1]
    axis *= np.sign(axis[np.argmax(np.abs(axis))])

    def projected(piece: Piece) -> Float64Array:
        if is_device_array(piece.X):
            products = (piece.X - to_device(total.mean)) * to_device(axis)
            return np.asarray(to_host(products.sum(axis=1)), np.float64)
        centred: Float64Array = (piece.X - total.mean) @ axis
        return centred

    ends = np.array([(values.min(), values.max()) for values in map(projected, rows.pieces())])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    scale = (_PROJECTION_BINS - 1) / (high - low or 1.0)

    def bins(piece: Piece) -> Int64Array:
        places: Int64Array = ((projected(piece) - low) * scale).astype(np.int64)
        return places

    masses = np.zeros(_PROJECTION_BINS)
    for piece in rows.pieces():
        masses += np.bincount(bins(piece), to_host(piece.weights), _PROJECTION_BINS)
    occupied = np.flatnonzero(masses)
    labels: Int32Array = np.zeros(_PROJECTION_BINS, np.int32)
    labels[occupied] = optimal_clusters(occupied, masses[occupied], n_components)
    return lambda piece: labels[bins(piece)]


def _means_of_labels(rows: Rows, labels: LabelsOf, n_components: int) -> Float64Array:
    """Return the mean of each component's rows, the first rows' mean for an empty one; shape (K, d)."""
    guess = np.repeat(first_guess(next(rows.pieces()).X)[np.newaxis], n_components, axis=0)
    moments = label_moments_of(rows, labels, guess, "tied")
    return guess + moments.first / np.maximum(moments.mass, np.finfo(np.float64).tiny)[:, np.newaxis]
