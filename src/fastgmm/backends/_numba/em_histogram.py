"""EM on histograms, operation for operation as csrc/shared/gaussian.h: the same bits as the compiled backend.

No fastmath, so LLVM neither reorders nor contracts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends._contract import HistogramFit

_LANES = 512
_TEN_EPSILON = 10 * 2.0**-52
_HALF_LOG_2PI = float.fromhex("0x1.d67f1c864beb5p-1")
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42p-1"), float.fromhex("0x1.fdf473de6af28p-22")
_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_ROUNDING_SHIFT = 1.5 * 2.0**52
_EXP_TERMS = (
    float.fromhex("0x1.af38a9b0ec855p-26"),
    float.fromhex("0x1.289185613a3d6p-22"),
    float.fromhex("0x1.71de0dae63bb3p-19"),
    float.fromhex("0x1.a019b90d2ae7ap-16"),
    float.fromhex("0x1.a01a01a7c41d5p-13"),
    float.fromhex("0x1.6c16c1788bd90p-10"),
    float.fromhex("0x1.11111111109b3p-7"),
    float.fromhex("0x1.5555555553d63p-5"),
    float.fromhex("0x1.5555555555556p-3"),
    float.fromhex("0x1.0000000000001p-1"),
)
_LOG_TERMS = (
    float.fromhex("0x1.2b5900de53b32p-3"),
    float.fromhex("0x1.39fe51a7c18f9p-3"),
    float.fromhex("0x1.7462b51cb66b1p-3"),
    float.fromhex("0x1.c71c62e3f11e6p-3"),
    float.fromhex("0x1.2492492df281ap-2"),
    float.fromhex("0x1.99999999952d7p-2"),
    float.fromhex("0x1.5555555555558p-1"),
)
_BELOW_ROOT_HALF = np.uint64(0x3FE6A09E667F3BCD)
_EXPONENT_SHIFT = np.uint64(52)
_BIAS_1024 = np.uint64(1024 << 52)
_TWO_52 = np.uint64(0x4330000000000000)

compiled: Any = njit(nogil=True, cache=True)


@compiled  # type: ignore[untyped-decorator]
def exp_fixed(argument: float) -> float:
    """Return exp; see gaussian.h."""
    x = -709.1 if argument < -709.1 else argument
    shifted = x * _LOG2_E + _ROUNDING_SHIFT
    k = shifted - _ROUNDING_SHIFT
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    q = _EXP_TERMS[0]
    for term in _EXP_TERMS[1:]:
        q = q * r + term
    power = np.uint64((np.float64(shifted).view(np.uint64) + np.uint64(1023)) << _EXPONENT_SHIFT).view(np.float64)
    return (1.0 + (r + r * r * q)) * power


@compiled  # type: ignore[untyped-decorator]
def log_fixed(x: float) -> float:
    """Return log of a positive normal number; see gaussian.h."""
    bits = np.float64(x).view(np.uint64)
    biased = (bits - _BELOW_ROOT_HALF + _BIAS_1024) >> _EXPONENT_SHIFT
    k = np.uint64(biased | _TWO_52).view(np.float64) - (2.0**52 + 1024.0)
    f = np.uint64(bits - (biased << _EXPONENT_SHIFT) + _BIAS_1024).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = _LOG_TERMS[0]
    for term in _LOG_TERMS[1:]:
        p = p * z + term
    return k * _LN2_HIGH + (f - (s * (f - z * p) - k * _LN2_LOW))


@compiled  # type: ignore[untyped-decorator]
def _log_or_minus_infinity(x: float) -> float:
    return log_fixed(x) if x >= 2.0**-1022 else -np.inf


@compiled  # type: ignore[untyped-decorator]
def _tree_sum(lanes: AnyArray) -> float:
    half = _LANES // 2
    while half > 0:
        for i in range(half):
            lanes[i] += lanes[i + half]
        half //= 2
    return lanes[0]  # type: ignore[no-any-return]


@compiled  # type: ignore[untyped-decorator]
def _e_step(
    values: AnyArray, counts: AnyArray, offsets: AnyArray, means: AnyArray, precisions: AnyArray, lanes: AnyArray
) -> None:
    """Add every bin to its lane: lanes[3 k + p] are the moments of component k, lanes[3 K] the log-likelihood."""
    n_components = means.size
    density = np.empty(n_components)
    lanes[:] = 0.0
    for j in range(values.size):
        lane, x = j % _LANES, values[j]
        largest = -np.inf
        for k in range(n_components):
            scaled = (x - means[k]) * precisions[k]
            density[k] = offsets[k] - 0.5 * (scaled * scaled)
            largest = density[k] if k == 0 or density[k] > largest else largest
        total = 0.0
        for k in range(n_components):
            density[k] = exp_fixed(density[k] - largest)
            total += density[k]
        lanes[3 * n_components, lane] += counts[j] * (largest + log_fixed(total))
        ratio = counts[j] / total
        for k in range(n_components):
            mass, d = density[k] * ratio, x - means[k]
            first = mass * d
            lanes[3 * k, lane] += mass
            lanes[3 * k + 1, lane] += first
            lanes[3 * k + 2, lane] += first * d


@compiled  # type: ignore[untyped-decorator]
def _m_step(
    lanes: AnyArray, weights: AnyArray, means: AnyArray, precisions: AnyArray, variances: AnyArray, limits: AnyArray
) -> int:
    """Write the new parameters; return the first component without a positive variance, else -1.

    limits : reg_covar, variance_floor.
    """
    collapsed, everything = -1, 0.0
    for k in range(means.size):
        s0, s1, s2 = _tree_sum(lanes[3 * k]), _tree_sum(lanes[3 * k + 1]), _tree_sum(lanes[3 * k + 2])
        mass = s0 + _TEN_EPSILON
        mean = means[k] + (s1 - means[k] * _TEN_EPSILON) / mass
        moved = mean - means[k]
        variance = ((s2 - 2.0 * moved * s1) + moved * moved * s0) / mass + limits[0]
        variance = limits[1] if variance < limits[1] else variance
        if not variance > 0.0 and collapsed < 0:
            collapsed = k
        weights[k], means[k], variances[k] = mass, mean, variance
        precisions[k] = 1.0 / np.sqrt(variance) if variance > 0.0 else np.nan
        everything += mass
    for k in range(means.size):
        weights[k] /= everything
    return collapsed


def em_histogram(
    values: Float64Array,
    counts: Float64Array,
    weights: Float64Array,
    means: Float64Array,
    precisions_cholesky: Float64Array,
    *,
    tol: float,
    max_iter: int,
    reg_covar: float,
    variance_floor: float,
    lower_bound: float,
    n_jobs: int,
) -> HistogramFit:
    """Run EM on values that occur counts times, on one thread."""
    weights, means, precisions = weights.copy(), means.copy(), precisions_cholesky.copy()
    variances, limits = 1.0 / (precisions * precisions), np.array([reg_covar, variance_floor])
    lanes = np.zeros((3 * weights.size + 1, _LANES))
    padded = np.zeros(-(-values.size // _LANES) * _LANES)
    padded[: values.size] = counts
    mass = _tree_sum(_lane_sums(padded))
    bounds: list[float] = []
    converged, collapsed = False, -1
    while len(bounds) < max_iter and not converged:
        offsets = np.array(
            [
                (_log_or_minus_infinity(w) + _log_or_minus_infinity(p)) - _HALF_LOG_2PI
                for w, p in zip(weights, precisions, strict=True)
            ]
        )
        _e_step(values, counts, offsets, means, precisions, lanes)
        collapsed = _m_step(lanes, weights, means, precisions, variances, limits)
        if collapsed >= 0:
            break
        previous, lower_bound = lower_bound, _tree_sum(lanes[-1]) / mass
        bounds.append(lower_bound)
        converged = abs(lower_bound - previous) < tol
    return HistogramFit(weights, means, variances, precisions, np.array(bounds, np.float64), converged, collapsed)


@compiled  # type: ignore[untyped-decorator]
def _lane_sums(padded: AnyArray) -> AnyArray:
    lanes = np.zeros(_LANES)
    for j in range(padded.size):
        lanes[j % _LANES] += padded[j]
    return lanes
