"""Many one-dimensional fits at once: histograms of slices, regions or resamples, or the starts of one; NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgmm._histogram import Histogram
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends import get_backend
from fastgmm.backends._contract import HistogramBatch, HistogramFit
from fastgmm.mixture._covariance import Parameters, cholesky_of_precisions
from fastgmm.mixture._em import EMFit, EMSettings, check_not_collapsed, variance_of
from fastgmm.mixture._rows import ArrayRows
from fastgmm.mixture._starts import optimal_clusters, parameters_of_labels


def fit_histograms(
    histograms: Sequence[Histogram],
    n_components: int,
    *,
    tol: float = 1e-3,
    max_iter: int = 100,
    reg_covar: float = 1e-6,
    weights: AnyArray | None = None,
    means: AnyArray | None = None,
    precisions: AnyArray | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> list[HistogramFit]:
    """Fit a one-dimensional mixture to each of many histograms, all at once.

    Parameters
    ----------
    histograms : sequence of Histogram
        Of slices, regions, patients, or resamples; none empty.
    n_components : int
    tol, max_iter, reg_covar
        As in `FastGMM`.
    weights, means, precisions : array-like of shape (n_components,) or (n_histograms, n_components), optional
        Where EM starts, for all or for each; precisions are 1 / variance. What is not given comes from the partition of
        least squares of each histogram, which takes longer than EM does on most.
    backend : {"auto", "reference", "cpp", "numba", "cuda"}
        "cuda" takes one block of the device for each fit, thousands at a time; the others one thread.
    n_jobs : int, optional
        Threads of a CPU backend. Neither they nor the backend change a bit of the results of cpp, numba and cuda.

    Returns
    -------
    list of HistogramFit
        In the order of the histograms. Nothing is raised where a component loses its variance: `collapsed` of that fit
        is the component's number, otherwise -1.

    Raises
    ------
    ValueError
        If a histogram has a smaller total than there are components.

    Examples
    --------
    Standard errors of the means by the bootstrap:

    >>> import numpy as np
    >>> from fastgmm import Histogram
    >>> from fastgmm.mixture import fit_histograms
    >>> rng = np.random.default_rng(0)
    >>> lung = Histogram.from_array(np.r_[rng.normal(-850, 40, 4000), rng.normal(-100, 60, 1000)].round())
    >>> fit = fit_histograms([lung], 2)[0]
    >>> drawn = rng.multinomial(lung.n, lung.counts / lung.n, size=200)
    >>> resamples = [Histogram(lung.values[row > 0], row[row > 0]) for row in drawn]
    >>> fits = fit_histograms(resamples, 2, weights=fit.weights, means=fit.means, precisions=1 / fit.variances)
    >>> np.std([f.means for f in fits], axis=0).round(1).tolist()
    [0.6, 1.9]
    """
    for i, histogram in enumerate(histograms):
        if histogram.n < n_components:
            raise ValueError(
                f"histograms[{i}] must have a total of at least n_components = {n_components}, got {histogram.n}"
            )
    if not histograms:
        return []
    starts = _starts_of(histograms, n_components, reg_covar, (weights, means, precisions))
    ends = np.cumsum([histogram.values.size for histogram in histograms])
    batch = HistogramBatch(
        np.concatenate([histogram.values for histogram in histograms]).astype(np.float64),
        np.concatenate([histogram.counts for histogram in histograms]).astype(np.float64),
        np.stack([ends - [histogram.values.size for histogram in histograms], ends], axis=1),
        *starts,
        np.zeros(len(histograms)),
        np.full(len(histograms), -np.inf),
    )
    return get_backend(backend).em_histogram_batch(
        batch, tol=tol, max_iter=max_iter, reg_covar=reg_covar, n_jobs=resolve_n_jobs(n_jobs)
    )


def run_counted_starts(rows: ArrayRows, starts: Sequence[Parameters], settings: EMSettings) -> list[EMFit]:
    """Run EM on counted values of one column from several starts with a variance for each component, all at once."""
    assert rows.weights is not None
    values, n_starts = np.ascontiguousarray(rows.X[:, 0]), len(starts)
    floor = settings.variance_floor and settings.variance_floor * variance_of(values, rows.weights)
    batch = HistogramBatch(
        values,
        rows.weights,
        np.tile(np.array([0, values.size], np.int64), (n_starts, 1)),
        np.stack([start.weights for start in starts]),
        np.stack([start.means.reshape(-1) for start in starts]),
        np.stack([start.precisions_cholesky.reshape(-1) for start in starts]),
        np.full(n_starts, floor),
        np.full(n_starts, -np.inf),
    )
    fits = rows.kernels.em_histogram_batch(
        batch, tol=settings.tol, max_iter=settings.max_iter, reg_covar=settings.reg_covar, n_jobs=rows.n_jobs
    )
    return [_em_fit(fit, start, rows.mass) for fit, start in zip(fits, starts, strict=True)]


def _em_fit(fit: HistogramFit, start: Parameters, mass: float) -> EMFit:
    """Return the fit with covariances of the shape that the start's have."""
    check_not_collapsed(fit, mass)
    assert start.covariances is not None
    shape = start.covariances.shape
    variances, factors = fit.variances.reshape(shape), fit.precisions_cholesky.reshape(shape)
    after = Parameters(fit.weights, fit.means[:, np.newaxis], variances, factors)
    return EMFit(after, fit.lower_bounds.tolist(), fit.converged)


def _starts_of(
    histograms: Sequence[Histogram], n_components: int, reg_covar: float, given: tuple[Any, Any, Any]
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return weights, means and 1 / sd, each of shape (n_histograms, n_components)."""
    found = [np.empty(0)] * 3
    if any(part is None for part in given):
        partitions = [_partition(histogram, n_components, reg_covar) for histogram in histograms]
        found = [np.stack(part) for part in zip(*partitions, strict=True)]
    shape, starts = (len(histograms), n_components), []
    for name, value, own in zip(("weights", "means", "precisions"), given, found, strict=True):
        array = own if value is None else np.asarray(value, np.float64)
        if array.shape not in (shape, shape[1:]):
            raise ValueError(f"{name} must have shape {shape[1:]} or {shape}, got {array.shape}")
        starts.append(np.ascontiguousarray(np.broadcast_to(array, shape)))
    return starts[0], starts[1], np.sqrt(starts[2])


def _partition(
    histogram: Histogram, n_components: int, reg_covar: float
) -> tuple[Float64Array, Float64Array, Float64Array]:
    values, counts = histogram.values.astype(np.float64), histogram.counts.astype(np.float64)
    labels: Int64Array = optimal_clusters(values, counts, n_components)
    weights, means, variances = parameters_of_labels(values, counts, labels, n_components, reg_covar)
    return weights, means, cholesky_of_precisions(variances, "spherical") ** 2
