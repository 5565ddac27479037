"""The EM loop; needs NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from fastgmm._histogram import Histogram
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends import get_backend
from fastgmm.backends._contract import EMKernels, HistogramFit
from fastgmm.mixture._covariance import (
    ILL_DEFINED,
    Parameters,
    cholesky_of_precisions,
    lift_covariances,
    maximise,
    to_kernel,
)
from fastgmm.mixture._linear_steps import LinearSteps
from fastgmm.mixture._rows import ArrayRows, Rows
from fastgmm.mixture._squarem import Leaps, Secants, Step, run_squarem
from fastgmm.mixture._starts import optimal_clusters, parameters_of_labels

_TINY = float(np.finfo(np.float64).tiny)


class EMSettings(NamedTuple):
    """When to stop and what to add to variances; as in `FastGMM`."""

    tol: float = 1e-3
    max_iter: int = 100
    reg_covar: float = 1e-6
    squarem: bool = False
    variance_floor: float = 0.0


class EMFit(NamedTuple):
    """Result of EM."""

    parameters: Parameters
    lower_bounds: list[float]
    converged: bool


def run_em(
    rows: Rows,
    start: Parameters,
    covariance_type: str,
    settings: EMSettings,
    *,
    lower_bound: float = -np.inf,
    on_step: Callable[[int, float], None] | None = None,
) -> EMFit:
    """Iterate E-step and M-step in scikit-learn's order until the mean log-likelihood changes by less than tol.

    on_step : called after each step with its number and the change of the bound.
    """
    step = em_step(rows, covariance_type, settings)
    return _iterate(step, start, Secants(covariance_type), settings, lower_bound, on_step)


def _iterate(
    step: Step,
    start: Parameters,
    leaps: Leaps,
    settings: EMSettings,
    lower_bound: float,
    on_step: Callable[[int, float], None] | None,
) -> EMFit:
    """Repeat the step, plainly or extrapolated."""
    tol, max_iter = settings.tol, settings.max_iter
    if settings.squarem:
        return EMFit(
            *run_squarem(step, start, leaps, tol=tol, max_iter=max_iter, lower_bound=lower_bound, on_step=on_step)
        )
    bounds: list[float] = []
    parameters, converged = start, False
    while len(bounds) < max_iter and not converged:
        previous = lower_bound
        parameters, lower_bound = step(parameters)
        bounds.append(lower_bound)
        if on_step is not None:
            on_step(len(bounds), lower_bound - previous)
        converged = abs(lower_bound - previous) < tol
    return EMFit(parameters, bounds, converged)


def em_step(rows: Rows, covariance_type: str, settings: EMSettings) -> Step:
    """Return the function that does one EM step."""
    floored = settings.variance_floor > 0
    total = rows.total_scatter() if settings.max_iter and (covariance_type == "tied" or floored) else None

    def step(parameters: Parameters) -> tuple[Parameters, float]:
        mixture = to_kernel(parameters.weights, parameters.means, parameters.precisions_cholesky, covariance_type)
        moments = rows.step(mixture)
        masses, means, covariances = maximise(moments, mixture.means, covariance_type, settings.reg_covar, total)
        if total is not None and floored:
            covariances = lift_covariances(covariances, covariance_type, settings.variance_floor * total.variances)
        factors = cholesky_of_precisions(covariances, covariance_type, masses)
        lower_bound = moments.log_likelihood / rows.mass
        return Parameters(masses / masses.sum(), means, covariances, factors), lower_bound

    return step


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
        precisions = cholesky_of_precisions(found[2], "spherical") ** 2 if precisions is None else precisions
    return run_histogram_em(
        values,
        counts,
        _start_vector(weights, "weights", n_components),
        _start_vector(means, "means", n_components),
        np.sqrt(_start_vector(precisions, "precisions", n_components)),
        EMSettings(tol, max_iter, reg_covar),
        kernels=get_backend(backend),
        n_jobs=resolve_n_jobs(n_jobs),
    )


def run_histogram_em(
    values: Float64Array,
    counts: Float64Array,
    weights: Float64Array,
    means: Float64Array,
    precisions_cholesky: Float64Array,
    settings: EMSettings,
    *,
    kernels: EMKernels,
    n_jobs: int,
    lower_bound: float = -np.inf,
) -> HistogramFit:
    """Run the backend's EM from the parameters given; raise if a component lost its variance.

    settings.variance_floor is relative to the variance of all values; settings.squarem is not looked at.
    """
    floor = settings.variance_floor and settings.variance_floor * variance_of(values, counts)
    fit = kernels.em_histogram(
        values,
        counts,
        weights,
        means,
        precisions_cholesky,
        tol=settings.tol,
        max_iter=settings.max_iter,
        reg_covar=settings.reg_covar,
        variance_floor=floor,
        lower_bound=lower_bound,
        n_jobs=n_jobs,
    )
    check_not_collapsed(fit, counts.sum())
    return fit


def check_not_collapsed(fit: HistogramFit, mass: float) -> None:
    """Raise if a component lost its variance."""
    k = fit.collapsed
    if k >= 0:
        found = f"Component {k} has mass {fit.weights[k] * mass:.4g} and variance {fit.variances[k]:.4g}."
        raise ValueError(f"{ILL_DEFINED} {found}")


def run_counted_em(
    rows: Rows,
    start: Parameters,
    covariance_type: str,
    settings: EMSettings,
    *,
    lower_bound: float = -np.inf,
    on_step: Callable[[int, float], None] | None = None,
) -> EMFit:
    """Run EM on counted values of one column in the histogram kernel, which gives the same bits everywhere."""
    assert isinstance(rows, ArrayRows)
    if covariance_type.startswith("tied"):
        return _iterate(_tied_step(rows, settings), start, Secants(covariance_type), settings, lower_bound, on_step)
    assert start.covariances is not None
    shape = start.covariances.shape
    flat = Parameters(start.weights, start.means, start.covariances.reshape(-1), start.precisions_cholesky.reshape(-1))
    if settings.squarem:
        assert rows.weights is not None
        leaps = LinearSteps(rows.X[:, 0], rows.weights, start.weights.size)
        one_step = settings._replace(max_iter=1)

        def step(begin: Parameters) -> tuple[Parameters, float]:
            fit = _run_flat(rows, begin, one_step, -np.inf)
            return fit.parameters, fit.lower_bounds[0]

        fit = _iterate(step, flat, leaps, settings, lower_bound, on_step)
    else:
        fit = _run_flat(rows, flat, settings, lower_bound)
        for number, change in enumerate(np.diff([lower_bound, *fit.lower_bounds]), start=1):
            if on_step is not None:
                on_step(number, float(change))
    weights, means, variances, factors = fit.parameters
    assert variances is not None
    return fit._replace(parameters=Parameters(weights, means, variances.reshape(shape), factors.reshape(shape)))


def _tied_step(rows: ArrayRows, settings: EMSettings) -> Step:
    """Return one EM step on counted values with a shared variance: the mean of the components' own, by mass.

    The kernel refuses a component without variance; here its own may be 0, so the kernel is given the least floor there
    is, which no other variance notices.
    """
    assert rows.weights is not None
    own = settings._replace(max_iter=1, variance_floor=_TINY)
    least = settings.variance_floor and settings.variance_floor * variance_of(rows.X[:, 0], rows.weights)

    def step(begin: Parameters) -> tuple[Parameters, float]:
        factors = np.full(begin.weights.shape, begin.precisions_cholesky.item())
        fit = _run_flat(rows, begin._replace(precisions_cholesky=factors), own, -np.inf)
        weights, means, variances, _ = fit.parameters
        assert variances is not None
        shared = max(float(np.cumsum(weights * variances)[-1]), least)
        if not shared > 2 * _TINY:
            raise ValueError(f"{ILL_DEFINED} The tied variance is 0.")
        covariances = np.full(begin.precisions_cholesky.shape, shared)
        return Parameters(weights, means, covariances, 1 / np.sqrt(covariances)), fit.lower_bounds[0]

    return step


def _run_flat(rows: ArrayRows, start: Parameters, settings: EMSettings, lower_bound: float) -> EMFit:
    """Run the kernel from parameters whose variances have shape (K,)."""
    assert rows.weights is not None
    weights, means, factors = (np.ascontiguousarray(a).reshape(-1) for a in (start[0], start[1], start[3]))
    found = run_histogram_em(
        np.ascontiguousarray(rows.X[:, 0]),
        rows.weights,
        weights,
        means,
        factors,
        settings,
        kernels=rows.kernels,
        n_jobs=rows.n_jobs,
        lower_bound=lower_bound,
    )
    after = Parameters(found.weights, found.means[:, np.newaxis], found.variances, found.precisions_cholesky)
    return EMFit(after, found.lower_bounds.tolist(), found.converged)


def variance_of(values: Float64Array, counts: Float64Array) -> float:
    """Return the variance of values that occur counts times."""
    mean = np.average(values, weights=counts)
    return float(np.average((values - mean) ** 2, weights=counts))


def _start_vector(value: Any, name: str, n: int) -> Float64Array:
    array = np.ascontiguousarray(value, np.float64).reshape(-1)
    if array.shape != (n,):
        raise ValueError(f"{name} must have {n} numbers, one per component, got shape {np.shape(value)}")
    return array
