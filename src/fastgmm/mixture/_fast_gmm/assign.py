"""What a fitted `FastGMM` says about rows: components, densities, likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastgmm._arrays import array_module, is_device_array
from fastgmm._histogram import Histogram
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends import arrays_for, backend_for, get_backend
from fastgmm.mixture._counts import is_integer_column, shifted
from fastgmm.mixture._covariance import n_covariance_parameters, to_kernel
from fastgmm.mixture._fast_gmm.array_api import as_numpy, home_of
from fastgmm.mixture._fast_gmm.device import check_beside, row_weights
from fastgmm.mixture._fast_gmm.training_rows import checked_rows, count_integers, has_missing
from fastgmm.mixture._missing import assign_missing

_MAX_TABLE = 1 << 16
_EXACT = 1 << 53  # integers up to here are exact in float64


class AssignMethods:
    """Prediction and likelihood."""

    backend: str
    n_jobs: int | None
    n_components: int
    n_features_in_: int
    covariance_type: str
    allow_nan: bool
    weights_: Any
    means_: Any
    precisions_cholesky_: Any

    def predict(self, X: Any, out: Int64Array | None = None) -> Int64Array:
        """Return the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Computed in float32 if X is float32, else in float64. Results for CuPy arrays are CuPy arrays.
        out : ndarray of shape (n_samples,), dtype int64, C-contiguous, writeable, optional
            Where to write; a CuPy array for CuPy rows.

        Returns
        -------
        ndarray of shape (n_samples,), dtype int64
            `out` if it was given. Of equally probable components the first is taken.

        Raises
        ------
        ValueError
            If X has another number of features than the fit, or `out` does not fit.

        Notes
        -----
        O(n_samples n_components n_features²) ("diag" and "spherical": n_features), a few MB besides X and the result.
        A column of integers of narrow range is looked up in a table of its values.
        """
        labels: Int64Array = self._assign(X, "labels", out)
        return labels

    def predict_proba(self, X: Any) -> AnyArray:
        """Return the responsibilities: the probability of each component, given the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components), dtype float32 for float32 rows, else float64
            Give X in pieces where this matrix does not fit in memory.
        """
        shares: AnyArray = self._assign(X, "responsibilities")
        return shares

    def score_samples(self, X: Any) -> AnyArray:
        """Return the log density of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), dtype float32 for float32 rows, else float64
            Natural logarithms, per unit of volume of the features.
        """
        density: AnyArray = self._assign(X, "log_density")
        return density

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log density of the rows, or of the values counted in a `Histogram`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Histogram
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs; not with a `Histogram`, which has counts.
        """
        log_likelihood, mass = self._log_likelihood(X, sample_weight)
        return log_likelihood / mass

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Bayesian information criterion, -2 log L + (free parameters) log n; the lower the better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Histogram
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs; n is their sum.
        """
        log_likelihood, mass = self._log_likelihood(X, sample_weight)
        return -2 * log_likelihood + self._n_parameters() * math.log(mass)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Akaike information criterion, -2 log L + 2 (free parameters); the lower the better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Histogram
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs.
        """
        return -2 * self._log_likelihood(X, sample_weight)[0] + 2 * self._n_parameters()

    def _assign(self, X: Any, what: str, out: AnyArray | None = None) -> Any:
        check_is_fitted(self)
        if isinstance(X, Histogram):
            raise TypeError("X must be an array, got a Histogram; give its values as rows: histogram.values[:, None]")
        home = home_of(X)
        result = self._assign_checked(self._checked(X), what, out)
        return result if home is None else home.take(result)

    def _checked(self, X: Any) -> AnyArray:
        """Return rows as an array that fits the model: one column of integers, or floats."""
        X = X if home_of(X) is None else as_numpy(X)
        return checked_rows(self, X, reset=False, integers=is_integer_column(X))

    def _assign_checked(self, X: AnyArray, what: str, out: AnyArray | None = None) -> AnyArray:
        if X.dtype.kind == "f":
            return self._assign_floats(X, what, out)
        low, high = int(X.min()), int(X.max())
        if high - low >= min(_MAX_TABLE, len(X)) or max(-low, high) > _EXACT:
            return self._assign_floats(X.astype(np.float64), what, out)
        xp = array_module(X)
        table = self._assign_floats(xp.arange(low, high + 1, dtype=np.float64)[:, np.newaxis], what, None)
        places, out = shifted(X[:, 0], low), _checked_out(out, X)
        if is_device_array(X):
            found: AnyArray = xp.take(table, places, axis=0, out=out)
            return found
        return np.take(table, places, axis=0, out=out, mode="clip")

    def _assign_floats(self, X: AnyArray, what: str, out: AnyArray | None) -> AnyArray:
        weights, means, factors = map(as_numpy, (self.weights_, self.means_, self.precisions_cholesky_))
        mixture = to_kernel(weights, means, factors, self.covariance_type)
        shape = (len(X), len(weights)) if what == "responsibilities" else (len(X),)
        given = _checked_out(out, X)
        backend, n_jobs = backend_for(self.backend, X), resolve_n_jobs(self.n_jobs)
        kernels = get_backend(backend)
        (rows,) = arrays_for(kernels, X)
        is_uploaded = rows is not X
        result: Any = None if is_uploaded else given
        if result is None:
            result = array_module(rows).empty(shape, np.int64 if what == "labels" else X.dtype)
        wanted = {name: result if name == what else None for name in ("labels", "log_density", "responsibilities")}
        if self.allow_nan and has_missing(X, backend):
            assign_missing(X, mixture, kernels, n_jobs, **wanted)
        else:
            kernels.em_assign(rows, mixture, **wanted, n_jobs=n_jobs)
        assigned: AnyArray = result.get(out=given) if is_uploaded else result
        return assigned

    def _log_likelihood(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        """Return the weighted sum of log densities and the sum of the weights."""
        check_is_fitted(self)
        if isinstance(X, Histogram) or sample_weight is not None:
            rows, weights = self._rows_and_weights(X, sample_weight)
            log_density = self._assign_checked(rows, "log_density")
            return weighted_sum(log_density, weights), float(weights.sum())
        density = self.score_samples(X)
        log_density = density if is_device_array(density) else as_numpy(density)
        # The mean in the rows' own dtype, as scikit-learn's score.
        return float(log_density.mean()) * len(log_density), float(len(log_density))

    def _rows_and_weights(self, X: Any, sample_weight: Any) -> tuple[AnyArray, Float64Array]:
        """Return checked rows and how often each occurs; equal integers of one column are counted."""
        check_is_fitted(self)
        if isinstance(X, Histogram):
            if sample_weight is not None:
                raise ValueError("sample_weight must be None for a Histogram, whose counts are the weights")
            if not len(X.values) or self.n_features_in_ != 1:
                raise ValueError(
                    f"a Histogram must have values, and the model one feature, got {X!r} and "
                    f"{self.n_features_in_} features"
                )
            return X.values.astype(np.float64)[:, np.newaxis], X.counts.astype(np.float64)
        check_beside(sample_weight, "sample_weight", X)
        rows = self._checked(X)
        if rows.dtype.kind == "f":
            return rows, row_weights(sample_weight, rows)
        kernels = get_backend(backend_for(self.backend, rows))
        weights = None if sample_weight is None else row_weights(sample_weight, rows)
        values, counts = count_integers(rows, weights, kernels)
        values, counts = arrays_for(kernels, values, counts) if is_device_array(rows) else (values, counts)
        return values[:, np.newaxis], counts

    def _n_parameters(self) -> int:
        n_components, n_features = (int(size) for size in self.means_.shape)
        n_covariances = n_covariance_parameters(self.covariance_type, n_components, n_features)
        return n_covariances + n_features * n_components + n_components - 1


def weighted_sum(values: AnyArray, weights: Float64Array) -> float:
    """Return the sum of weight * value, on a GPU in the same bits every time."""
    return float((values * weights).sum() if is_device_array(values) else values @ weights)


def _checked_out(out: AnyArray | None, X: AnyArray) -> AnyArray | None:
    """Return `out` if labels of X can be written to it, or None."""
    n = len(X)
    check_beside(out, "out", X)
    fits = out is None or (
        isinstance(out, np.ndarray | type(X))
        and out.dtype == np.int64
        and out.shape == (n,)
        and out.flags.c_contiguous
        and (is_device_array(out) or out.flags.writeable)
    )
    if not fits:
        found = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        found += ", not writeable" if isinstance(out, np.ndarray) and not out.flags.writeable else ""
        raise ValueError(f"out must be a contiguous int64 array of shape ({n},), got {found}")
    return out
