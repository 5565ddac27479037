"""What a fitted `FastGMM` says about rows: components, densities, likelihood."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastgmm import _memory
from fastgmm._arrays import device_of, is_device_array
from fastgmm._histogram import Histogram
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends import arrays_for, backend_for, get_backend
from fastgmm.mixture._counts import count_column, is_integer_array, is_integer_column, shifted
from fastgmm.mixture._covariance import n_covariance_parameters, to_kernel
from fastgmm.mixture._fast_gmm.array_api import as_numpy, home_of
from fastgmm.mixture._fast_gmm.device import check_beside, row_weights
from fastgmm.mixture._fast_gmm.device_assign import assign_on_device
from fastgmm.mixture._fast_gmm.labels import EXACT, MAX_TABLE, checked_out, label_integers, native
from fastgmm.mixture._fast_gmm.training_rows import checked_rows, count_integers
from fastgmm.mixture._missing import assign_missing
from fastgmm.mixture._rows import CHUNK_ROWS

_PIECE_NUMBERS = 1 << 20  # numbers converted at a time
_SUMMED_ROWS = 1 << 18  # rows whose log densities are in memory at a time


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

    def predict(self, X: Any, out: AnyArray | None = None) -> AnyArray:
        """Return the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Computed in float32 if X is float32, else in float64. Results for CuPy arrays are CuPy arrays.
        out : ndarray of shape (n_samples,), C-contiguous, writeable, optional
            Where to write. Of any integer dtype that holds n_components - 1: for integer rows uint8 costs less than
            half the memory traffic of int64. On the device: int64, a CuPy array for CuPy rows.

        Returns
        -------
        ndarray of shape (n_samples,), dtype int64, or that of `out`
            `out` if it was given. Of equally probable components the first is taken.

        Raises
        ------
        ValueError
            If X has another number of features than the fit, or `out` does not fit: another shape or kind, a dtype
            too narrow for the labels, memory shared with X.

        Notes
        -----
        O(n_samples n_components n_features²) ("diag" and "spherical": n_features), a few MB besides X and the result.
        A column of integers that span at most 65,536 values is looked up in a table of them, in vectors on all
        threads: one read of X and one write of the labels.
        """
        labels: AnyArray = self._assign(X, "labels", out)
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
        with device_of(X):
            result = self._assign_checked(self._checked(X), what, out)
        return result if home is None else home.take(result)

    def _checked(self, X: Any) -> AnyArray:
        """Return rows as an array that fits the model: integers as they are, or floats."""
        X = X if home_of(X) is None else as_numpy(X)
        return checked_rows(self, X, reset=False, integers=is_integer_column(X) or is_integer_array(X))

    def _assign_checked(self, X: AnyArray, what: str, out: AnyArray | None = None) -> AnyArray:
        check_beside(out, "out", X)
        if is_device_array(X) or backend_for(self.backend, X) == "cuda":
            return assign_on_device(self, X, what, out)
        n_components = len(self.means_)
        if what == "labels":
            result = checked_out(out, X, n_components)
        else:
            shape = (len(X), n_components) if what == "responsibilities" else (len(X),)
            result = _memory.empty(shape, X.dtype if X.dtype.kind == "f" else np.float64)
        if X.dtype.kind == "f" and result.dtype == (np.int64 if what == "labels" else X.dtype):
            self._write_floats(X, what, result)
        elif X.dtype.kind == "f" or X.shape[1] > 1 or not self._write_by_table(native(X[:, 0]), what, result):
            self._write_pieces(X, what, result)
        return result

    def _write_by_table(self, column: AnyArray, what: str, result: AnyArray) -> bool:
        """Write what belongs to integers from a table of the values they span; False where no table would do."""
        n_jobs = resolve_n_jobs(self.n_jobs)
        if what == "labels":
            kernels = get_backend(self.backend, column)
            return label_integers(column, result, len(self.means_), self._labels_of_floats, kernels, n_jobs)
        low, high = int(column.min()), int(column.max())
        if high - low >= min(MAX_TABLE, len(column)) or max(-low, high) > EXACT:
            return False
        table = self._assign_checked(np.arange(low, high + 1, dtype=np.float64)[:, np.newaxis], what)

        def take(begin: int) -> None:
            part = slice(begin, begin + CHUNK_ROWS)
            np.take(table, shifted(column[part], low), axis=0, out=result[part], mode="clip")

        with ThreadPoolExecutor(n_jobs) as pool:
            list(pool.map(take, range(0, len(column), CHUNK_ROWS)))
        return True

    def _labels_of_floats(self, X: AnyArray) -> AnyArray:
        labels: Int64Array = np.empty(len(X), np.int64)
        self._write_floats(X, "labels", labels)
        return labels

    def _write_pieces(self, X: AnyArray, what: str, result: AnyArray) -> None:
        """Write what belongs to the rows, some at a time, where rows or labels have another dtype than the kernels."""
        n_rows = max(_PIECE_NUMBERS // X.shape[1], 1)
        for begin in range(0, len(X), n_rows):
            rows = X[begin : begin + n_rows]
            rows = rows if X.dtype.kind == "f" else rows.astype(np.float64)
            if what == "labels":
                result[begin : begin + n_rows] = self._labels_of_floats(rows)
            else:
                self._write_floats(rows, what, result[begin : begin + n_rows])

    def _write_floats(self, X: AnyArray, what: str, result: AnyArray) -> None:
        weights, means, factors = map(as_numpy, (self.weights_, self.means_, self.precisions_cholesky_))
        mixture = to_kernel(weights, means, factors, self.covariance_type)
        wanted = {name: result if name == what else None for name in ("labels", "log_density", "responsibilities")}
        kernels, n_jobs = get_backend(self.backend, X), resolve_n_jobs(self.n_jobs)
        if self.allow_nan and np.isnan(X).any():
            assign_missing(X, mixture, kernels, n_jobs, **wanted)
        else:
            kernels.em_assign(X, mixture, **wanted, n_jobs=n_jobs)

    def _log_likelihood(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        """Return the weighted sum of log densities and the sum of the weights."""
        check_is_fitted(self)
        with device_of(X):
            return self._summed_log_density(X, sample_weight)

    def _summed_log_density(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        weights: Float64Array | None = None
        if isinstance(X, Histogram) or sample_weight is not None:
            rows, weights = self._rows_and_weights(X, sample_weight)
        else:
            rows = self._checked(X)
            if is_device_array(rows):
                density = self._assign_checked(rows, "log_density")
                return float(density.mean()) * len(density), float(len(density))
            if rows.dtype.kind in "iu" and rows.shape[1] == 1 and int(rows.max()) - int(rows.min()) < MAX_TABLE:
                values, weights = count_column(rows[:, 0], None)
                rows = values[:, np.newaxis]
        if weights is None and rows.dtype == np.float32:
            # scikit-learn's score is the float32 mean of float32 log densities.
            return float(self._assign_checked(rows, "log_density").mean()) * len(rows), float(len(rows))
        sums = []
        for begin in range(0, len(rows), _SUMMED_ROWS):
            part = slice(begin, begin + _SUMMED_ROWS)
            log_density = self._assign_checked(rows[part], "log_density")
            sums.append(
                float(log_density.sum(dtype=np.float64))
                if weights is None
                else weighted_sum(log_density, weights[part])
            )
        return math.fsum(sums), float(len(rows) if weights is None else weights.sum())

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
        if rows.dtype.kind == "f" or rows.shape[1] > 1:
            return rows if rows.dtype.kind == "f" else rows.astype(np.float64), row_weights(sample_weight, rows)
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
