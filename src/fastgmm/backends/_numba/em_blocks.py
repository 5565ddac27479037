"""One fused E- and M-step over blocks of rows, in any dimension; as csrc/core/em_blocks.cpp, not to the bit.

Rows come feature by feature, float64. A block's densities lie in a (K, 256) array, so the caches hold them.
"""

from __future__ import annotations

import numpy as np

from fastgmm._types import Float64Array, Int64Array
from fastgmm.backends._numba.compiled import compiled, compiled_sums
from fastgmm.backends._numba.gaussian import exp_fixed, log_fixed

BLOCK_ROWS = 256
FULL, TIED, DIAG = 0, 1, 2


@compiled_sums
def _centre(x: Float64Array, mean: Float64Array, centred: Float64Array) -> None:
    for i in range(x.shape[0]):
        for b in range(x.shape[1]):
            centred[i, b] = x[i, b] - mean[i]


@compiled_sums
def _project(centred: Float64Array, factor: Float64Array, j: int, product: Float64Array) -> None:
    """Write the j-th feature of factor' centred."""
    for b in range(centred.shape[1]):
        product[b] = factor[0, j] * centred[0, b]
    for i in range(1, j + 1):
        for b in range(centred.shape[1]):
            product[b] += factor[i, j] * centred[i, b]


@compiled_sums
def _subtract_square(values: Float64Array, origin: float, scale: float, density: Float64Array) -> None:
    for b in range(values.size):
        scaled = (values[b] - origin) * scale
        density[b] -= 0.5 * (scaled * scaled)


@compiled
def _densities(
    x: Float64Array,
    kind: int,
    offsets: Float64Array,
    means: Float64Array,
    precisions: Float64Array,
    centred: Float64Array,
    density: Float64Array,
) -> None:
    """Write the log densities (K, n) of the rows x (d, n). Tied means arrive projected, about the first, see `em`."""
    n_components, d = means.shape
    for k in range(n_components):
        density[k] = offsets[k]
    product = np.empty(x.shape[1])
    if kind == TIED:
        _centre(x, precisions[1, 0], centred)
        for j in range(d):
            _project(centred, precisions[0], j, product)
            for k in range(n_components):
                _subtract_square(product, precisions[2 + k, 0, j], 1.0, density[k])
        return
    for k in range(n_components):
        if kind == DIAG:
            for i in range(d):
                _subtract_square(x[i], means[k, i], precisions[k, 0, i], density[k])
            continue
        _centre(x, means[k], centred)
        for j in range(d):
            _project(centred, precisions[k], j, product)
            _subtract_square(product, 0.0, 1.0, density[k])


@compiled
def _soften(density: Float64Array, largest: Float64Array, total: Float64Array) -> None:
    """Turn log densities (K, n) into exp(log density - largest), with their largest and their total."""
    for b in range(largest.size):
        largest[b] = density[0, b]
        total[b] = 0.0
    for k in range(1, density.shape[0]):
        for b in range(largest.size):
            largest[b] = density[k, b] if density[k, b] > largest[b] else largest[b]
    for k in range(density.shape[0]):
        for b in range(largest.size):
            density[k, b] = exp_fixed(density[k, b] - largest[b])
            total[b] += density[k, b]


@compiled_sums
def _product_sum(a: Float64Array, b: Float64Array) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@compiled_sums
def _add_moments(
    x: Float64Array,
    mass: Float64Array,
    kind: int,
    mean: Float64Array,
    centred: Float64Array,
    weighted: Float64Array,
    first: Float64Array,
    second: Float64Array,
) -> float:
    """Add the sums of mass (x - mean)^1, 2, the latter at and above the diagonal; return that of the mass."""
    _centre(x, mean, centred)
    for i in range(x.shape[0]):
        for b in range(mass.size):
            weighted[b] = mass[b] * centred[i, b]
        first[i] += weighted.sum()
        if kind == FULL:
            for j in range(i, x.shape[0]):
                second[i, j] += _product_sum(weighted, centred[j])
        elif kind == DIAG:
            second[0, i] += _product_sum(weighted, centred[i])
    return float(mass.sum())


@compiled
def step(
    X: Float64Array,
    weights: Float64Array,
    kind: int,
    offsets: Float64Array,
    means: Float64Array,
    precisions: Float64Array,
    mass: Float64Array,
    first: Float64Array,
    second: Float64Array,
) -> float:
    """Add the moments of the rows X (d, n) under the mixture; return their log-likelihood."""
    n = X.shape[1]
    likelihood = 0.0
    for begin in range(0, n, BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, n)
        x = np.ascontiguousarray(X[:, begin:end])
        centred, product = np.empty_like(x), np.empty(end - begin)
        density = np.empty((means.shape[0], end - begin))
        largest, total = np.empty(end - begin), np.empty(end - begin)
        _densities(x, kind, offsets, means, precisions, centred, density)
        _soften(density, largest, total)
        for b in range(end - begin):
            likelihood += weights[begin + b] * (largest[b] + log_fixed(total[b]))
            total[b] = weights[begin + b] / total[b]
        for k in range(means.shape[0]):
            density[k] *= total
            mass[k] += _add_moments(x, density[k], kind, means[k], centred, product, first[k], second[k])
    return likelihood


@compiled
def moments_of(
    X: Float64Array,
    responsibilities: Float64Array,
    kind: int,
    means: Float64Array,
    mass: Float64Array,
    first: Float64Array,
    second: Float64Array,
) -> None:
    """Add the moments of the rows X (d, n) for the responsibilities (K, n)."""
    for begin in range(0, X.shape[1], BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, X.shape[1])
        x = np.ascontiguousarray(X[:, begin:end])
        centred, product = np.empty_like(x), np.empty(end - begin)
        for k in range(means.shape[0]):
            shares = responsibilities[k, begin:end]
            mass[k] += _add_moments(x, shares, kind, means[k], centred, product, first[k], second[k])


@compiled
def assign(
    X: Float64Array,
    kind: int,
    offsets: Float64Array,
    means: Float64Array,
    precisions: Float64Array,
    labels: Int64Array,
    log_density: Float64Array,
    responsibilities: Float64Array,
) -> None:
    """Write what is asked for of the rows X (d, n); an array of size 0 is left alone."""
    n_components = means.shape[0]
    for begin in range(0, X.shape[1], BLOCK_ROWS):
        end = min(begin + BLOCK_ROWS, X.shape[1])
        x = np.ascontiguousarray(X[:, begin:end])
        density = np.empty((n_components, end - begin))
        _densities(x, kind, offsets, means, precisions, np.empty_like(x), density)
        if labels.size:
            _largest_component(density, labels[begin:end])
        if not (log_density.size or responsibilities.size):
            continue
        largest, total = np.empty(end - begin), np.empty(end - begin)
        _soften(density, largest, total)
        if responsibilities.size:
            for k in range(n_components):
                responsibilities[begin:end, k] = density[k] / total
        if log_density.size:
            for b in range(end - begin):
                log_density[begin + b] = largest[b] + log_fixed(total[b])


@compiled
def _largest_component(density: Float64Array, labels: Int64Array) -> None:
    for b in range(labels.size):
        best = 0
        for k in range(1, density.shape[0]):
            if density[k, b] > density[best, b]:
                best = k
        labels[b] = best
