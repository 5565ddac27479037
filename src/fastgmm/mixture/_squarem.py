"""Extrapolated EM steps with a fall-back that never lets the likelihood fall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from fastgmm._types import Float64Array
from fastgmm.mixture._covariance import Parameters, cholesky_of_precisions

# A step maps parameters to the next ones and to the lower bound at the ones given.
Step = Callable[[Parameters], tuple[Parameters, float]]
_N_SECANTS = (
    8  # steps remembered: fewer need more E-steps on slow fits, more gain nothing (measured on lung histograms)
)
_CUTOFF = 1e-7  # singular values of the normalised secants below this share are noise


class Leaps(Protocol):
    """Where to go on from the steps seen so far."""

    def extrapolate(self, here: Parameters, after: Parameters) -> Parameters | None:
        """Take in a step; return where to go instead of `after`, None if there is no better place."""
        ...

    def forget(self) -> None:
        """Be careful: the last leap lowered the likelihood."""
        ...


def run_squarem(
    step: Step,
    start: Parameters,
    leaps: Leaps,
    *,
    tol: float,
    max_iter: int,
    lower_bound: float = -np.inf,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[Parameters, list[float], bool]:
    """Return parameters, a lower bound for every E-step, and whether the bound changed by less than tol.

    Notes
    -----
    After each EM step `leaps` says where to go on. Where the likelihood comes out below the one before, that point is
    dropped and EM goes on from the last plain step; the E-step spent is counted, with the bound it did not improve.
    Where a plain step too lowers it (by rounding, or because reg_covar is not 0), the fit ends at the best point, as
    converged: the bounds never fall.
    """
    bounds: list[float] = []
    here, plain, best, bound, converged = start, None, start, lower_bound, False
    while len(bounds) < max_iter and not converged:
        try:
            after, found = step(here)
        except ValueError:
            if plain is None:
                raise
            after, found = here, -np.inf
        if bounds and not found >= bound:
            bounds.append(bound)
            leaps.forget()
            converged = plain is None
            here, plain = (best, None) if plain is None else (plain, None)
            continue
        change, bound, best = found - bound, found, here
        bounds.append(bound)
        if on_step is not None:
            on_step(len(bounds), change)
        converged = abs(change) < tol
        jump = None if converged or here.covariances is None else leaps.extrapolate(here, after)
        here, plain = (after, None) if jump is None else (jump, after)
    return here if plain is None else plain, bounds, converged


class Secants:
    """The last steps, as points and their images.

    Notes
    -----
    EM seeks x = F(x). From the last steps x_i, F(x_i) the combination is taken whose residual F(x) - x would vanish if
    F were linear (least squares over up to 8 secants). x holds log weights, means and log-Cholesky factors of the
    covariances, so that every combination is a mixture; residuals are measured in standard deviations, each component's
    by the root of its weight.

    References
    ----------
    Varadhan and Roland, Scandinavian Journal of Statistics 35, 2008 (SQUAREM: one secant); Zhou, Alexander and Lange,
    Statistics and Computing 21, 2011, and Henderson and Varadhan, JCGS 28, 2019 (several secants, monotone).
    """

    def __init__(self, covariance_type: str) -> None:
        self.covariance_type = covariance_type
        self.points: list[Float64Array] = []
        self.images: list[Float64Array] = []

    def forget(self) -> None:
        """Keep the last step only."""
        self.points, self.images = self.points[-1:], self.images[-1:]

    def extrapolate(self, here: Parameters, after: Parameters) -> Parameters | None:
        """Take in a step; return where to go instead of `after`, None if there is no better place."""
        self.points = [*self.points, pack(here, self.covariance_type)][-_N_SECANTS - 1 :]
        self.images = [*self.images, pack(after, self.covariance_type)][-_N_SECANTS - 1 :]
        if len(self.points) < 2:
            return None
        images = np.array(self.images)
        residuals = (images - np.array(self.points)) * _scale(after, self.covariance_type)
        directions = np.diff(residuals, axis=0).T
        lengths = np.linalg.norm(directions, axis=0)
        if not np.all(lengths > 0):
            return None
        shares = np.linalg.lstsq(directions / lengths, residuals[-1], rcond=_CUTOFF)[0] / lengths
        return unpack(images[-1] - shares @ np.diff(images, axis=0), after, self.covariance_type)


def pack(parameters: Parameters, covariance_type: str) -> Float64Array:
    """Return log weights, means and log-Cholesky factors in one vector."""
    assert parameters.covariances is not None
    spread: Float64Array
    if covariance_type not in ("full", "tied"):
        spread = 0.5 * np.log(parameters.covariances)
    else:
        spread = np.asarray(np.linalg.cholesky(parameters.covariances), np.float64)
        diagonal = np.einsum("...ii->...i", spread)
        diagonal[...] = np.log(diagonal)
    return np.concatenate([np.log(parameters.weights), parameters.means.ravel(), spread.ravel()])


def unpack(vector: Float64Array, like: Parameters, covariance_type: str) -> Parameters | None:
    """Return the mixture of a vector, None if a number in it is out of range."""
    n_components, n_means = like.weights.size, like.means.size
    assert like.covariances is not None
    weights = np.exp(vector[:n_components] - vector[:n_components].max())
    spread = vector[n_components + n_means :].reshape(like.covariances.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        if covariance_type not in ("full", "tied"):
            covariances = np.exp(2 * spread)
        else:
            factors = spread.copy()
            diagonal = np.einsum("...ii->...i", factors)
            diagonal[...] = np.exp(diagonal)
            covariances = factors @ np.swapaxes(factors, -1, -2)
    if not (np.all(np.isfinite(vector)) and np.all(np.isfinite(covariances)) and np.all(weights > 0)):
        return None
    try:
        precisions_cholesky = cholesky_of_precisions(covariances, covariance_type)
    except ValueError:
        return None
    means = vector[n_components : n_components + n_means].reshape(like.means.shape)
    return Parameters(weights / weights.sum(), means, covariances, precisions_cholesky)


def _scale(parameters: Parameters, covariance_type: str) -> Float64Array:
    """Return what one unit of each packed number is worth."""
    assert parameters.covariances is not None
    root = np.sqrt(parameters.weights)
    covariances = parameters.covariances
    if covariance_type in ("full", "tied"):
        deviations = np.sqrt(np.einsum("...ii->...i", covariances))
        worth = np.where(np.eye(deviations.shape[-1], dtype=bool), 1.0, 1 / deviations[..., :, np.newaxis])
    else:
        deviations = np.sqrt(covariances[:, np.newaxis] if covariance_type == "spherical" else covariances)
        worth = np.ones_like(covariances)
    if not covariance_type.startswith("tied"):
        worth = worth * root.reshape(-1, *[1] * (worth.ndim - 1))
    means = np.broadcast_to(root[:, np.newaxis] / deviations, parameters.means.shape)
    return np.concatenate([root, means.ravel(), np.sqrt(2) * worth.ravel()])
