"""Warnings about components that fell into a point."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastgmm._types import AnyArray, BoolArray
from fastgmm.mixture._rows import ArrayRows, Rows

_OF_UNIFORM = 1 / 12  # variance of a uniform distribution of width 1: what rounding to whole steps hides


def warn_of_collapse(model: Any, rows: Rows) -> None:
    """Name the components whose variance lies at `variance_floor`, or below what rounding to integers hides."""
    if model.variance_floor:
        least = model.variance_floor * rows.total_scatter().variances
        smallest, limits = _smallest_variances(model.covariances_, model.covariance_type, least)
        _warn(
            model, rows.mass, smallest, smallest <= limits * (1 + 1e-9), f"the variance_floor {model.variance_floor:g}"
        )
    if rows.counted and isinstance(rows, ArrayRows) and len(rows.X) > 1:
        step = float(np.gcd.reduce(np.diff(rows.X[:, 0]).astype(np.int64)))
        variances = np.ravel(model.covariances_)
        limit = _OF_UNIFORM * step**2
        _warn(model, rows.mass, variances, variances < limit, f"1/12 of the squared step of the values, {limit:.4g}")


def _smallest_variances(covariances: AnyArray, covariance_type: str, least: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return the smallest variance of each component, and the floor in the same units."""
    if covariance_type in ("full", "tied"):
        scale = np.sqrt(least)
        return np.atleast_1d(np.linalg.eigvalsh(covariances / np.outer(scale, scale)).min(axis=-1)), np.ones(1)
    if covariance_type in ("spherical", "tied_spherical"):
        return np.atleast_1d(covariances), np.atleast_1d(least.mean())
    shares = np.atleast_2d(covariances) / least
    return shares.min(axis=1), np.ones(1)


def _warn(model: Any, mass: float, variances: AnyArray, collapsed: BoolArray, limit: str) -> None:
    if not np.any(collapsed):
        return
    if model.covariance_type.startswith("tied"):
        who = f"the shared variance ({model.covariances_})"
    else:
        who = "; ".join(
            f"component {k} (mass {model.weights_[k] * mass:.4g}, variance {model.covariances_[k]})"
            for k in np.flatnonzero(collapsed)
        )
    warnings.warn(
        f"Collapsed to {limit} or below: {who}. Fit fewer components, or raise variance_floor or reg_covar.",
        UserWarning,
        stacklevel=6,
    )
