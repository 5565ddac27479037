"""`FastGMM`, the estimator."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from sklearn import get_config
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastgmm._histogram import Histogram
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, Float64Array, Int64Array
from fastgmm.backends import choose_backend, get_backend
from fastgmm.mixture._batch import run_counted_starts
from fastgmm.mixture._counts import count_column, is_integer_column, shifted
from fastgmm.mixture._covariance import (
    COVARIANCE_TYPES,
    Parameters,
    cholesky_from_precisions,
    n_covariance_parameters,
    precisions_of,
    to_kernel,
)
from fastgmm.mixture._em import EMFit, EMSettings, run_counted_em, run_em
from fastgmm.mixture._fast_gmm.analysis import AnalysisMethods
from fastgmm.mixture._fast_gmm.collapse import warn_of_collapse
from fastgmm.mixture._fast_gmm.init_checks import checked_means, checked_precisions, checked_weights
from fastgmm.mixture._fast_gmm.model import ModelMethods
from fastgmm.mixture._fast_gmm.starts import draw_start
from fastgmm.mixture._fast_gmm.stream import stream_rows
from fastgmm.mixture._missing import UNCORRELATED, MissingRows, assign_missing
from fastgmm.mixture._rows import ArrayRows, Rows

_FLOATS = [np.float64, np.float32]
_MAX_TABLE = 1 << 16


class StartReport(NamedTuple):
    """How one of the `n_init` starts ended."""

    log_likelihood: float
    n_iter: int
    converged: bool


class FastGMM(ModelMethods, AnalysisMethods, GaussianMixture):  # type: ignore[misc]
    """Gaussian mixture: scikit-learn's `GaussianMixture`, compiled, and exact on histograms.

    Parameters
    ----------
    n_components, covariance_type, tol, reg_covar, max_iter, n_init, init_params, weights_init, means_init, \
