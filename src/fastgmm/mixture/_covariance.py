"""What differs between the covariance types: shapes, factors, the M-step.

A covariance type names the shape of `covariances_` for K components in d dimensions: "full" (K, d, d), "tied" (d, d),
"diag" (K, d), "spherical" (K,), "tied_diag" (d,), "tied_spherical" ().
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from fastgmm._types import AnyArray, Float64Array
from fastgmm.backends._contract import Mixture, Moments

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical", "tied_diag", "tied_spherical")
ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical covariance (for instance "
    "caused by singleton or collapsed samples). Try to decrease the number of components, increase reg_covar, or "
    "scale the input data."
)
_TEN_EPSILON = 10 * np.finfo(np.float64).eps  # scikit-learn adds this to the mass of a component
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class Parameters(NamedTuple):
    """A mixture as scikit-learn keeps it; covariances are None where a start gave precisions."""

    weights: Float64Array
    means: Float64Array
    covariances: Float64Array | None
    precisions_cholesky: Float64Array


class TotalScatter(NamedTuple):
    """Weighted mass, mean and sum of (x - mean) (x - mean)' of all rows."""

    mass: float
    mean: Float64Array
    matrix: Float64Array

    @property
    def variances(self) -> Float64Array:
        """The variance of each feature over all rows."""
        variances: Float64Array = np.diagonal(self.matrix) / self.mass
        return variances


def covariance_shape(covariance_type: str, n_components: int, n_features: int) -> tuple[int, ...]:
    """Return the shape of the covariances."""
    shapes: dict[str, tuple[int, ...]] = {
        "full": (n_components, n_features, n_features),
        "tied": (n_features, n_features),
        "diag": (n_components, n_features),
        "spherical": (n_components,),
        "tied_diag": (n_features,),
        "tied_spherical": (),
    }
    return shapes[covariance_type]


def n_covariance_parameters(covariance_type: str, n_components: int, n_features: int) -> int:
    """Return the number of free numbers in the covariances."""
    triangle = n_features * (n_features + 1) // 2
    counts = {
        "full": n_components * triangle,
        "tied": triangle,
        "diag": n_components * n_features,
        "spherical": n_components,
        "tied_diag": n_features,
        "tied_spherical": 1,
    }
    return counts[covariance_type]


def kernel_kind(covariance_type: str, n_features: int) -> Literal["full", "tied", "diag"]:
    """Return the kind of kernel that serves the covariance type."""
    if covariance_type == "full" and n_features > 1:
        return "full"
    return "tied" if covariance_type == "tied" else "diag"


def cholesky_of_precisions(covariances: Float64Array, covariance_type: str, weights: Any = None) -> Float64Array:
    """Return the upper triangular factors U of the precisions U U'; raise if a covariance is not positive.

    weights : shape (K,), only for the error's text.
    """
    if covariance_type not in ("full", "tied"):
        wrong = ~(covariances > 0)
        if wrong.any():
            raise ValueError(f"{ILL_DEFINED} {_blame(covariances, wrong, covariance_type, weights)}")
        return 1 / np.sqrt(covariances)
    matrices = covariances.reshape(-1, *covariances.shape[-2:])
    factors = np.empty_like(matrices)
    for k, matrix in enumerate(matrices):
        try:
            factors[k] = np.linalg.inv(np.linalg.cholesky(matrix)).T
        except np.linalg.LinAlgError:
            who = f"Component {k}{_mass(weights, k)}" if covariance_type == "full" else "The tied covariance"
            raise ValueError(f"{ILL_DEFINED} {who} has variances {np.diagonal(matrix)}.") from None
    return np.triu(factors).reshape(covariances.shape)


def cholesky_from_precisions(precisions: Float64Array, covariance_type: str) -> Float64Array:
    """Return the upper triangular factors U of the precisions U U' that are given."""
    if covariance_type not in ("full", "tied"):
        return np.sqrt(precisions)
    # With rows and columns reversed U becomes the lower triangular factor that LAPACK computes.
    reversed_factors = np.linalg.cholesky(precisions[..., ::-1, ::-1])
    return np.ascontiguousarray(reversed_factors[..., ::-1, ::-1])


def precisions_of(precisions_cholesky: AnyArray, covariance_type: str) -> AnyArray:
    """Return the precisions of their factors."""
    if covariance_type in ("full", "tied"):
        return precisions_cholesky @ np.swapaxes(precisions_cholesky, -1, -2)
    return precisions_cholesky**2


