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

from fastgmm._arrays import device_of
from fastgmm._histogram import Histogram
from fastgmm._types import Int64Array
from fastgmm.backends import backend_for, choose_backend
from fastgmm.mixture._batch import run_counted_starts
from fastgmm.mixture._covariance import (
    COVARIANCE_TYPES,
    Parameters,
    cholesky_from_precisions,
    covariance_shape,
    precisions_of,
)
from fastgmm.mixture._em import EMFit, EMSettings, run_counted_em, run_em
from fastgmm.mixture._fast_gmm.analysis import AnalysisMethods
from fastgmm.mixture._fast_gmm.array_api import Home, as_numpy, home_of
from fastgmm.mixture._fast_gmm.collapse import warn_of_collapse
from fastgmm.mixture._fast_gmm.device import check_beside
from fastgmm.mixture._fast_gmm.init_checks import checked_means, checked_precisions, checked_weights
from fastgmm.mixture._fast_gmm.model import ModelMethods
from fastgmm.mixture._fast_gmm.starts import draw_start
from fastgmm.mixture._fast_gmm.stream import stream_rows
from fastgmm.mixture._fast_gmm.training_rows import counted_rows, training_rows
from fastgmm.mixture._missing import MissingRows
from fastgmm.mixture._rows import ArrayRows, Rows


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
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Who computes. "auto" is cuda for CuPy arrays: results for each row are CuPy arrays then, fitted attributes are
        always NumPy's. "cuda" takes NumPy arrays too: `fit` and each call of the other methods uploads them once.
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
            float32 is kept, everything else becomes float64. One column of an integer dtype is counted (`histogram`).
            A CuPy array is fitted on its device (docs/gpu.md).
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            How often each row occurs. Rows of weight 0 equal absent rows.

        Returns
        -------
        FastGMM
            This object, fitted.

        Raises
        ------
        TypeError
            If one of X and sample_weight is a CuPy array and the other is not.
        ValueError
            For X that is not a finite two-dimensional array, fewer rows and less weight than components, start
            parameters that do not fit, or a component that lost its variance.

        Notes
        -----
        Every step takes O(n_samples n_components n_features²) ("diag" and "spherical": n_features); a few MB besides X
        and the start. Counted rows: O(distinct rows) for each step, after one pass over X.
        """
        self.backend_ = backend_for(self.backend, X)
        check_beside(sample_weight, "sample_weight", X)
        home = home_of(X)
        X = X if home is None else as_numpy(X)
        with device_of(X):
            rows, dtype = training_rows(self, X, sample_weight)
            return self._fit_rows(rows, dtype, home)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Int64Array:
        """Estimate the parameters and return the most probable component of each row.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; rows of weight 0 get a component too.

        Returns
        -------
        ndarray of shape (n_samples,), dtype int64
        """
        labels: Int64Array = self.fit(X, y, sample_weight).predict(X)
        return labels

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_histogram(self, histogram: Histogram) -> Self:
        """Estimate a one-dimensional mixture from exact counts; equal to `fit` on the values counted.

        Parameters
        ----------
        histogram : Histogram

        Returns
        -------
        FastGMM
            This object, fitted.

        Raises
        ------
        TypeError
            If it is no `Histogram`.
        ValueError
            If it counts fewer values than components, or a component lost its variance.

        Notes
        -----
        O(distinct values × n_components) for each step, whatever the number of values counted.
        """
        if not isinstance(histogram, Histogram):
            found = type(histogram).__name__
            raise TypeError(f"histogram must be a fastgmm.Histogram, got {found}; use fit for arrays")
        self.backend_ = choose_backend(self.backend)
        self._set_features(1, None)
        values, counts = histogram.values.astype(np.float64), histogram.counts.astype(np.float64)
        return self._fit_rows(counted_rows(self, values[:, np.newaxis], counts), np.dtype(np.float64))

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_stream(self, chunks: Iterable[Any] | Callable[[], Iterable[Any]]) -> Self:
        """Estimate the parameters from rows that come in chunks: a pass over them for every step, one chunk in memory.

        Parameters
        ----------
        chunks : iterable of array-likes of shape (any, n_features), or a function that returns one
            Must give the same rows every time it is gone over: a list, or a function that opens a file, but not a
            generator. One column of integers is counted in a single pass. All NumPy's, or all
            CuPy's on the current GPU.

        Returns
        -------
        FastGMM
            This object, fitted; its parameters are float32 if all chunks are.

        Raises
        ------
        TypeError
            For an iterator that can be read only once, or chunks that are no arrays.
        ValueError
            For chunks of different widths or names, missing values, or other rows in a later pass.

        Notes
        -----
        Equal to `fit` on all rows at once from the same start. The starts "random", "random_from_data" and, for more
        than one feature, "optimal" are those of `fit`; for one feature "optimal" counts the rows in 4096 equal bins;
        "kmeans" and "k-means++" look at the first chunk that has rows.
        """
        rows, dtype, names = stream_rows(self, chunks)
        self._set_features(rows.n_features, names)
        return self._fit_rows(rows, dtype)

    def _set_features(self, n_features: int, names: Any) -> None:
        self.n_features_in_ = n_features
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _fit_rows(self, rows: Rows, dtype: np.dtype[Any], home: Home | None = None) -> Self:
        n_rows = len(rows.X) if isinstance(rows, ArrayRows) else rows.mass
        if n_rows < self.n_components and rows.mass < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {rows.mass:.15g}"
            )
        self._check_inits(rows.n_features)
        fits = self._run_starts(rows)
        best = max(range(len(fits)), key=lambda i: fits[i].lower_bounds[-1] if fits[i].lower_bounds else -math.inf)
        # Without iterations scikit-learn keeps the last start.
        best = best if self.max_iter else len(fits) - 1
        self.starts_ = [
            StartReport((f.lower_bounds or [-math.inf])[-1], len(f.lower_bounds), f.converged) for f in fits
        ]
        self._store(fits[best], dtype, home)
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, or increase max_iter, "
                "tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=4,
            )
        warn_of_collapse(self, fits[best].parameters, rows)
        return self

    def _run_starts(self, rows: Rows) -> list[EMFit]:
        if self.warm_start and hasattr(self, "converged_"):
            return [self._run_one(rows, self._present(rows.n_features), 0, self.lower_bound_)]
        random_state = check_random_state(self.random_state)
        if self.verbose or self.n_init == 1:
            return [self._run_one(rows, self._start(rows, random_state), i) for i in range(self.n_init)]
        starts = [self._start(rows, random_state) for _ in range(self.n_init)]
        if isinstance(rows, ArrayRows) and self._has_histogram_kernel(rows) and not self.acceleration:
            return run_counted_starts(rows, starts, self._settings())
        workers = min(self.n_init, rows.n_jobs)
        if workers == 1:  # in this thread: of CuPy's, each has a current device of its own
            return [self._run_one(rows, start, i) for i, start in enumerate(starts)]
        share = rows.with_jobs(rows.n_jobs // workers)
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda i: self._run_one(share, starts[i], i), range(self.n_init)))

    def _present(self, n_features: int) -> Parameters:
        """Return the parameters to go on from, in float64."""
        parts = (self.weights_, self.means_, self.covariances_, self.precisions_cholesky_)
        weights, means, covariances, factors = (np.asarray(as_numpy(part), np.float64) for part in parts)
        wanted = (self.n_components, n_features)
        if means.shape != wanted or covariances.shape != covariance_shape(self.covariance_type, *wanted):
            raise ValueError(
                f"warm_start=True goes on from parameters with means of shape {means.shape} and covariances of shape "
                f"{covariances.shape}, but means of shape {wanted} and {self.covariance_type!r} covariances are asked "
                "for; set warm_start=False to begin anew"
            )
        return Parameters(weights, means, covariances, factors)

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
        run = run_counted_em if rows.counted else run_em
        fit = run(rows, start, self.covariance_type, settings, lower_bound=lower_bound, on_step=on_step)
        if fit.lower_bounds:
            self._print_verbose_msg_init_end(fit.lower_bounds[-1], fit.converged)
        return fit

    def _settings(self) -> EMSettings:
        squarem = self.acceleration == "squarem"
        return EMSettings(self.tol, self.max_iter, self.reg_covar, squarem, self.variance_floor or 0.0)

    def _has_histogram_kernel(self, rows: Rows) -> bool:
        return rows.counted and self.covariance_type in ("full", "diag", "spherical")

    def _store(self, fit: EMFit, dtype: np.dtype[Any], home: Home | None = None) -> None:
        weights, means, covariances, factors = fit.parameters
        precisions = precisions_of(factors, self.covariance_type)
        self.weights_, self.means_, self.covariances_, self.precisions_cholesky_, self.precisions_ = (
            np.array(part, dtype) if home is None else home.take(np.array(part, dtype))
            for part in (weights, means, covariances, factors, precisions)
        )
        self.converged_, self.n_iter_ = fit.converged, len(fit.lower_bounds)
        self.lower_bound_ = fit.lower_bounds[-1] if fit.lower_bounds else -math.inf
        self.lower_bounds_ = fit.lower_bounds

    # Checks

    def _check_inits(self, n_features: int) -> None:
        weights, means, precisions = map(as_numpy, (self.weights_init, self.means_init, self.precisions_init))
        if weights is not None:
            self.weights_init = checked_weights(weights, self.n_components)
        if means is not None:
            self.means_init = checked_means(means, self.n_components, n_features)
        if precisions is not None:
            self.precisions_init = checked_precisions(precisions, self.covariance_type, self.n_components, n_features)
        allowed = ["random", "random_from_data"]
        if get_config()["array_api_dispatch"] and self.init_params not in allowed:
            raise NotImplementedError(
                f"Allowed `init_params` are {allowed} if 'array_api_dispatch' is enabled. You passed "
                f"init_params={self.init_params!r}, which are not implemented to work with 'array_api_dispatch' "
                f"enabled. Please disable 'array_api_dispatch' to use init_params={self.init_params!r}."
            )

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags, missing values as `allow_nan` says."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allow_nan
        return tags
