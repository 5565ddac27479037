"""EM from its definition, one array of responsibilities at a time."""

from __future__ import annotations

import numpy as np

from fastgmm._types import Float64Array
from fastgmm.backends._contract import HistogramFit

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
