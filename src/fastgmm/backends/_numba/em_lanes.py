"""EM on a histogram: bin j is added to lane j mod 512, then a binary tree; as csrc/core/em_histogram.cpp."""

from __future__ import annotations

import math

import numpy as np

from fastgmm._types import Float64Array
from fastgmm.backends._numba.compiled import compiled
from fastgmm.backends._numba.gaussian import (
    HALF_LOG_2_PI,
    LANES,
    exp_fixed,
    log_fixed,
    log_or_minus_infinity,
    update_component,
)


@compiled
def tree_sum(lanes: Float64Array) -> float:
    """Halve the lanes until one is left."""
    half = LANES // 2
    while half > 0:
        for i in range(half):
            lanes[i] += lanes[i + half]
        half //= 2
    return float(lanes[0])


@compiled
def _densities(x: Float64Array, mean: float, precision: float, offset: float, density: Float64Array) -> None:
    for i in range(LANES):
        d = (x[i] - mean) * precision
        density[i] = offset - 0.5 * (d * d)


@compiled
def _soften(density: Float64Array, largest: Float64Array, total: Float64Array) -> None:
    """Turn log densities (K, lanes) into exp(log density - largest), with their largest and their total."""
    for i in range(LANES):
        largest[i] = density[0, i]
        total[i] = 0.0
    for k in range(1, density.shape[0]):
        for i in range(LANES):
            largest[i] = density[k, i] if density[k, i] > largest[i] else largest[i]
    for k in range(density.shape[0]):
        for i in range(LANES):
            density[k, i] = exp_fixed(density[k, i] - largest[i])
            total[i] += density[k, i]


@compiled
def _add_moments(x: Float64Array, density: Float64Array, ratio: Float64Array, mean: float, sums: Float64Array) -> None:
    for i in range(LANES):
        mass = density[i] * ratio[i]
        d = x[i] - mean
        first = mass * d
        sums[0, i] += mass
        sums[1, i] += first
        sums[2, i] += first * d


@compiled
def e_step(
    values: Float64Array, counts: Float64Array, means: Float64Array, precisions: Float64Array, offsets: Float64Array
) -> tuple[Float64Array, float]:
    """Return the moments (K, 3) and the log-likelihood of bins of shape (rows, 512)."""
    n_components = means.size
    sums = np.zeros((n_components, 3, LANES))
    likelihood = np.zeros(LANES)
    density = np.empty((n_components, LANES))
    largest, total = np.empty(LANES), np.empty(LANES)
    for row in range(values.shape[0]):
        x, count = values[row], counts[row]
        for k in range(n_components):
            _densities(x, means[k], precisions[k], offsets[k], density[k])
        _soften(density, largest, total)
        for i in range(LANES):
            likelihood[i] += count[i] * (largest[i] + log_fixed(total[i]))
            total[i] = count[i] / total[i]
        for k in range(n_components):
            _add_moments(x, density[k], total, means[k], sums[k])
    moments = np.empty((n_components, 3))
    for k in range(n_components):
        for p in range(3):
            moments[k, p] = tree_sum(sums[k, p])
    return moments, tree_sum(likelihood)


@compiled
def m_step(
    moments: Float64Array,
    reg_covar: float,
    variance_floor: float,
    weights: Float64Array,
    means: Float64Array,
    variances: Float64Array,
    precisions: Float64Array,
) -> int:
    """Write the new parameters; return the first component without a positive variance, else -1."""
    everything = 0.0
    collapsed = -1
    for k in range(weights.size):
        weights[k], means[k], variances[k] = update_component(moments[k], means[k], reg_covar, variance_floor)
        if not variances[k] > 0.0 and collapsed < 0:
            collapsed = k
        precisions[k] = 1.0 / math.sqrt(variances[k])
        everything += weights[k]
    for k in range(weights.size):
        weights[k] /= everything
    return collapsed


@compiled
def component_offsets(weights: Float64Array, precisions: Float64Array) -> Float64Array:
    """Return log weight + log precision - log(2 pi) / 2."""
    offsets = np.empty(weights.size)
    for k in range(weights.size):
        offsets[k] = (log_or_minus_infinity(weights[k]) + log_or_minus_infinity(precisions[k])) - HALF_LOG_2_PI
    return offsets
