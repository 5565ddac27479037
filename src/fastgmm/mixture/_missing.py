"""Rows with missing values, by the marginal likelihood of what is there; for covariances without correlations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastgmm._types import AnyArray, BoolArray, Float64Array, Int64Array
from fastgmm.backends._contract import EMKernels, Mixture, Moments
from fastgmm.mixture._covariance import HALF_LOG_2PI, TotalScatter
from fastgmm.mixture._rows import ArrayRows, Piece, added

UNCORRELATED = ("diag", "spherical", "tied_diag", "tied_spherical")


class Pattern(NamedTuple):
    """The rows whose present features are the same."""

    rows: Int64Array
    present: BoolArray


class MissingRows:
    """Rows of an array with NaN where a value is missing.

    X : shape (n, d). weights : shape (n,), or None for 1. Rows are sorted by what is present in them, and copied.
    """

    def __init__(self, X: AnyArray, weights: Float64Array | None, kernels: EMKernels, n_jobs: int) -> None:
        self.X, self.weights, self.kernels, self.n_jobs = X, weights, kernels, n_jobs
        self.mass = float(len(X)) if weights is None else float(weights.sum())
        self.n_features, self.counted = X.shape[1], False
        self.parts = [
            (pattern, X[pattern.rows][:, pattern.present], None if weights is None else weights[pattern.rows])
            for pattern in patterns_of(X)
        ]

    def with_jobs(self, n_jobs: int) -> MissingRows:
        """Return the same rows for another number of threads."""
        return MissingRows(self.X, self.weights, self.kernels, n_jobs)

    def step(self, mixture: Mixture) -> Moments:
        """Return the moments, where a missing value has the mean and variance its component expects.

        The missing value's distance to the mean is 0 on average, and its square the component's variance.
        """
        n_components, d = mixture.means.shape
        total = Moments(0.0, np.zeros(n_components), np.zeros((n_components, d)), np.zeros((n_components, d)))
        for pattern, values, weights in self.parts:
            first, second = np.zeros((n_components, d)), np.zeros((n_components, d))
            if values.shape[1]:
                seen = self.kernels.em_step(values, weights, marginal(mixture, pattern.present), self.n_jobs)
                first[:, pattern.present], second[:, pattern.present] = seen.first, seen.second
            else:
                seen = _prior_moments(mixture, len(values) if weights is None else float(weights.sum()))
            second[:, ~pattern.present] = seen.mass[:, np.newaxis] / mixture.precisions[:, ~pattern.present] ** 2
            total = added(total, Moments(seen.log_likelihood, seen.mass, first, second))
        return total

    def total_scatter(self) -> TotalScatter:
        """Return mean and variances of the values that are there; correlations are left out."""
        weights = np.ones(len(self.X)) if self.weights is None else self.weights
        present = ~np.isnan(self.X)
        masses = weights @ present
        means = weights @ np.where(present, self.X, 0.0) / masses
        variances = weights @ np.where(present, self.X - means, 0.0) ** 2 / masses
        return TotalScatter(self.mass, means, np.diag(variances * self.mass))

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows with each missing value replaced by its feature's mean: what a start is drawn from."""
        return ArrayRows(self.filled(), self.weights, self.kernels, self.n_jobs).pieces()

    def filled(self) -> AnyArray:
        """Return the rows with each missing value replaced by its feature's mean."""
        return np.where(np.isnan(self.X), self.total_scatter().mean, self.X).astype(self.X.dtype)


def patterns_of(X: AnyArray) -> list[Pattern]:
    """Return the patterns of X, each with its rows in rising order."""
    present, place = np.unique(~np.isnan(X), axis=0, return_inverse=True)
    order = np.argsort(place.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(place.reshape(-1)))
    return [
        Pattern(order[end - size : end], row)
        for row, size, end in zip(present, np.diff(ends, prepend=0), ends, strict=True)
    ]


def marginal(mixture: Mixture, present: BoolArray) -> Mixture:
    """Return the mixture of the features that are present, from one of kind "diag"."""
    lost = np.log(mixture.precisions[:, ~present]).sum(axis=1) - (~present).sum() * HALF_LOG_2PI
    return Mixture(
        "diag",
        mixture.offsets - lost,
        np.ascontiguousarray(mixture.means[:, present]),
        np.ascontiguousarray(mixture.precisions[:, present]),
    )


def prior_of(mixture: Mixture) -> Float64Array:
    """Return the weights of the components: the offsets without any feature."""
    nothing = np.zeros(mixture.means.shape[1], dtype=np.bool_)
    weights: Float64Array = np.exp(marginal(mixture, nothing).offsets)
    return weights


def assign_missing(
    X: AnyArray,
    mixture: Mixture,
    kernels: EMKernels,
    n_jobs: int,
    *,
    labels: Int64Array | None,
    log_density: AnyArray | None,
    responsibilities: AnyArray | None,
) -> None:
    """Write what `em_assign` writes, each row by the features that are present in it."""
    outputs = (labels, log_density, responsibilities)
    for pattern in patterns_of(X):
        parts: list[Any] = [
            None if out is None else np.empty((len(pattern.rows), *out.shape[1:]), out.dtype) for out in outputs
        ]
        if pattern.present.any():
            values = X[pattern.rows][:, pattern.present]
            kernels.em_assign(values, marginal(mixture, pattern.present), parts[0], parts[1], parts[2], n_jobs)
        else:
            weights = prior_of(mixture)
            parts = [np.argmax(weights), np.log(weights.sum()), weights]
        for out, part in zip(outputs, parts, strict=True):
            if out is not None:
                out[pattern.rows] = part


def _prior_moments(mixture: Mixture, mass: float) -> Moments:
    empty = np.empty((mixture.offsets.size, 0))
    weights = prior_of(mixture)
    return Moments(mass * float(np.log(weights.sum())), mass * weights / weights.sum(), empty, empty)
