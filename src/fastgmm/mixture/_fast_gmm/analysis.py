"""How good and how certain a fitted `FastGMM` is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from fastgmm._arrays import array_module, device_of, is_device_array, to_host
from fastgmm._histogram import Histogram
from fastgmm._types import AnyArray, Float64Array
from fastgmm.mixture._fast_gmm.array_api import as_numpy
from fastgmm.mixture._fast_gmm.assign import AssignMethods, weighted_sum
from fastgmm.mixture._rows import CHUNK_ROWS
from fastgmm.mixture._standard_errors import StandardErrors, standard_errors_1d

Criterion = Literal["bic", "aic", "icl"]


class Selection(NamedTuple):
    """The criterion of one number of components."""

    n_components: int
    value: float


class AnalysisMethods(AssignMethods):
    """Criteria, entropy, and standard errors."""

    covariances_: Any

    def entropy(self, X: Any, sample_weight: Any = None) -> float:
        """Return the entropy of the responsibilities, - sum of weight r log r: 0 where no row is in doubt.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Histogram
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs.

        Returns
        -------
        float
            In nats, between 0 and n log(n_components), n the sum of the weights.

        Notes
        -----
        In pieces of 65,536 rows: no matrix of all responsibilities is made. Integers of one column are counted.
        """
        total = 0.0
        with device_of(X):
            for rows, weights in self._weighted_pieces(X, sample_weight):
                xp, shares = array_module(rows), self._assign_checked(rows, "responsibilities").astype(np.float64)
                logs = xp.log(xp.where(shares > 0, shares, 1.0))
                total -= weighted_sum((shares * logs).sum(axis=1), weights)
        return total

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """Return the integrated completed likelihood criterion, BIC + 2 entropy; the lower the better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Histogram
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs.

        References
        ----------
        Biernacki, Celeux and Govaert, IEEE TPAMI 22(7), 2000.
        """
        return self.bic(X, sample_weight) + 2 * self.entropy(X, sample_weight)

    def select_components(
        self, X: Any, candidates: Iterable[int], criterion: Criterion = "bic", sample_weight: Any = None
    ) -> Self:
        """Fit a copy for each number of components and return the one with the least criterion.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Histogram
        candidates : iterable of int
            Numbers of components, for example range(1, 8).
        criterion : {"bic", "aic", "icl"}
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        FastGMM
            Fitted; its `selection_` lists every candidate with its criterion. This object is left as it is.

        Raises
        ------
        ValueError
            For another criterion, no candidate, or a fit that fails.
        """
        if criterion not in ("bic", "aic", "icl"):
            raise ValueError(f"criterion must be 'bic', 'aic' or 'icl', got {criterion!r}")
        if not isinstance(candidates, Iterable):
            raise TypeError(f"candidates must be numbers of components such as range(1, 8), got {candidates!r}")
        models, table = [], []
        for n_components in candidates:
            model = clone(self).set_params(n_components=n_components)
            model = model.fit_histogram(X) if isinstance(X, Histogram) else model.fit(X, sample_weight=sample_weight)
            models.append(model)
            table.append(Selection(int(n_components), getattr(model, criterion)(X, sample_weight)))
        if not models:
            raise ValueError("candidates must name at least one number of components, got none")
        best: Any = models[min(range(len(models)), key=lambda i: table[i].value)]
        best.selection_ = table
        chosen: Self = best
        return chosen

    def standard_errors(self, X: Any, sample_weight: Any = None) -> StandardErrors:
        """Return the standard errors of weights, means and variances of a one-dimensional mixture.

        From the observed information: the inverse of minus the second derivatives of the log-likelihood.

        Parameters
        ----------
        X : array-like of shape (n_samples, 1), or Histogram
            The rows it was fitted to.
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs.

        Returns
        -------
        StandardErrors
            `weights`, `means`, `variances`, each of shape (n_components,), and the `covariance` of all 3 n_components
            estimates in this order.

        Raises
        ------
        ValueError
            For more than one feature or a shared variance; and where the information is not positive definite, because
            the parameters are not at a maximum (use a smaller tol) or a component is superfluous.

        Notes
        -----
        O(n_samples n_components²); float32 rows are summed in float64.
        """
        check_is_fitted(self)
        per_component = self.covariance_type in ("full", "diag", "spherical")
        if self.means_.shape[1] != 1 or not per_component:
            raise ValueError(
                "standard errors are for one feature with a variance per component, got "
                f"{self.means_.shape[1]} features and covariance_type {self.covariance_type!r}"
            )
        if is_device_array(X) and X.dtype.kind == "f":
            raise TypeError(
                "X must be a NumPy array or a column of integers, got CuPy rows; move them: cupy.asnumpy(X)"
            )
        pieces = ((to_host(rows[:, 0]), to_host(weights)) for rows, weights in self._weighted_pieces(X, sample_weight))
        weights, means, covariances = map(as_numpy, (self.weights_, self.means_, self.covariances_))
        return standard_errors_1d(pieces, weights, means[:, 0], np.ravel(covariances))

    def _weighted_pieces(self, X: Any, sample_weight: Any) -> Iterator[tuple[AnyArray, Float64Array]]:
        """Yield pieces of rows as float arrays with their weights."""
        rows, weights = self._rows_and_weights(X, sample_weight)
        for begin in range(0, len(rows), CHUNK_ROWS):
            yield rows[begin : begin + CHUNK_ROWS], weights[begin : begin + CHUNK_ROWS]
