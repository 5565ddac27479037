"""EM on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends._contract import HistogramBatch, HistogramFit, Mixture, Moments


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
    outcome = _core.em_histogram(
        values,
        counts,
        weights,
        means,
        precisions_cholesky,
        tol=tol,
        max_iter=max_iter,
        reg_covar=reg_covar,
        variance_floor=variance_floor,
        lower_bound=lower_bound,
        n_jobs=n_jobs,
    )
    return HistogramFit(*outcome)


def em_histogram_batch(
    batch: HistogramBatch, *, tol: float, max_iter: int, reg_covar: float, n_jobs: int
) -> list[HistogramFit]:
    """Run one fit after another, several at a time."""
    return batch.fit_each(em_histogram, tol=tol, max_iter=max_iter, reg_covar=reg_covar, n_jobs=n_jobs)


def em_step(X: AnyArray, weights: Float64Array | None, mixture: Mixture, n_jobs: int) -> Moments:
    """Return the moments for the responsibilities under the mixture, and the log-likelihood."""
    return Moments(*_core.em_step(X, weights, *mixture, n_jobs=n_jobs))


def em_moments(X: AnyArray, responsibilities: Float64Array, means: Float64Array, kind: str, n_jobs: int) -> Moments:
    """Return the moments for given responsibilities of shape (n, K)."""
    return Moments(*_core.em_moments(X, responsibilities, kind, means, n_jobs=n_jobs))


def em_assign(
    X: AnyArray,
    mixture: Mixture,
    labels: Int64Array | None,
    log_density: AnyArray | None,
    responsibilities: AnyArray | None,
    n_jobs: int,
) -> None:
    """Write the most probable component, the log density, and the responsibilities of each row."""
    _core.em_assign(X, *mixture, labels, log_density, responsibilities, n_jobs=n_jobs)
