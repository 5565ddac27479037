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
from fastgmm.mixture._covariance import Parameters, cholesky_of_precisions, covariance_shape
from fastgmm.mixture._em import EMFit
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
        random_state : int, RandomState or None
            None takes the estimator's, as scikit-learn does.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one sample.")
        rng = check_random_state(self.random_state if random_state is None else random_state)
        counts = rng.multinomial(n_samples, np.asarray(self.weights_, np.float64))
        full = self.covariance_type in ("full", "tied")
        parts = []
        for k, (mean, count) in enumerate(zip(self.means_, counts, strict=True)):
            shared = self.covariance_type.startswith("tied")
            covariance = self.covariances_ if shared else self.covariances_[k]
            if full:
                parts.append(rng.multivariate_normal(mean, covariance, int(count)))
            else:
                parts.append(mean + rng.standard_normal(size=(count, mean.size)) * np.sqrt(covariance))
        return np.vstack(parts).astype(np.float64, copy=False), np.repeat(np.arange(self.n_components), counts)

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
        """
        weights = checked_weights(weights, np.size(weights)).astype(np.float64)
        means = np.asarray(means, np.float64)
        means = means[:, np.newaxis] if means.ndim == 1 else means
        means = checked_means(means, weights.size, means.size // weights.size)
        shape = covariance_shape(covariance_type, *means.shape)
        covariances = np.asarray(covariances, np.float64)
        if covariances.shape != shape and not (means.shape[1] == 1 and covariances.size == math.prod(shape)):
            raise ValueError(f"covariances must have shape {shape} for {covariance_type!r}, got {covariances.shape}")
        covariances = covariances.reshape(shape)
        model: Any = cls(weights.size, covariance_type=covariance_type, **params)  # type: ignore[call-arg]
        model.n_features_in_ = means.shape[1]
        factors = cholesky_of_precisions(covariances, covariance_type, weights)
        model._store(EMFit(Parameters(weights, means, covariances, factors), [], True), np.dtype(np.float64))
        model.backend_, model.starts_ = choose_backend(model.backend, family="em"), []
        fitted: Self = model
        return fitted

    def sorted(self, by: Literal["mean", "weight"] = "mean") -> Self:
        """Return a copy whose components rise by mean (feature by feature) or weight."""
        check_is_fitted(self)
        if by not in ("mean", "weight"):
            raise ValueError(f"by must be 'mean' or 'weight', got {by!r}")
        order = np.lexsort(self.means_.T[::-1]) if by == "mean" else np.argsort(self.weights_, kind="stable")
        model: Any = copy.deepcopy(self)
        model.weights_, model.means_ = self.weights_[order], self.means_[order]
        if not self.covariance_type.startswith("tied"):
            for name in ("covariances_", "precisions_", "precisions_cholesky_"):
                setattr(model, name, getattr(self, name)[order])
        ordered: Self = model
        return ordered

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted mixture to a JSON file; every number is kept exactly."""
        check_is_fitted(self)
        _model_file.write_model(path, self)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Self:
        """Read a mixture written by `to_json`."""
        return _model_file.read_model(path, cls)
