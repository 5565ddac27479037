"""Fits that need NumPy only."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from fastgmm._histogram import Histogram
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends import get_backend
from fastgmm.backends._contract import HistogramFit
from fastgmm.mixture._starts import optimal_clusters, parameters_of_labels

ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical covariance (for instance "
    "caused by singleton or collapsed samples). Try to decrease the number of components, increase reg_covar, or "
    "scale the input data."
)


def fit_histogram_1d(
    histogram: Histogram,
    n_components: int,
    *,
    tol: float = 1e-3,
    max_iter: int = 100,
    reg_covar: float = 1e-6,
    start: Literal["optimal"] = "optimal",
    weights: AnyArray | None = None,
    means: AnyArray | None = None,
    precisions: AnyArray | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> HistogramFit:
    """Fit a one-dimensional mixture to counts.

    Parameters
    ----------
    histogram : Histogram
    n_components : int
    tol, max_iter, reg_covar
        As in `FastGMM`.
    start : "optimal"
        The least-squares partition of the values, which depends on nothing but the counts.
    weights, means, precisions : array-like of shape (n_components,), optional
        Replace the start's; precisions are 1 / variance.
    backend, n_jobs
        Who computes, with how many threads; the result does not depend on them.

    Returns
    -------
    HistogramFit
        weights, means, variances, lower_bounds, n_iter, converged. Components are in the order of the start: rising
        means for "optimal", unless EM made them cross.

    Raises
    ------
    ValueError
        If there are fewer values than components, or a component lost its variance.
    """
    if start != "optimal":
        raise ValueError(f"start must be 'optimal', got {start!r}; give weights, means and precisions for another one")
    if histogram.n < n_components:
        raise ValueError(
            f"Expected n_samples >= n_components but got n_components = {n_components}, n_samples = {histogram.n}"
        )
    values, counts = histogram.values.astype(np.float64), histogram.counts.astype(np.float64)
    if weights is None or means is None or precisions is None:
        labels = optimal_clusters(values, counts, n_components)
        found = parameters_of_labels(values, counts, labels, n_components, reg_covar)
        weights = found[0] if weights is None else weights
        means = found[1] if means is None else means
        precisions = 1 / checked_variances(found[2]) if precisions is None else precisions
    return run_histogram_em(
        values,
        counts,
        _start_vector(weights, "weights", n_components),
        _start_vector(means, "means", n_components),
        np.sqrt(_start_vector(precisions, "precisions", n_components)),
        backend=backend,
        n_jobs=n_jobs,
        tol=tol,
        max_iter=max_iter,
        reg_covar=reg_covar,
    )


def run_histogram_em(
    values: Float64Array,
    counts: Float64Array,
    weights: Float64Array,
    means: Float64Array,
    precisions_cholesky: Float64Array,
    *,
    backend: str,
    n_jobs: int | None,
    tol: float,
    max_iter: int,
    reg_covar: float,
    lower_bound: float = -np.inf,
) -> HistogramFit:
    """Run the backend's EM from the parameters given; raise if a component lost its variance."""
    fit = get_backend(backend).em_histogram(
        values,
        counts,
        weights,
        means,
        precisions_cholesky,
        tol=tol,
        max_iter=max_iter,
        reg_covar=reg_covar,
        lower_bound=lower_bound,
        n_jobs=resolve_n_jobs(n_jobs),
    )
    if fit.collapsed >= 0:
        k = fit.collapsed
        raise ValueError(
            f"{ILL_DEFINED} Component {k} has mass {fit.weights[k]:.3g} and variance {fit.variances[k]:.3g}."
        )
    return fit


def checked_variances(variances: Float64Array) -> Float64Array:
    """Return the variances, or raise scikit-learn's error if one is not positive."""
    if not np.all(variances > 0):
        k = int(np.flatnonzero(~(variances > 0))[0])
        raise ValueError(f"{ILL_DEFINED} Component {k} has variance {variances[k]:.3g}.")
    return variances


def _start_vector(value: Any, name: str, n: int) -> Float64Array:
    array = np.ascontiguousarray(value, np.float64).reshape(-1)
    if array.shape != (n,):
        raise ValueError(f"{name} must have {n} numbers, one per component, got shape {np.shape(value)}")
    return array
