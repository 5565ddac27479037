"""The passes of k-means over rows that come feature by feature, (d, n), less the origin."""

from __future__ import annotations

import numpy as np

from fastgmm._types import Float64Array, Int32Array
from fastgmm.backends._numba.compiled import compiled, compiled_sums

BLOCK_ROWS = 256


@compiled_sums
def _products(x: Float64Array, centre: Float64Array, out: Float64Array) -> float:
    """Write -2 x.c for each row; return |c|^2."""
    for b in range(x.shape[1]):
        out[b] = 0.0
    norm = 0.0
    for i in range(x.shape[0]):
        norm += centre[i] * centre[i]
        for b in range(x.shape[1]):
            out[b] += x[i, b] * centre[i]
    for b in range(x.shape[1]):
        out[b] *= -2.0
    return norm


@compiled
def _squared_distances(x: Float64Array, lengths: Float64Array, centre: Float64Array, out: Float64Array) -> None:
    norm = _products(x, centre, out)
    for b in range(out.size):
        distance = (out[b] + norm) + lengths[b]
        out[b] = distance if distance > 0.0 else 0.0


@compiled_sums
def _squared_lengths(x: Float64Array, out: Float64Array) -> None:
    for b in range(x.shape[1]):
        out[b] = 0.0
    for i in range(x.shape[0]):
        for b in range(x.shape[1]):
            out[b] += x[i, b] * x[i, b]


@compiled
def _nearest(x: Float64Array, centres: Float64Array, nearest: Int32Array) -> None:
    """Write the centre of least |c|^2 - 2 x.c of each row."""
    score, best = np.empty(nearest.size), np.full(nearest.size, np.inf)
    for k in range(centres.shape[0]):
        norm = _products(x, centres[k], score)
        for b in range(score.size):
            if score[b] + norm < best[b]:
                best[b], nearest[b] = score[b] + norm, k


@compiled
def step(
    X: Float64Array,
    weights: Float64Array,
    centres: Float64Array,
    labels: Int32Array,
    mass: Float64Array,
    first: Float64Array,
) -> int:
    """Overwrite the labels, add to mass (K,) and first (K, d); return how many labels changed."""
    changed = 0
    for begin in range(0, X.shape[1], BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, X.shape[1])
        x = np.ascontiguousarray(X[:, begin:end])
        nearest = np.zeros(end - begin, np.int32)
        _nearest(x, centres, nearest)
        for b in range(nearest.size):
            label = nearest[b]
            changed += labels[begin + b] != label
            labels[begin + b] = label
            mass[label] += weights[begin + b]
            for i in range(x.shape[0]):
                first[label, i] += weights[begin + b] * x[i, b]
    return changed


@compiled
def potentials(
    X: Float64Array, weights: Float64Array, centres: Float64Array, closest: Float64Array, sums: Float64Array
) -> None:
    """Add weight * min(closest, squared distance) to the sums, (K,)."""
    for begin in range(0, X.shape[1], BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, X.shape[1])
        x = np.ascontiguousarray(X[:, begin:end])
        lengths, distance = np.empty(end - begin), np.empty(end - begin)
        _squared_lengths(x, lengths)
        for k in range(centres.shape[0]):
            _squared_distances(x, lengths, centres[k], distance)
            for b in range(distance.size):
                sums[k] += weights[begin + b] * min(distance[b], closest[begin + b])


@compiled
def approach(
    X: Float64Array, weights: Float64Array, centre: Float64Array, closest: Float64Array, sums: Float64Array
) -> None:
    """Lower `closest`; write the sum of weight * closest of each block."""
    for begin in range(0, X.shape[1], BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, X.shape[1])
        x = np.ascontiguousarray(X[:, begin:end])
        lengths, distance = np.empty(end - begin), np.empty(end - begin)
        _squared_lengths(x, lengths)
        _squared_distances(x, lengths, centre, distance)
        total = 0.0
        for b in range(distance.size):
            closest[begin + b] = min(distance[b], closest[begin + b])
            total += weights[begin + b] * closest[begin + b]
        sums[begin // BLOCK_ROWS] = total
