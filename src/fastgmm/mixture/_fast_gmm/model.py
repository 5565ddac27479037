"""What can be done with the parameters of a fitted `FastGMM`."""

from __future__ import annotations

import copy
import math
import os
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastgmm._types import Float64Array, Int64Array
from fastgmm.backends import choose_backend
from fastgmm.mixture import _model_file
from fastgmm.mixture._covariance import (
    COVARIANCE_TYPES,
    ILL_DEFINED,
    Parameters,
    cholesky_of_precisions,
    covariance_shape,
)
from fastgmm.mixture._em import EMFit
from fastgmm.mixture._fast_gmm.array_api import as_numpy, home_of
from fastgmm.mixture._fast_gmm.init_checks import checked_means, checked_weights


class ModelMethods:
    """Draw from a mixture, make one of given parameters, order it, write and read it."""

    random_state: Any
    n_components: int
    covariance_type: str
    weights_: Any
    means_: Any
    covariances_: Any

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Float64Array, Int64Array]:
        """Draw rows and return them with their components, component by component.

        Parameters
        ----------
        n_samples : int
            At least 1.
        random_state : int, RandomState or None
            None takes the estimator's, as scikit-learn does.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), dtype float64
        y : ndarray of shape (n_samples,), dtype int64
            The component of each row.

        Raises
        ------
        ValueError
            For n_samples below 1.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one sample.")
        rng = check_random_state(self.random_state if random_state is None else random_state)
        weights, means, covariances = map(as_numpy, (self.weights_, self.means_, self.covariances_))
        shares = np.asarray(weights, np.float64)
        if shares[:-1].sum() > 1:  # float32 weights may add up to a little more than 1, which NumPy refuses
            shares = shares / shares.sum()
        counts = rng.multinomial(n_samples, shares)
        shared, matrices = self.covariance_type.startswith("tied"), self.covariance_type in ("full", "tied")
        parts = []
        for k, (mean, count) in enumerate(zip(means, counts, strict=True)):
            covariance = covariances if shared else covariances[k]
            if matrices:
                parts.append(rng.multivariate_normal(mean, covariance, int(count)))
            else:
                parts.append(mean + rng.standard_normal(size=(count, mean.size)) * np.sqrt(covariance))
        X, y = np.vstack(parts).astype(np.float64, copy=False), np.repeat(np.arange(len(weights)), counts)
        home = home_of(self.means_)
        return (X, y) if home is None else (home.take(X), home.take(y))

    @classmethod
    def from_parameters(
        cls, weights: Any, means: Any, covariances: Any, covariance_type: str = "full", **params: Any
    ) -> Self:
        """Return a fitted mixture with the parameters given.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            Add up to 1.
        means : array-like of shape (n_components, n_features), or (n_components,) for one feature
        covariances : array-like
            Of the covariance type's shape; for one feature variances of shape (n_components,) will do.
        **params
            Other arguments of the constructor.

        Returns
        -------
        FastGMM
            As if fitted, in float64; `lower_bound_` is -inf, `n_iter_` 0.

        Raises
        ------
        ValueError
            For weights that do not add up to 1, shapes that do not fit, numbers that are not finite, or covariances
            that are not positive (matrices: positive definite).

        Examples
        --------
        >>> from fastgmm import FastGMM
        >>> FastGMM.from_parameters([0.5, 0.5], [-900, 40], [400, 900]).predict([[-800.0], [0.0]]).tolist()
        [0, 1]
        """
        if covariance_type not in COVARIANCE_TYPES:
            raise ValueError(f"covariance_type must be one of {COVARIANCE_TYPES}, got {covariance_type!r}")
        for name, given in (("weights", weights), ("means", means), ("covariances", covariances)):
            numbers = np.asarray(given, np.float64)
            if not np.all(np.isfinite(numbers)):
                raise ValueError(f"{name} must be finite, got {numbers[~np.isfinite(numbers)][0]}")
        weights = checked_weights(weights, np.size(weights)).astype(np.float64)
        means = np.asarray(means, np.float64)
        means = means[:, np.newaxis] if means.ndim == 1 else means
        means = checked_means(means, weights.size, means.size // weights.size)
        shape = covariance_shape(covariance_type, *means.shape)
        covariances = np.asarray(covariances, np.float64)
        if covariances.shape != shape and not (means.shape[1] == 1 and covariances.size == math.prod(shape)):
            raise ValueError(f"covariances must have shape {shape} for {covariance_type!r}, got {covariances.shape}")
        if covariance_type in ("full", "tied") and not np.allclose(
            covariances.reshape(shape), np.swapaxes(covariances.reshape(shape), -1, -2)
        ):
            raise ValueError("covariances must be symmetric matrices")
        covariances = covariances.reshape(shape)
        model: Any = cls(weights.size, covariance_type=covariance_type, **params)  # type: ignore[call-arg]
        model.n_features_in_ = means.shape[1]
        try:
            factors = cholesky_of_precisions(covariances, covariance_type, weights)
        except ValueError as error:
            found = str(error).removeprefix(ILL_DEFINED).strip()
            raise ValueError(f"covariances must be positive (matrices: positive definite), got: {found}") from None
        model._store(EMFit(Parameters(weights, means, covariances, factors), [], True), np.dtype(np.float64))
        model.backend_, model.starts_ = choose_backend(model.backend), []
        fitted: Self = model
        return fitted

    def sorted(self, by: Literal["mean", "weight"] = "mean") -> Self:
        """Return a copy whose components rise by mean (feature by feature) or weight.

        Parameters
        ----------
        by : {"mean", "weight"}
            Equal first features are ordered by the second one, and so on; equal weights keep their order.

        Returns
        -------
        FastGMM
            This object is left as it is.
        """
        check_is_fitted(self)
        if by not in ("mean", "weight"):
            raise ValueError(f"by must be 'mean' or 'weight', got {by!r}")
        means, weights = as_numpy(self.means_), as_numpy(self.weights_)
        order = np.lexsort(means.T[::-1]) if by == "mean" else np.argsort(weights, kind="stable")
        model: Any = copy.deepcopy(self)
        model.weights_, model.means_ = self.weights_[order], self.means_[order]
        if not self.covariance_type.startswith("tied"):
            for name in ("covariances_", "precisions_", "precisions_cholesky_"):
                setattr(model, name, getattr(self, name)[order])
        ordered: Self = model
        return ordered

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted mixture to a JSON file; every number is kept exactly.

        Parameters
        ----------
        path : path
            Overwritten if it exists.

        Notes
        -----
        The file holds the constructor's arguments, the fitted attributes and the version of its layout. A
        `random_state` that is no whole number is left out.
        """
        check_is_fitted(self)
        _model_file.write_model(path, self)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Self:
        """Read a mixture written by `to_json`.

        Parameters
        ----------
        path : path

        Returns
        -------
        FastGMM
            With the same parameters, to the last bit.

        Raises
        ------
        ValueError
            If the file is not one of `to_json`, is damaged, or of another version of the layout; it names the file.

        Notes
        -----
        Nothing in the file is run, so that a file of unknown origin is safe to read.
        """
        return _model_file.read_model(path, cls)
