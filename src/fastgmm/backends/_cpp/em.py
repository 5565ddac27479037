"""EM on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._types import AnyArray, Float64Array, Int32Array, Int64Array
from fastgmm.backends._contract import Clusters, HistogramBatch, HistogramFit, Mixture, Moments


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


def em_label_moments(
    X: AnyArray, weights: Float64Array | None, labels: Int32Array, means: Float64Array, kind: str, n_jobs: int
) -> Moments:
    """Return the moments where each row belongs wholly to the component of its label."""
    return Moments(*_core.em_label_moments(X, weights, labels, kind, means, n_jobs=n_jobs))


def kmeans_step(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    labels: Int32Array,
    n_jobs: int,
) -> Clusters:
    """Overwrite the labels with the nearest centres, and add up the clusters."""
    return Clusters(*_core.kmeans_step(X, weights, origin, centres, labels, n_jobs=n_jobs))


def kmeans_potentials(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Return for each centre the sum over rows of weight * min(closest, squared distance to it)."""
    return _core.kmeans_potentials(X, weights, origin, centres, closest, n_jobs=n_jobs)


def kmeans_approach(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centre: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Lower `closest` to the squared distance to the centre where that is less; return the sums of blocks."""
    return _core.kmeans_approach(X, weights, origin, centre, closest, n_jobs=n_jobs)
