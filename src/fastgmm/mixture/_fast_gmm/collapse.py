"""Warnings about components that fell into a point."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastgmm._types import AnyArray, BoolArray
from fastgmm.mixture._covariance import Parameters
from fastgmm.mixture._rows import ArrayRows, Rows

_OF_UNIFORM = 1 / 12  # variance of a uniform distribution of width 1: what rounding to whole steps hides
_EXACT = 2.0**53  # integers up to here are exact in float64


def warn_of_collapse(model: Any, parameters: Parameters, rows: Rows) -> None:
    """Name the components whose variance lies at `variance_floor`, or below what rounding to integers hides."""
    covariances = parameters.covariances
    assert covariances is not None
    if model.variance_floor:
        least = model.variance_floor * rows.total_scatter().variances
        smallest, limits = _smallest_variances(covariances, model.covariance_type, least)
        reached = smallest <= limits * (1 + 1e-9)
        _warn(model.covariance_type, parameters, rows.mass, reached, f"the variance_floor {model.variance_floor:g}")
    step = _step_of_integers(rows)
    if step:
        limit = _OF_UNIFORM * step**2
        text = f"1/12 of the squared step of the values, {limit:.4g}"
        _warn(model.covariance_type, parameters, rows.mass, np.ravel(covariances) < limit, text)


def _step_of_integers(rows: Rows) -> float:
    """Return the greatest common step of counted integers; 0 where there is none or float64 cannot hold them."""
    if not (rows.counted and isinstance(rows, ArrayRows)) or len(rows.X) < 2:
        return 0.0
    values = rows.X[:, 0]
    if max(-values[0], values[-1]) > _EXACT or np.any(values != np.rint(values)):
        return 0.0
    return float(np.gcd.reduce(np.diff(values).astype(np.int64)))


def _smallest_variances(covariances: AnyArray, covariance_type: str, least: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return the smallest variance of each component, and the floor in the same units."""
    if covariance_type in ("full", "tied"):
        scale = np.sqrt(least)
        return np.atleast_1d(np.linalg.eigvalsh(covariances / np.outer(scale, scale)).min(axis=-1)), np.ones(1)
    if covariance_type in ("spherical", "tied_spherical"):
        return np.atleast_1d(covariances), np.atleast_1d(least.mean())
    shares = np.atleast_2d(covariances) / least
    return shares.min(axis=1), np.ones(1)


def _warn(covariance_type: str, parameters: Parameters, mass: float, collapsed: BoolArray, limit: str) -> None:
    if not np.any(collapsed):
        return
    weights, covariances = parameters.weights, parameters.covariances
    assert covariances is not None
    if covariance_type.startswith("tied"):
        who = f"the shared variance ({covariances})"
    else:
        who = "; ".join(
            f"component {k} (mass {weights[k] * mass:.4g}, variance {covariances[k]})"
            for k in np.flatnonzero(collapsed)
        )
    warnings.warn(
        f"Collapsed to {limit} or below: {who}. Fit fewer components, or raise variance_floor or reg_covar.",
        UserWarning,
        stacklevel=6,
    )
