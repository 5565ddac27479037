"""Standard errors of a one-dimensional mixture from the observed information."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from fastgmm._types import AnyArray, Float64Array


class StandardErrors(NamedTuple):
    """Standard errors, each of shape (n_components,), and the covariance of all estimates.

    covariance : shape (3 K, 3 K) for weights, means, variances in this order; that of the weights is singular, since
    they add up to 1.
    """

    weights: Float64Array
    means: Float64Array
    variances: Float64Array
    covariance: Float64Array


def standard_errors_1d(
    pieces: Iterable[tuple[AnyArray, Float64Array]], weights: AnyArray, means: AnyArray, variances: AnyArray
) -> StandardErrors:
    """Return the standard errors at the parameters given.

    pieces : values and their weights, each of shape (m,). weights, means, variances : shape (K,).

    With r the responsibilities and g_k, h_k the first and second derivatives of log(weight_k density_k), the second
    derivatives of a row's log density are sum of r_k (h_k + g_k g_k') - s s', s = sum of r_k g_k. The last weight is 1
    minus the others.
    """
    weights, means, variances = (np.asarray(a, np.float64) for a in (weights, means, variances))
    n_components = weights.size
    hessian = np.zeros((3 * n_components - 1,) * 2)
    for values, mass in pieces:
        hessian += _hessian(np.asarray(values, np.float64), mass, weights, means, variances)
    try:
        np.linalg.cholesky(-hessian)
    except np.linalg.LinAlgError:
        raise ValueError(
            "the observed information is not positive definite: the parameters are not at a maximum of the likelihood "
            "(fit with a smaller tol) or a component is superfluous (fit fewer)"
        ) from None
    covariance = np.asarray(np.linalg.inv(-hessian), np.float64)
    expand = np.insert(np.eye(3 * n_components - 1), n_components - 1, 0.0, axis=0)
    expand[n_components - 1, : n_components - 1] = -1.0
    covariance = expand @ covariance @ expand.T
    errors: Float64Array = np.sqrt(np.maximum(np.diagonal(covariance), 0.0)).reshape(3, n_components)
    return StandardErrors(errors[0], errors[1], errors[2], covariance)


def _hessian(
    values: Float64Array, mass: Float64Array, weights: Float64Array, means: Float64Array, variances: Float64Array
) -> Float64Array:
    """Return the second derivatives of the log-likelihood in K - 1 weights, K means, K variances."""
    n_components = weights.size
    free = n_components - 1
    distance = values[:, np.newaxis] - means
    log_joint = np.log(weights) - 0.5 * (np.log(2 * np.pi * variances) + distance**2 / variances)
    shares = np.exp(log_joint - np.logaddexp.reduce(log_joint, axis=1)[:, np.newaxis])
    slope_mean, slope_variance = distance / variances, 0.5 * (distance**2 / variances - 1) / variances
    hessian = np.zeros((3 * n_components - 1,) * 2)
    scores = np.zeros((len(values), 3 * n_components - 1))
    for k in range(n_components):
        slope = np.zeros((len(values), 3 * n_components - 1))
        if k < free:
            slope[:, k] = 1 / weights[k]
        else:
            slope[:, :free] = -1 / weights[k]
        at_mean, at_variance = free + k, free + n_components + k
        slope[:, at_mean], slope[:, at_variance] = slope_mean[:, k], slope_variance[:, k]
        share = shares[:, k] * mass
        scores += shares[:, k, np.newaxis] * slope
        hessian += (share * slope.T) @ slope
        total = share.sum()
        used = [k] if k < free else list(range(free))
        hessian[np.ix_(used, used)] -= total / weights[k] ** 2
        hessian[at_mean, at_mean] -= total / variances[k]
        cross = share @ distance[:, k] / variances[k] ** 2
        hessian[at_mean, at_variance] -= cross
        hessian[at_variance, at_mean] -= cross
        curve = 0.5 / variances[k] ** 2 - distance[:, k] ** 2 / variances[k] ** 3
        hessian[at_variance, at_variance] += share @ curve
    result: Float64Array = hessian - (mass * scores.T) @ scores
    return result
