"""EM from its definition, one array of responsibilities at a time."""

from __future__ import annotations

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends._contract import HistogramBatch, HistogramFit, Mixture, Moments

_TEN_EPSILON = 10 * np.finfo(np.float64).eps


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
    variances = 1 / precisions_cholesky**2
    lower_bounds: list[float] = []
    converged, collapsed = False, -1
    while len(lower_bounds) < max_iter and not converged:
        with np.errstate(divide="ignore"):
            log_weights, log_precisions = np.log(weights), np.log(precisions_cholesky)
        scaled = (values[:, np.newaxis] - means) * precisions_cholesky
        log_joint = log_weights + log_precisions - 0.5 * (np.log(2 * np.pi) + scaled**2)
        log_density = np.logaddexp.reduce(log_joint, axis=1)
        mass_of_bin = np.exp(log_joint - log_density[:, np.newaxis]) * counts[:, np.newaxis]
        masses = mass_of_bin.sum(axis=0) + _TEN_EPSILON
        means = mass_of_bin.T @ values / masses
        variances = (mass_of_bin * (values[:, np.newaxis] - means) ** 2).sum(axis=0) / masses + reg_covar
        variances = np.maximum(variances, variance_floor)
        weights = masses / masses.sum()
        if not np.all(variances > 0):
            collapsed = int(np.flatnonzero(~(variances > 0))[0])
            break
        precisions_cholesky = 1 / np.sqrt(variances)
        previous, lower_bound = lower_bound, float(log_density @ counts / counts.sum())
        lower_bounds.append(lower_bound)
        converged = abs(lower_bound - previous) < tol
    return HistogramFit(
        weights, means, variances, precisions_cholesky, np.array(lower_bounds, np.float64), converged, collapsed
    )


def em_histogram_batch(
    batch: HistogramBatch, *, tol: float, max_iter: int, reg_covar: float, n_jobs: int
) -> list[HistogramFit]:
    """Run one fit after another."""
    return batch.fit_each(em_histogram, tol=tol, max_iter=max_iter, reg_covar=reg_covar, n_jobs=1)


def em_step(X: AnyArray, weights: Float64Array | None, mixture: Mixture, n_jobs: int) -> Moments:
    """Return the moments for the responsibilities under the mixture, and the log-likelihood."""
    rows = X.astype(np.float64)
    weights = np.ones(len(rows)) if weights is None else weights
    log_joint = _log_joint(rows, mixture)
    log_density = np.logaddexp.reduce(log_joint, axis=1)
    mass_of_row = np.exp(log_joint - log_density[:, np.newaxis]) * weights[:, np.newaxis]
    moments = em_moments(rows, mass_of_row, mixture.means, mixture.kind, n_jobs)
    return moments._replace(log_likelihood=float(weights @ log_density))


def em_moments(X: AnyArray, responsibilities: Float64Array, means: Float64Array, kind: str, n_jobs: int) -> Moments:
    """Return the moments for given responsibilities of shape (n, K)."""
    centred = X.astype(np.float64)[:, np.newaxis] - means
    first = np.einsum("nk,nki->ki", responsibilities, centred)
    if kind == "full":
        second = np.einsum("nk,nki,nkj->kij", responsibilities, centred, centred)
    elif kind == "diag":
        second = np.einsum("nk,nki->ki", responsibilities, centred**2)
    else:
        second = np.empty((0, X.shape[1]))
    return Moments(0.0, responsibilities.sum(axis=0), first, second)


def em_assign(
    X: AnyArray,
    mixture: Mixture,
    labels: Int64Array | None,
    log_density: AnyArray | None,
    responsibilities: AnyArray | None,
    n_jobs: int,
) -> None:
    """Write the most probable component, the log density, and the responsibilities of each row."""
    log_joint = _log_joint(X.astype(np.float64), mixture)
    total = np.logaddexp.reduce(log_joint, axis=1)
    if labels is not None:
        labels[...] = np.argmax(log_joint, axis=1)
    if log_density is not None:
        log_density[...] = total
    if responsibilities is not None:
        responsibilities[...] = np.exp(log_joint - total[:, np.newaxis])


def _log_joint(rows: Float64Array, mixture: Mixture) -> Float64Array:
    """Return offsets - |P' (x - mean)|^2 / 2 of shape (n, K)."""
    centred = rows[:, np.newaxis] - mixture.means
    product = {"full": "nki,kij->nkj", "tied": "nki,ij->nkj", "diag": "nki,ki->nki"}[mixture.kind]
    scaled = np.einsum(product, centred, mixture.precisions)
    log_joint: Float64Array = mixture.offsets - 0.5 * np.sum(scaled**2, axis=2)
    return log_joint