def to_kernel(weights: AnyArray, means: AnyArray, precisions_cholesky: AnyArray, covariance_type: str) -> Mixture:
    """Return the mixture as the kernels take it."""
    means = np.ascontiguousarray(means, np.float64)
    factors = np.ascontiguousarray(precisions_cholesky, np.float64)
    kind = kernel_kind(covariance_type, means.shape[1])
    if kind == "diag":
        column = factors.reshape(-1, 1) if covariance_type in ("spherical", "full") else factors
        factors = np.ascontiguousarray(np.broadcast_to(column, means.shape))
        diagonals = factors
    else:
        diagonals = np.diagonal(factors, axis1=-2, axis2=-1)
    with np.errstate(divide="ignore"):
        offsets = np.log(np.asarray(weights, np.float64)) + np.log(diagonals).sum(axis=-1)
    return Mixture(kind, offsets - means.shape[1] * HALF_LOG_2PI, means, factors)


def maximise(
    moments: Moments,
    old_means: Float64Array,
    covariance_type: str,
    reg_covar: float,
    total: TotalScatter | None = None,
    *,
    whole: bool = True,
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return masses, means and covariances: scikit-learn's M-step from sums about the means of the step before.

    total : needed for "tied".
    whole : False where the responsibilities of a row need not add up to 1 (some starts).
    """
    masses = moments.mass + _TEN_EPSILON
    means = old_means + (moments.first - old_means * _TEN_EPSILON) / masses[:, np.newaxis]
    if covariance_type == "tied":
        assert total is not None
        return masses, means, _tied(masses, means, total, reg_covar, whole)
    moved = means - old_means
    if moments.second.ndim == 3:
        cross = moved[:, :, np.newaxis] * moments.first[:, np.newaxis, :]
        shift = moved[:, :, np.newaxis] * moved[:, np.newaxis, :] * moments.mass[:, np.newaxis, np.newaxis]
        scatter = moments.second - cross - np.swapaxes(cross, 1, 2) + shift
        return masses, means, scatter / masses[:, np.newaxis, np.newaxis] + reg_covar * np.eye(means.shape[1])
    scatter = moments.second - 2 * moved * moments.first + moved**2 * moments.mass[:, np.newaxis]
    variances = scatter / masses[:, np.newaxis] + reg_covar
    pooled = scatter.sum(axis=0) / masses.sum() + reg_covar
    results = {
        "full": variances[:, :, np.newaxis],
        "diag": variances,
        "spherical": variances.mean(axis=1),
        "tied_diag": pooled,
        "tied_spherical": np.asarray(pooled.mean()),
    }
    return masses, means, results[covariance_type]


def lift_covariances(covariances: Float64Array, covariance_type: str, least: Float64Array) -> Float64Array:
    """Return the covariances with no variance below `least`, shape (d,), in any direction.

    Matrices are scaled to unit `least` first; then their eigenvalues below 1 become 1.
    """
    if covariance_type in ("spherical", "tied_spherical"):
        return np.asarray(np.maximum(covariances, least.mean()))
    if covariance_type in ("diag", "tied_diag"):
        return np.asarray(np.maximum(covariances, least))
    scale = np.sqrt(np.maximum(least, np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(covariances / np.outer(scale, scale))
    if np.all(values >= 1):
        return covariances
    lifted = (vectors * np.maximum(values, 1.0)[..., np.newaxis, :]) @ np.swapaxes(vectors, -1, -2)
    result: Float64Array = lifted * np.outer(scale, scale)
    return result


def _tied(
    masses: Float64Array, means: Float64Array, total: TotalScatter, reg_covar: float, whole: bool
) -> Float64Array:
    """Return (sum of x x' - sum of mass mean mean') / sum of masses, computed about the mean of all rows."""
    centred = means - total.mean
    scatter = total.matrix - (masses * centred.T) @ centred
    if not whole:
        # The sums about 0 differ from those about the mean where mass is missing.
        missing = masses @ centred + (masses.sum() - total.mass) * total.mean
        cross = np.outer(total.mean, missing)
        scatter = scatter - cross - cross.T + (masses.sum() - total.mass) * np.outer(total.mean, total.mean)
    covariance: Float64Array = scatter / masses.sum() + reg_covar * np.eye(total.mean.size)
    return covariance


def _blame(covariances: Float64Array, wrong: AnyArray, covariance_type: str, weights: Any) -> str:
    """Name what has no positive variance."""
    if covariance_type.startswith("tied"):
        return f"The tied variance is {covariances}."
    k = int(np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))[0])
    return f"Component {k}{_mass(weights, k)} has variance {covariances[k]}."


def _mass(weights: Any, k: int) -> str:
    return "" if weights is None else f" with mass {weights[k]:.4g}"
