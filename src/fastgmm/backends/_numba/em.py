"""Expectation-maximisation in Numba: the chunks of rows, the threads, and the outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends._contract import HistogramBatch, HistogramFit, Mixture, Moments
from fastgmm.backends._numba import em_blocks, em_lanes
from fastgmm.backends._numba.gaussian import LANES
from fastgmm.backends._numba.rows import run_pieces

T = TypeVar("T")
KINDS = {"full": em_blocks.FULL, "tied": em_blocks.TIED, "diag": em_blocks.DIAG}
_MAX_CHUNKS = 16  # each has sums of its own, added in rising order
_PIECE_NUMBERS = 1 << 18  # values copied feature by feature at a time


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
    """Run EM on values that occur counts times."""
    x = _in_lanes(values, values[0] if values.size else 0.0)
    count = _in_lanes(counts, 0.0)
    weights, means, precisions = (array.copy() for array in (weights, means, precisions_cholesky))
    variances = 1.0 / (precisions * precisions)
    mass = em_lanes.tree_sum(count.sum(axis=0)) if len(count) else 0.0
    lower_bounds: list[float] = []
    converged, collapsed = False, -1
    while len(lower_bounds) < max_iter and not converged:
        offsets = em_lanes.component_offsets(weights, precisions)
        moments, likelihood = em_lanes.e_step(x, count, means, precisions, offsets)
        collapsed = em_lanes.m_step(moments, reg_covar, variance_floor, weights, means, variances, precisions)
        if collapsed >= 0:
            break
        previous, lower_bound = lower_bound, likelihood / mass
        lower_bounds.append(lower_bound)
        converged = abs(lower_bound - previous) < tol
    return HistogramFit(
        weights, means, variances, precisions, np.array(lower_bounds, np.float64), bool(converged), int(collapsed)
    )


def em_histogram_batch(
    batch: HistogramBatch, *, tol: float, max_iter: int, reg_covar: float, n_jobs: int
) -> list[HistogramFit]:
    """Run one fit after another, several at a time."""
    return batch.fit_each(em_histogram, tol=tol, max_iter=max_iter, reg_covar=reg_covar, n_jobs=n_jobs)


def em_step(X: AnyArray, weights: Float64Array | None, mixture: Mixture, n_jobs: int) -> Moments:
    """Return the moments for the responsibilities under the mixture, and the log-likelihood."""
    given = _prepared(mixture)

    def chunk_moments(begin: int, end: int) -> Moments:
        sums = no_moments(mixture.means, mixture.kind)
        likelihood = 0.0
        for first, last, columns in pieces(X, begin, end):
            mass_of_row = np.ones(last - first) if weights is None else np.ascontiguousarray(weights[first:last])
            likelihood += em_blocks.step(columns, mass_of_row, *given, *sums)
        return Moments(likelihood, *sums)

    return total_moments(over_chunks(len(X), n_jobs, chunk_moments), mixture.kind)


def em_moments(X: AnyArray, responsibilities: Float64Array, means: Float64Array, kind: str, n_jobs: int) -> Moments:
    """Return the moments for given responsibilities of shape (n, K)."""

    def chunk_moments(begin: int, end: int) -> Moments:
        sums = no_moments(means, kind)
        for first, last, columns in pieces(X, begin, end):
            shares = np.ascontiguousarray(responsibilities[first:last].T)
            em_blocks.moments_of(columns, shares, KINDS[kind], means, *sums)
        return Moments(0.0, *sums)

    return total_moments(over_chunks(len(X), n_jobs, chunk_moments), kind)


def em_assign(
    X: AnyArray,
    mixture: Mixture,
    labels: Int64Array | None,
    log_density: AnyArray | None,
    responsibilities: AnyArray | None,
    n_jobs: int,
) -> None:
    """Write the most probable component, the log density, and the responsibilities of each row."""
    given = _prepared(mixture)

    def write(begin: int, end: int) -> None:
        for first, last, columns in pieces(X, begin, end):
            n = last - first
            label = np.empty(0 if labels is None else n, np.int64)
            density = np.empty(0 if log_density is None else n)
            shares = np.empty((0 if responsibilities is None else n, len(mixture.means)))
            em_blocks.assign(columns, *given, label, density, shares)
            for out, found in ((labels, label), (log_density, density), (responsibilities, shares)):
                if out is not None:
                    out[first:last] = found

    over_chunks(len(X), n_jobs, write)


def _in_lanes(bins: Float64Array, filler: float) -> Float64Array:
    """Return the bins as rows of 512."""
    rows = np.full((-(-bins.size // LANES), LANES), filler)
    rows.reshape(-1)[: bins.size] = bins
    return rows


def _prepared(mixture: Mixture) -> tuple[int, Float64Array, Float64Array, Float64Array]:
    """Return kind, offsets, means and precisions (?, ?, d) for the kernels.

    Tied: the factor, then the first mean, then the means less the first in the coordinates of the factor.
    """
    kind, offsets, means, precisions = mixture
    d = means.shape[1]
    if kind == "diag":
        precisions = precisions[:, np.newaxis]
    elif kind == "tied":
        rows = np.vstack([means[:1], (means - means[0]) @ np.triu(precisions)])
        padded = np.zeros((1 + len(rows), d, d))
        padded[0], padded[1:, 0] = precisions, rows
        precisions = padded
    return KINDS[kind], offsets, means, np.ascontiguousarray(precisions)


def no_moments(means: Float64Array, kind: str) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return sums of mass, first and second moments, all 0; the last of shape (K, d, d), else (K, 1, d)."""
    n_components, d = means.shape
    return np.zeros(n_components), np.zeros((n_components, d)), np.zeros((n_components, d if kind == "full" else 1, d))


def pieces(X: AnyArray, begin: int, end: int) -> Iterator[tuple[int, int, Float64Array]]:
    """Copy the rows begin..end - 1 feature by feature, some at a time."""
    n_rows = max(_PIECE_NUMBERS // X.shape[1] // em_blocks.BLOCK_ROWS, 1) * em_blocks.BLOCK_ROWS
    for first in range(begin, end, n_rows):
        last = min(first + n_rows, end)
        yield first, last, np.ascontiguousarray(X[first:last].T, np.float64)


def over_chunks(n: int, n_jobs: int, work: Callable[[int, int], T]) -> list[T]:
    """Return work(begin, end) of chunks that depend on n only."""
    n_blocks = -(-n // em_blocks.BLOCK_ROWS)
    n_chunks = min(n_blocks, _MAX_CHUNKS)
    edges = [min(i * n_blocks // n_chunks * em_blocks.BLOCK_ROWS, n) for i in range(n_chunks + 1)]
    return run_pieces(work, list(pairwise(edges)), n_jobs)


def total_moments(parts: list[Moments], kind: str) -> Moments:
    """Add the chunks up in rising order and bring the second moments into the shape of the contract."""
    likelihood, mass, first, second = (sum(column[1:], start=column[0]) for column in zip(*parts, strict=True))
    if kind == "full":
        second = np.triu(second) + np.swapaxes(np.triu(second, 1), 1, 2)
    elif kind == "diag":
        second = np.ascontiguousarray(second[:, 0])
    else:
        second = np.empty((0, first.shape[1]))
    return Moments(float(likelihood), mass, first, second)
