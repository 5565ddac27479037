"""Many EM steps at once on counted values: the EM map made linear where EM stands, its steps summed up; NumPy only."""

from __future__ import annotations

import numpy as np

from fastgmm._types import Float64Array
from fastgmm.mixture._covariance import Parameters

_MOST_DOUBLINGS = 20  # a million steps at once
# Shares of the last step by which the next one may miss the forecast. Larger ones lead fits of lung histograms into
# other maxima than plain EM's, smaller ones cost E-steps.
_GOOD, _FAIR = 0.1, 0.3
# Products are made of blocks of this many multiplications, which no BLAS shares out to threads.
_BLOCK_PRODUCTS = 1 << 17


class LinearSteps:
    """Where EM would be after 1, 2, 4, … steps if its map were linear from here on.

    Notes
    -----
    EM is x -> F(x), with the Jacobian J of F known in closed form: the share of the information that is missing. As
    long as F is linear, n steps move x by (1 + J + ... + J^(n-1)) (F(x) - x), and the step after them is
    J^n (F(x) - x): both come by doubling. How far the step found there is from this forecast says whether the next leap
    may be longer or must be shorter. So the fit follows the path of plain EM, also where that path leaves a saddle, and
    near the maximum the leaps become Newton's. x holds, per component, log weight, mean / sd and log sd, with the sd of
    the point x.
    A leap costs O(n K^2) beside the E-step for n distinct values.

    References
    ----------
    Louis, Journal of the Royal Statistical Society B 44, 1982 (the missing information as the Jacobian of EM).
    """

    def __init__(self, values: Float64Array, counts: Float64Array, n_components: int) -> None:
        block = 16
        while 2 * block * (3 * n_components) ** 2 <= _BLOCK_PRODUCTS:
            block *= 2
        padded = -values.size % block
        self.values = np.pad(values, (0, padded), mode="edge")
        self.counts = np.pad(counts, (0, padded))
        self.block = block
        self.forget()
        self.doublings = 1

    def forget(self) -> None:
        """Go on with a single step."""
        self.doublings = 0
        self.forecast: Float64Array | None = None
        self.last_size = 0.0

    def extrapolate(self, here: Parameters, after: Parameters) -> Parameters | None:
        """Take in a step; return where to go instead of `after`, None if there is no better place."""
        with np.errstate(all="ignore"):
            jacobian = self._jacobian(here, after)
            scale = 1 / here.precisions_cholesky.reshape(-1)
            move = _coordinates(after, scale) - _coordinates(here, scale)
            self._learn(here, move, scale)
            total, power = np.eye(move.size), jacobian
            for _ in range(self.doublings):
                total, power = total + power @ total, power @ power
            target = _mixture(_coordinates(here, scale) + total @ move, scale)
            forecast = power @ move
        if target is None or not np.all(np.isfinite(forecast)):
            self.forget()
            return None
        # Kept in values' own units, since the scale of the next point will be another.
        self.forecast = forecast * _units(scale)
        return target

    def _learn(self, here: Parameters, move: Float64Array, scale: Float64Array) -> None:
        """Choose how far to leap by how good the last forecast was."""
        worth = np.repeat(np.sqrt(here.weights), 3)
        if self.forecast is not None:
            miss = float(np.linalg.norm((move - self.forecast / _units(scale)) * worth))
            if miss < _GOOD * self.last_size:
                self.doublings = min(self.doublings + 2, _MOST_DOUBLINGS)
            elif miss < _FAIR * self.last_size:
                self.doublings = min(self.doublings + 1, _MOST_DOUBLINGS)
            else:
                self.doublings = max(self.doublings - 1, 0)
        self.last_size = float(np.linalg.norm(move * worth))

    def _jacobian(self, here: Parameters, after: Parameters) -> Float64Array:
        """Return the derivatives of one EM step, shape (3 K, 3 K)."""
        scores, shares = self._scores(here)
        n_components = len(shares)
        weighted = scores * shares[:, np.newaxis]
        counted = weighted * self.counts
        flat = (3 * n_components, -1)
        changes = -self._product(counted.reshape(flat), weighted.reshape(flat))
        changes = changes.reshape(n_components, 3, n_components, 3)
        for k in range(n_components):
            changes[k, :, k] += self._product(counted[k], scores[k])
        return _of_parameters(changes.reshape(n_components, 3, -1), counted.sum(axis=2), here, after)

    def _scores(self, here: Parameters) -> tuple[Float64Array, Float64Array]:
        """Return (1, z, z^2 - 1) of every value in every component, shape (K, 3, n), and the responsibilities."""
        factors = here.precisions_cholesky.reshape(-1, 1)
        scores = np.ones((len(factors), 3, self.values.size))
        np.multiply(self.values - here.means.reshape(-1, 1), factors, out=scores[:, 1])
        squares = scores[:, 1] ** 2
        np.subtract(squares, 1, out=scores[:, 2])
        shares = np.log(here.weights[:, np.newaxis] * factors) - 0.5 * squares
        shares = np.exp(shares - shares.max(axis=0))
        shares /= shares.sum(axis=0)
        return scores, shares

    def _product(self, left: Float64Array, right: Float64Array) -> Float64Array:
        """Return left right' of matrices with n columns, block after block."""
        left, right = (side.reshape(len(side), -1, self.block) for side in (left, right))
        product: Float64Array = np.matmul(left.transpose(1, 0, 2), right.transpose(1, 2, 0)).sum(axis=0)
        return product


def _of_parameters(changes: Float64Array, sums: Float64Array, here: Parameters, after: Parameters) -> Float64Array:
    """Return derivatives of log weight, mean / sd and log sd from those of each component's sums of scores.

    changes : shape (K, 3, 3 K); sums : shape (K, 3).
    """
    mass = sums[:, :1]
    first, second = sums[:, 1:2] / mass, sums[:, 2:] / mass + 1
    variance = second - first**2
    d_mass = changes[:, 0] / mass
    d_first = changes[:, 1] / mass - first * d_mass
    d_second = (changes[:, 2] + changes[:, 0]) / mass - second * d_mass
    assert after.covariances is not None
    # What reg_covar or a floor adds to the variance is no part of `variance`, and does not move with it.
    whole = np.maximum(after.covariances.reshape(-1, 1) * here.precisions_cholesky.reshape(-1, 1) ** 2, variance)
    d_log_sd = 0.5 * (d_second - 2 * first * d_first) / whole
    return np.stack([d_mass, d_first, d_log_sd], axis=1).reshape(sums.size, sums.size)


def _units(scale: Float64Array) -> Float64Array:
    """Return what one unit of each coordinate is in log weight, mean and log sd."""
    return np.stack([np.ones_like(scale), scale, np.ones_like(scale)], axis=1).reshape(-1)


def _coordinates(parameters: Parameters, scale: Float64Array) -> Float64Array:
    log_sd = -np.log(parameters.precisions_cholesky.reshape(-1))
    return np.stack([np.log(parameters.weights), parameters.means.reshape(-1) / scale, log_sd], axis=1).reshape(-1)


def _mixture(coordinates: Float64Array, scale: Float64Array) -> Parameters | None:
    """Return the mixture of coordinates, None if a number in it is out of range."""
    log_weights, means, log_sds = coordinates.reshape(-1, 3).T
    weights, sds = np.exp(log_weights - log_weights.max()), np.exp(log_sds)
    parts = (weights / weights.sum(), (means * scale)[:, np.newaxis], sds**2, 1 / sds)
    if not all(np.all(np.isfinite(part)) for part in parts) or np.any(parts[0] <= 0) or np.any(parts[2] <= 0):
        return None
    return Parameters(*parts)