precisions_init, random_state, warm_start, verbose, verbose_interval
        As in `sklearn.mixture.GaussianMixture`. Beyond it, `covariance_type` may be "tied_diag" (one variance per
        feature) or "tied_spherical" (one variance), and `init_params` may be "optimal", which is deterministic: in 1-D
        the partition of least squares by dynamic programming, in n-D that of the projections on the principal axis.
    backend : {"auto", "reference", "cpp"}
        Who computes.
    n_jobs : int, optional
        Threads; never changes a result.
    histogram : "auto" or bool
        Whether equal rows are counted first, which makes every step as cheap as the number of distinct rows. "auto"
        does so for one column of an integer dtype. The random starts are then drawn on the distinct rows and counts.
    acceleration : {None, "squarem"}
        "squarem" extrapolates EM steps and never lets the likelihood fall; `n_iter_` counts E-steps. It stops at the
        same change of the lower bound, which it reaches in fewer steps, so give a smaller tol.
    variance_floor : float, optional
        Least variance in any direction, as a share of the variance of all rows. A component that reaches it is named
        in a warning.
    allow_nan : bool
        Whether NaN means a missing value, which is left out of the likelihood. For covariances without correlations:
        "diag", "spherical", "tied_diag", "tied_spherical".

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_, converged_, n_iter_, lower_bound_, lower_bounds_
        As in scikit-learn.
    backend_ : str
        The backend that fitted.
    starts_ : list of StartReport
        Log-likelihood, number of steps and convergence of every start.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import FastGMM
    >>> hu = np.array([[-900], [-905], [-890], [30], [40], [35]], dtype=np.int16)
    >>> FastGMM(2, init_params="optimal").fit(hu).predict(hu).tolist()
    [0, 0, 0, 1, 1, 1]
    """

    weights_init: Any
    means_init: Any
    precisions_init: Any
    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        **GaussianMixture._parameter_constraints,
        "covariance_type": [StrOptions(set(COVARIANCE_TYPES))],
        "init_params": [StrOptions({"kmeans", "random", "random_from_data", "k-means++", "optimal"})],
        "backend": [str],
        "n_jobs": [Integral, None],
        "histogram": [StrOptions({"auto"}), "boolean"],
        "acceleration": [StrOptions({"squarem"}), None],
        "variance_floor": [Interval(Real, 0, 1, closed="left"), None],
        "allow_nan": ["boolean"],
    }
    __metadata_request__predict = {"out": UNUSED}  # noqa: RUF012

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        backend: str = "auto",
        n_jobs: int | None = None,
        histogram: Literal["auto"] | bool = "auto",
        acceleration: Literal["squarem"] | None = None,
        variance_floor: float | None = None,
        allow_nan: bool = False,
    ) -> None:
        super().__init__(
            n_components,
            covariance_type=covariance_type,
            tol=tol,
            reg_covar=reg_covar,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
            verbose_interval=verbose_interval,
        )
        self.weights_init, self.means_init, self.precisions_init = weights_init, means_init, precisions_init
        self.backend, self.n_jobs, self.histogram = backend, n_jobs, histogram
        self.acceleration, self.variance_floor, self.allow_nan = acceleration, variance_floor, allow_nan

    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Estimate the parameters with EM.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs. Rows of weight 0 equal absent rows.
        """
        self.backend_ = choose_backend(self.backend, X, family="em")
        rows, dtype = self._training_rows(X, sample_weight)
        return self._fit_rows(rows, dtype)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Int64Array:
        """Estimate the parameters and return the most probable component of each row."""
        labels: Int64Array = self.fit(X, y, sample_weight).predict(X)
        return labels

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_histogram(self, histogram: Histogram) -> Self:
        """Estimate a one-dimensional mixture from exact counts; equal to `fit` on the values counted."""
        if not isinstance(histogram, Histogram):
            found = type(histogram).__name__
            raise TypeError(f"histogram must be a fastgmm.Histogram, got {found}; use fit for arrays")
        self.backend_ = choose_backend(self.backend, family="em")
        self.n_features_in_ = 1
        values, counts = histogram.values.astype(np.float64), histogram.counts.astype(np.float64)
        return self._fit_rows(self._counted_rows(values[:, np.newaxis], counts), np.dtype(np.float64))

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_stream(self, chunks: Iterable[Any] | Callable[[], Iterable[Any]]) -> Self:
        """Estimate the parameters from rows that come in chunks: a pass over them for every step, one chunk in memory.

        Parameters
        ----------
        chunks : iterable of array-likes of shape (any, n_features), or a function that returns one
            Must give the same rows every time it is gone over: a list, or a function that opens a file, but not a
            generator. One column of integers is counted in a single pass.

        Notes
        -----
        Equal to `fit` on all rows at once from the same start. The starts "random", "random_from_data" and, for more
        than one feature, "optimal" are those of `fit`; "kmeans" and "k-means++" look at the first chunk only.
        """
        self.backend_ = choose_backend(self.backend, family="em")
        counts = self.histogram is True or self.histogram == "auto"
        rows, dtype, names = stream_rows(
            chunks, counts, get_backend(self.backend_, family="em"), resolve_n_jobs(self.n_jobs)
        )
        self.n_features_in_ = rows.n_features
        if names is not None:
            self.feature_names_in_ = names
        return self._fit_rows(rows, dtype)

    def _fit_rows(self, rows: Rows, dtype: np.dtype[Any]) -> Self:
        self._check_inits(rows.n_features)
        n_rows = len(rows.X) if isinstance(rows, ArrayRows) else rows.mass
        if n_rows < self.n_components and rows.mass < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {rows.mass:.15g}"
            )
        fits = self._run_starts(rows)
        best = max(range(len(fits)), key=lambda i: fits[i].lower_bounds[-1] if fits[i].lower_bounds else -math.inf)
        self.starts_ = [
            StartReport((f.lower_bounds or [-math.inf])[-1], len(f.lower_bounds), f.converged) for f in fits
        ]
        self._store(fits[best], dtype)
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, or increase max_iter, "
                "tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=4,
            )
        warn_of_collapse(self, rows)
        return self

    def _run_starts(self, rows: Rows) -> list[EMFit]:
        if self.warm_start and hasattr(self, "converged_"):
            present = Parameters(self.weights_, self.means_, self.covariances_, self.precisions_cholesky_)
            return [self._run_one(rows, present, 0, self.lower_bound_)]
        random_state = check_random_state(self.random_state)
        if self.verbose or self.n_init == 1:
            return [self._run_one(rows, self._start(rows, random_state), i) for i in range(self.n_init)]
        starts = [self._start(rows, random_state) for _ in range(self.n_init)]
        if isinstance(rows, ArrayRows) and self._has_histogram_kernel(rows) and not self.acceleration:
            return run_counted_starts(rows, starts, self._settings())
        workers = min(self.n_init, rows.n_jobs)
        share = rows.with_jobs(rows.n_jobs // workers)
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda i: self._run_one(share, starts[i], i), range(self.n_init)))

    def _start(self, rows: Rows, random_state: Any) -> Parameters:
        given = (self.weights_init, self.means_init, self.precisions_init)
        if any(part is None for part in given):
            filled = rows
            if isinstance(rows, MissingRows):
                filled = ArrayRows(rows.filled(), rows.weights, rows.kernels, rows.n_jobs)
            drawn = draw_start(
                filled, self.init_params, self.n_components, self.covariance_type, self.reg_covar, random_state
            )
        else:
            drawn = Parameters(*given[:2], None, np.empty(0))
        factors, covariances = drawn.precisions_cholesky, drawn.covariances
        if self.precisions_init is not None:
            precisions = np.asarray(self.precisions_init, np.float64)
            factors = cholesky_from_precisions(precisions, self.covariance_type)
            matrices = self.covariance_type in ("full", "tied")
            covariances = np.asarray(np.linalg.inv(precisions) if matrices else 1 / precisions, np.float64)
        weights, means = (
            np.asarray(part if init is None else init, np.float64)
            for part, init in zip(drawn[:2], given[:2], strict=True)
        )
        return Parameters(weights, means, covariances, factors)

    def _run_one(self, rows: Rows, start: Parameters, init: int, lower_bound: float = -math.inf) -> EMFit:
        self._print_verbose_msg_init_beg(init)
        settings = self._settings()
        on_step = self._print_verbose_msg_iter_end if self.verbose else None
        if self._has_histogram_kernel(rows):
            assert isinstance(rows, ArrayRows)
            fit = run_counted_em(rows, start, settings, lower_bound=lower_bound)
            for step, change in enumerate(np.diff([lower_bound, *fit.lower_bounds]), start=1):
                self._print_verbose_msg_iter_end(step, change)
        else:
            fit = run_em(rows, start, self.covariance_type, settings, lower_bound=lower_bound, on_step=on_step)
        if fit.lower_bounds:
            self._print_verbose_msg_init_end(fit.lower_bounds[-1], fit.converged)
        return fit

    def _settings(self) -> EMSettings:
        squarem = self.acceleration == "squarem"
        return EMSettings(self.tol, self.max_iter, self.reg_covar, squarem, self.variance_floor or 0.0)

    def _has_histogram_kernel(self, rows: Rows) -> bool:
        return rows.counted and self.covariance_type in ("full", "diag", "spherical")

    def _store(self, fit: EMFit, dtype: np.dtype[Any]) -> None:
        weights, means, covariances, factors = fit.parameters
        precisions = precisions_of(factors, self.covariance_type)
        self.weights_, self.means_, self.covariances_, self.precisions_cholesky_, self.precisions_ = (
            np.array(part, dtype) for part in (weights, means, covariances, factors, precisions)
        )
        self.converged_, self.n_iter_ = fit.converged, len(fit.lower_bounds)
        self.lower_bound_ = fit.lower_bounds[-1] if fit.lower_bounds else -math.inf
        self.lower_bounds_ = fit.lower_bounds

    # Input

    def _training_rows(self, X: Any, sample_weight: Any) -> tuple[Rows, np.dtype[Any]]:
        if self.allow_nan and self.covariance_type not in UNCORRELATED:
            raise ValueError(
                f"allow_nan=True needs a covariance_type without correlations, one of {UNCORRELATED}, got "
                f"{self.covariance_type!r}"
            )
        at_least = 2 if sample_weight is None else 1
        collapse = self.histogram is True or (self.histogram == "auto" and is_integer_column(X))
        counts_integers = collapse and is_integer_column(X)
        dtypes = None if counts_integers else _FLOATS
        X = validate_data(self, X, dtype=dtypes, ensure_min_samples=at_least, ensure_all_finite=self._finite())
        dtype = np.dtype(np.float64) if counts_integers else X.dtype
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            if not weights.all():
                X, weights = X[weights > 0], weights[weights > 0]
        kernels, n_jobs = get_backend(self.backend_, family="em"), resolve_n_jobs(self.n_jobs)
        if self.allow_nan and not counts_integers and np.isnan(X).any():
            if np.isnan(X).all(axis=0).any():
                raise ValueError("every feature needs a value in at least one row, got a column of NaN only")
            return MissingRows(X, weights, kernels, n_jobs), dtype
        if counts_integers and len(X):
            values, counts = count_column(X[:, 0], weights)
            return self._counted_rows(values[:, np.newaxis], counts), dtype
        if collapse and len(X):
            distinct, place = np.unique(X, axis=0, return_inverse=True)
            counts = np.bincount(place.reshape(-1), weights).astype(np.float64)
            return self._counted_rows(np.asarray(distinct, np.float64), counts), dtype
        return ArrayRows(X, weights, kernels, n_jobs), dtype

    def _finite(self) -> bool | Literal["allow-nan"]:
        return "allow-nan" if self.allow_nan else True

    def _counted_rows(self, distinct: Float64Array, counts: Float64Array) -> ArrayRows:
        """Return distinct rows with their counts; one column of them goes to the histogram kernel."""
        rows = ArrayRows(distinct, counts, get_backend(self.backend_, family="em"), resolve_n_jobs(self.n_jobs))
        rows.counted = distinct.shape[1] == 1
        return rows

    def _check_inits(self, n_features: int) -> None:
        if self.weights_init is not None:
            self.weights_init = checked_weights(self.weights_init, self.n_components)
        if self.means_init is not None:
            self.means_init = checked_means(self.means_init, self.n_components, n_features)
        if self.precisions_init is not None:
            self.precisions_init = checked_precisions(
                self.precisions_init, self.covariance_type, self.n_components, n_features
            )
        allowed = ["random", "random_from_data"]
        if get_config()["array_api_dispatch"] and self.init_params not in allowed:
            raise NotImplementedError(
                f"Allowed `init_params` are {allowed} if 'array_api_dispatch' is enabled. You passed "
                f"init_params={self.init_params!r}, which are not implemented to work with 'array_api_dispatch' "
                f"enabled. Please disable 'array_api_dispatch' to use init_params={self.init_params!r}."
            )

    # Assignment

    def predict(self, X: Any, out: Int64Array | None = None) -> Int64Array:
        """Return the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        out : ndarray of shape (n_samples,), dtype int64, optional
            Where to write.
        """
        return self._assign(X, "labels", out)

    def predict_proba(self, X: Any) -> AnyArray:
        """Return the responsibilities, of shape (n_samples, n_components)."""
        return self._assign(X, "responsibilities")

    def score_samples(self, X: Any) -> AnyArray:
        """Return the log density of each row."""
        return self._assign(X, "log_density")

    def _assign(self, X: Any, what: str, out: AnyArray | None = None) -> AnyArray:
        check_is_fitted(self)
        if is_integer_column(X):
            X = validate_data(self, X, reset=False, dtype=None)
            low, high = int(X.min()), int(X.max())
            if high - low < min(_MAX_TABLE, len(X)):
                table = self._assign_floats(np.arange(low, high + 1, dtype=np.float64)[:, np.newaxis], what, None)
                return np.take(table, shifted(X[:, 0], low), axis=0, out=self._checked_out(out, len(X)), mode="clip")
        X = validate_data(self, X, reset=False, dtype=_FLOATS, ensure_all_finite=self._finite())
        return self._assign_floats(X, what, out)

    def _assign_floats(self, X: AnyArray, what: str, out: AnyArray | None) -> AnyArray:
        mixture = to_kernel(self.weights_, self.means_, self.precisions_cholesky_, self.covariance_type)
        shape = (len(X), self.n_components) if what == "responsibilities" else (len(X),)
        result = self._checked_out(out, len(X))
        result = np.empty(shape, np.int64 if what == "labels" else X.dtype) if result is None else result
        wanted = {name: result if name == what else None for name in ("labels", "log_density", "responsibilities")}
        kernels, n_jobs = get_backend(self.backend, X, family="em"), resolve_n_jobs(self.n_jobs)
        if self.allow_nan and np.isnan(X).any():
            assign_missing(X, mixture, kernels, n_jobs, **wanted)
        else:
            kernels.em_assign(X, mixture, **wanted, n_jobs=n_jobs)
        return result

    @staticmethod
    def _checked_out(out: AnyArray | None, n: int) -> AnyArray | None:
        fits = out is None or (
            isinstance(out, np.ndarray) and out.dtype == np.int64 and out.shape == (n,) and out.flags.c_contiguous
        )
        if not fits:
            found = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            raise ValueError(f"out must be a contiguous int64 array of shape ({n},), got {found}")
        return out

    # Likelihood

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the mean log density of the rows, or of the values counted in a `Histogram`."""
        log_likelihood, mass = self._log_likelihood(X, sample_weight)
        return log_likelihood / mass

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Bayesian information criterion; n is the sum of the weights."""
        log_likelihood, mass = self._log_likelihood(X, sample_weight)
        return -2 * log_likelihood + self._n_parameters() * math.log(mass)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Return the Akaike information criterion."""
        return -2 * self._log_likelihood(X, sample_weight)[0] + 2 * self._n_parameters()

    def _log_likelihood(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        """Return the weighted sum of log densities and the sum of the weights."""
        if isinstance(X, Histogram):
            check_is_fitted(self)
            log_density = self._assign_floats(X.values.astype(np.float64)[:, np.newaxis], "log_density", None)
            return float(log_density @ X.counts), float(X.n)
        log_density = self.score_samples(X)
        if sample_weight is None:
            # The mean in the rows' own dtype, as scikit-learn's score.
            return float(log_density.mean()) * len(log_density), float(len(log_density))
        weights = _check_sample_weight(
            sample_weight, log_density[:, np.newaxis], dtype=np.float64, ensure_non_negative=True
        )
        return float(log_density @ weights), float(weights.sum())

    def _n_parameters(self) -> int:
        n_features = int(self.means_.shape[1])
        n_covariances = n_covariance_parameters(self.covariance_type, self.n_components, n_features)
        n_components = int(self.n_components)
        return n_covariances + n_features * n_components + n_components - 1

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: no array API, missing values as `allow_nan` says."""
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        tags.input_tags.allow_nan = self.allow_nan
        return tags
