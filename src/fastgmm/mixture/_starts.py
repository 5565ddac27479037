"""Starting points of one-dimensional mixtures that need NumPy only."""

from __future__ import annotations

import numpy as np

from fastgmm._types import AnyArray, BoolArray, Float64Array, Int64Array

_TEN_EPSILON = 10 * np.finfo(np.float64).eps


def optimal_clusters(values: AnyArray, counts: AnyArray, n_clusters: int) -> Int64Array:
    """Return the cluster of each value in the partition with the least sum of squares.

    Parameters
    ----------
    values : ndarray of shape (n,)
        In rising order.
    counts : ndarray of shape (n,)
        Weights, above 0.
    n_clusters : int
        With fewer values than clusters the last clusters stay empty.

    Returns
    -------
    ndarray of shape (n,), dtype int64
        Rising from 0.

    Notes
    -----
    Dynamic programming over the number of clusters. The best last boundary rises with the end of the prefix, so each
    layer is solved by divide and conquer, all its nodes of one depth at once: O(n_clusters n log n) time and
    O(n_clusters n) memory. Equal costs take the lowest boundary.

    References
    ----------
    Wang and Song, Ckmeans.1d.dp, The R Journal 3(2), 2011; Grønlund et al., arXiv:1701.07204.
    """
    n = len(values)
    n_clusters = min(n_clusters, n)
    cost = _Scatter(np.asarray(values, np.float64), np.asarray(counts, np.float64))
    best = cost(np.zeros(n + 1, np.int64), np.arange(n + 1))
    boundaries = []
    for _ in range(1, n_clusters):
        best, boundary = _next_layer(best, cost)
        boundaries.append(boundary)
    labels = np.empty(n, np.int64)
    end = n
    for cluster in range(n_clusters - 1, -1, -1):
        begin = int(boundaries[cluster - 1][end]) if cluster else 0
        labels[begin:end] = cluster
        end = begin
    return labels


class _Scatter:
    """Sum of squares about the mean of the values begin..end - 1, from running sums."""

    def __init__(self, values: Float64Array, counts: Float64Array) -> None:
        centred = values - np.average(values, weights=counts)
        terms = np.stack([counts, counts * centred, counts * centred**2])
        self.sums = np.concatenate([np.zeros((3, 1)), np.cumsum(terms, axis=1)], axis=1)

    def __call__(self, begin: Int64Array, end: Int64Array) -> Float64Array:
        mass, first, second = self.sums[:, end] - self.sums[:, begin]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(end - begin > 1, np.maximum(second - first**2 / mass, 0.0), 0.0)


def _next_layer(best: Float64Array, cost: _Scatter) -> tuple[Float64Array, Int64Array]:
    """Return the costs of prefixes 0..n with one more cluster, and where its last cluster begins.

    best : shape (n + 1,), costs of the prefixes so far.
    """
    n_ends = best.size
    new_best, boundary = np.zeros(n_ends), np.zeros(n_ends, np.int64)
    # Nodes: ends low..high, whose best boundaries lie in first..last.
    low, high = np.array([0]), np.array([n_ends - 1])
    first, last = np.array([0]), np.array([n_ends - 1])
    while low.size:
        middle = (low + high) // 2
        chosen, least = _least_of_ranges(first, np.minimum(last, middle), middle, best, cost)
        new_best[middle], boundary[middle] = least, chosen
        low, high = np.concatenate([low, middle + 1]), np.concatenate([middle - 1, high])
        first, last = np.concatenate([first, chosen]), np.concatenate([chosen, last])
        alive: BoolArray = low <= high
        low, high, first, last = low[alive], high[alive], first[alive], last[alive]
    return new_best, boundary


def _least_of_ranges(
    first: Int64Array, last: Int64Array, end: Int64Array, best: Float64Array, cost: _Scatter
) -> tuple[Int64Array, Float64Array]:
    """Return for each range first..last the candidate boundary of least cost for its end, and that cost."""
    lengths = last - first + 1
    offsets = np.cumsum(lengths) - lengths
    node = np.repeat(np.arange(first.size), lengths)
    candidates = np.arange(node.size) - offsets[node] + first[node]
    costs = best[candidates] + cost(candidates, end[node])
    least = np.minimum.reduceat(costs, offsets)
    hits = np.flatnonzero(costs == least[node])
    first_hit = hits[np.searchsorted(hits, offsets)]
    return candidates[first_hit], least


def parameters_of_labels(
    values: Float64Array, counts: Float64Array, labels: Int64Array, n_components: int, reg_covar: float
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return weights, means and variances, as scikit-learn's first M-step does for labels.

    values, counts, labels : shape (n,). An empty component gets mass 10 eps, mean 0 and variance reg_covar.
    """
    masses = np.bincount(labels, counts, n_components) + _TEN_EPSILON
    means = np.bincount(labels, counts * values, n_components) / masses
    scatter = np.bincount(labels, counts * (values - means[labels]) ** 2, n_components)
    return masses / counts.sum(), means, scatter / masses + reg_covar
