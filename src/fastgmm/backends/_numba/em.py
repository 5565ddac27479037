"""EM steps and assignment of rows, in fixed chunks that threads take and that are added up in order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends._contract import Mixture, Moments
from fastgmm.backends._numba.em_histogram import compiled, exp_fixed, log_fixed

_ROWS = 4096


@compiled  # type: ignore[untyped-decorator]
def _log_joint(rows: AnyArray, offsets: AnyArray, means: AnyArray, factors: AnyArray, joint: AnyArray) -> None:
    """Write offsets - |P' (x - mean)|^2 / 2 of shape (m, K); factors (K or 1, d or 1, d), a diagonal has one row."""
    d = means.shape[1]
    for row in range(rows.shape[0]):
        for k in range(means.shape[0]):
            factor = factors[k % factors.shape[0]]
            distance = 0.0
            for j in range(d):
                scaled = 0.0
                if factor.shape[0] == d and d > 1:
                    for i in range(j + 1):
                        scaled += (rows[row, i] - means[k, i]) * factor[i, j]
                else:
                    scaled = (rows[row, j] - means[k, j]) * factor[0, j]
                distance += scaled * scaled
            joint[row, k] = offsets[k] - 0.5 * distance


@compiled  # type: ignore[untyped-decorator]
def _soften(joint: AnyArray, density: AnyArray) -> None:
    """Turn log densities (m, K) into responsibilities, and write the log density of each row."""
    for row in range(joint.shape[0]):
        largest, total = joint[row, 0], 0.0
        for k in range(1, joint.shape[1]):
            largest = max(largest, joint[row, k])
        for k in range(joint.shape[1]):
            joint[row, k] = exp_fixed(joint[row, k] - largest)
            total += joint[row, k]
        for k in range(joint.shape[1]):
            joint[row, k] /= total
        density[row] = largest + log_fixed(total)


@compiled  # type: ignore[untyped-decorator]
def _add_moments(
    rows: AnyArray, masses: AnyArray, means: AnyArray, mass: AnyArray, first: AnyArray, second: AnyArray
) -> None:
    """Add the moments of the rows; second has shape (K, d, d), (K, 1, d) for variances only, or none."""
    d = means.shape[1]
    for row in range(rows.shape[0]):
        for k in range(means.shape[0]):
            share = masses[row, k]
            mass[k] += share
            for i in range(d):
                moment = share * (rows[row, i] - means[k, i])
                first[k, i] += moment
                if second.shape[0] and second.shape[1] == 1:
                    second[k, 0, i] += moment * (rows[row, i] - means[k, i])
                elif second.shape[0]:
                    for j in range(d):
                        second[k, i, j] += moment * (rows[row, j] - means[k, j])


def em_step(X: AnyArray, weights: Float64Array | None, mixture: Mixture, n_jobs: int) -> Moments:
    """Return the moments for the responsibilities under the mixture, and the log-likelihood."""

    def shares(begin: int, rows: Float64Array) -> tuple[Float64Array, float]:
        joint, density = _softened(rows, mixture)
        if weights is None:
            return joint, float(density.sum())
        part = weights[begin : begin + len(rows)]
        return joint * part[:, np.newaxis], float(density @ part)

    return _sum_chunks(X, mixture.means, mixture.kind, shares, n_jobs)


def em_moments(X: AnyArray, responsibilities: Float64Array, means: Float64Array, kind: str, n_jobs: int) -> Moments:
    """Return the moments for given responsibilities of shape (n, K)."""
    return _sum_chunks(X, means, kind, lambda begin, rows: (responsibilities[begin : begin + len(rows)], 0.0), n_jobs)


def em_assign(
    X: AnyArray,
    mixture: Mixture,
    labels: Int64Array | None,
    log_density: AnyArray | None,
    responsibilities: AnyArray | None,
    n_jobs: int,
) -> None:
    """Write the most probable component, the log density, and the responsibilities of each row."""

    def assign(begin: int) -> None:
        rows = _chunk(X, begin)
        part = slice(begin, begin + len(rows))
        if labels is not None:
            joint = np.empty((len(rows), len(mixture.means)))
            _log_joint(rows, mixture.offsets, mixture.means, _factors(mixture), joint)
            labels[part] = np.argmax(joint, axis=1)
        if log_density is not None or responsibilities is not None:
            joint, density = _softened(rows, mixture)
            if log_density is not None:
                log_density[part] = density
            if responsibilities is not None:
                responsibilities[part] = joint

    _each_chunk(X, assign, n_jobs)


def _softened(rows: Float64Array, mixture: Mixture) -> tuple[Float64Array, Float64Array]:
    joint, density = np.empty((len(rows), len(mixture.means))), np.empty(len(rows))
    _log_joint(rows, mixture.offsets, mixture.means, _factors(mixture), joint)
    _soften(joint, density)
    return joint, density


def _factors(mixture: Mixture) -> Float64Array:
    if mixture.kind == "diag":
        return mixture.precisions[:, np.newaxis]
    return mixture.precisions.reshape(-1, *mixture.precisions.shape[-2:])


def _chunk(X: AnyArray, begin: int) -> Float64Array:
    return np.ascontiguousarray(X[begin : begin + _ROWS], np.float64)


def _each_chunk(X: AnyArray, work: Callable[[int], Any], n_jobs: int) -> list[Any]:
    begins = range(0, len(X), _ROWS)
    if n_jobs == 1 or len(begins) == 1:
        return [work(begin) for begin in begins]
    with ThreadPoolExecutor(min(n_jobs, len(begins))) as pool:
        return list(pool.map(work, begins))


def _sum_chunks(
    X: AnyArray,
    means: Float64Array,
    kind: str,
    shares: Callable[[int, Float64Array], tuple[Float64Array, float]],
    n_jobs: int,
) -> Moments:
    """Return the moments of all rows, the chunks added in rising order."""
    n_components, d = means.shape
    shape = {"full": (n_components, d, d), "diag": (n_components, 1, d), "tied": (0, 1, d)}[kind]

    def part(begin: int) -> tuple[float, Float64Array, Float64Array, Float64Array]:
        rows = _chunk(X, begin)
        masses, log_likelihood = shares(begin, rows)
        mass, first, second = np.zeros(n_components), np.zeros((n_components, d)), np.zeros(shape)
        _add_moments(rows, np.ascontiguousarray(masses), means, mass, first, second)
        return log_likelihood, mass, first, second

    sums = [sum(terms[1:], start=terms[0]) for terms in zip(*_each_chunk(X, part, n_jobs), strict=True)]
    return Moments(sums[0], sums[1], sums[2], sums[3] if kind == "full" else sums[3].reshape(-1, d))
