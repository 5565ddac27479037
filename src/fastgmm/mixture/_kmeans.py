"""k-means as scikit-learn's `KMeans(n_init=1)` does it, with the same random numbers, on the kernels; NumPy only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgmm._arrays import array_module, to_host
from fastgmm._types import AnyArray, Float64Array, Int32Array, Int64Array
from fastgmm.backends._contract import KMEANS_ROWS, Clusters, Mixture
from fastgmm.mixture._rows import ArrayRows, first_guess, rows_at

_MAX_ITER = 300
_TOLERANCE = 1e-4  # share of the mean variance of the features: less movement of all centres ends the steps


def kmeans_labels(rows: ArrayRows, n_clusters: int, random_state: Any) -> tuple[Int32Array, int]:
    """Return the cluster of each row, shape (n,), and the number of clusters that have rows.

    random_state : RandomState, used exactly as scikit-learn uses it. The labels are where the rows are.

    Notes
    -----
    Rows are taken less their mean. Seeds by k-means++ with 2 + log(n_clusters) trials each, then Lloyd's steps until no
    label changes or the centres move by less than the tolerance; a cluster without rows gets one of those farthest from
    their centres. Memory: 8 bytes a row; 20 where a cluster is empty.

    References
    ----------
    Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007.
    """
    origin, variance = _mean_and_variance(rows)
    chosen = kmeans_seeds(rows, origin, n_clusters, random_state)
    centres = _rows_at(rows, chosen, origin)
    labels: Int32Array = array_module(rows.X).full(len(rows.X), -1, np.int32)
    for _ in range(_MAX_ITER):
        before = centres
        clusters = rows.kernels.kmeans_step(rows.X, rows.weights, origin, centres, labels, rows.n_jobs)
        if clusters.n_changed == 0:
            return labels, int(np.count_nonzero(clusters.mass))
        if not clusters.mass.all():
            _fill_empty(rows, origin, centres, labels, clusters)
        centres = _averages(clusters)
        if ((centres - before) ** 2).sum() <= _TOLERANCE * variance:
            break
    clusters = rows.kernels.kmeans_step(rows.X, rows.weights, origin, centres, labels, rows.n_jobs)
    return labels, int(np.count_nonzero(clusters.mass))


def kmeans_seeds(rows: ArrayRows, origin: Float64Array, n_clusters: int, random_state: Any) -> Int64Array:
    """Return the rows that k-means++ chooses, shape (n_clusters,), as scikit-learn's `kmeans_plusplus`.

    Each further one is the best of some trials drawn in proportion to the squared distance to the nearest so far.
    """
    X, weights, kernels, n_jobs = rows.X, rows.weights, rows.kernels, rows.n_jobs
    chosen = [_first_seed(len(X), weights, random_state)]
    closest = array_module(X).full(len(X), np.inf)
    n_trials = 2 + int(math.log(n_clusters))
    potential: float | None = None
    while len(chosen) < n_clusters:
        newest = _rows_at(rows, np.array(chosen[-1:]), origin)[0]
        sums = np.cumsum(kernels.kmeans_approach(X, weights, origin, newest, closest, n_jobs))
        targets = random_state.uniform(size=n_trials) * (sums[-1] if potential is None else potential)
        trials = np.array([_seek(target, sums, closest, weights) for target in targets])
        potentials = kernels.kmeans_potentials(X, weights, origin, _rows_at(rows, trials, origin), closest, n_jobs)
        best = int(np.argmin(potentials))
        potential = float(potentials[best])
        chosen.append(int(trials[best]))
    return np.array(chosen)


def _first_seed(n: int, weights: Float64Array | None, random_state: Any) -> int:
    """Return the row that `random_state.choice` draws: the first whose running share of the weight is above u."""
    u = float(random_state.random_sample())
    if weights is None:
        row = math.floor(u * n)
        margin = min(u * n - row, row + 1 - u * n)
        if margin > 2.0**-52 * n * n:  # the running sum of n numbers 1 / n cannot be that far off
            return row
    shares: Float64Array = np.full(n, 1 / n) if weights is None else to_host(weights / weights.sum())
    np.cumsum(shares, out=shares)
    shares /= shares[-1]
    return int(np.searchsorted(shares, u, side="right"))


def _seek(target: float, sums: Float64Array, closest: Float64Array, weights: Float64Array | None) -> int:
    """Return the first row at which the running sum of weight * closest reaches the target.

    sums : running sum of the blocks.
    """
    block: int = min(int(np.searchsorted(sums, target)), sums.size - 1)
    part = slice(block * KMEANS_ROWS, (block + 1) * KMEANS_ROWS)
    terms: Float64Array = to_host(closest[part] if weights is None else closest[part] * weights[part])
    within = np.searchsorted(np.cumsum(terms), target - (sums[block - 1] if block else 0.0))
    return block * KMEANS_ROWS + min(int(within), terms.size - 1)


def _rows_at(rows: ArrayRows, chosen: Int64Array, origin: Float64Array) -> Float64Array:
    """Return some rows less the origin, shape (m, d)."""
    return np.ascontiguousarray(rows_at(rows.X, chosen).astype(np.float64) - origin)


def _mean_and_variance(rows: ArrayRows) -> tuple[Float64Array, float]:
    """Return the mean of the rows and the mean of the features' variances; weights do not count, as in scikit-learn."""
    guess = first_guess(rows.X)
    one = Mixture("diag", np.zeros(1), guess[np.newaxis], np.zeros((1, guess.size)))
    _, mass, first, second = rows.kernels.em_step(rows.X, None, one, rows.n_jobs)
    shift = first[0] / mass[0]
    return guess + shift, float(np.mean(second[0] / mass[0] - shift**2))


def _averages(clusters: Clusters) -> Float64Array:
    """Return the means of the clusters; one without rows goes where the largest is at its turn, as in scikit-learn."""
    centres, largest = clusters.first.copy(), int(np.argmax(clusters.mass))
    for k, mass in enumerate(clusters.mass):
        centres[k] = centres[k] * (1 / mass) if mass > 0 else centres[largest]
    return centres


def _fill_empty(
    rows: ArrayRows, origin: Float64Array, centres: Float64Array, labels: Int32Array, clusters: Clusters
) -> None:
    """Move the rows farthest from their centres to the clusters without rows, in the sums."""
    xp, distances = array_module(rows.X), np.empty(len(labels))
    shift, places = xp.asarray(origin), xp.asarray(centres)
    for piece in rows.pieces():
        part = slice(piece.begin, piece.begin + len(piece.X))
        moved = piece.X.astype(np.float64) - shift - places[labels[part]]
        distances[part] = to_host((moved**2).sum(axis=1))
    if distances.max() == 0:
        return
    empty = np.flatnonzero(clusters.mass == 0)
    farthest: AnyArray = np.argpartition(distances, -empty.size)[: -empty.size - 1 : -1]
    for k, row in zip(empty, farthest, strict=True):
        weight, label = 1.0 if rows.weights is None else float(rows.weights[row]), int(labels[row])
        moved = _rows_at(rows, row[np.newaxis], origin)[0] * weight
        clusters.first[label] -= moved
        clusters.mass[label] -= weight
        clusters.first[k], clusters.mass[k] = moved, weight
