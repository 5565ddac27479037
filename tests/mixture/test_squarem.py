"""Accelerated EM: fewer E-steps to the maximum of plain EM, bounds that never fall, the same bits for any threads."""

from functools import cache

import numpy as np
import pytest
from lung_counts import p002_histogram
from threadpoolctl import threadpool_limits

from fastgmm import FastGMM, Histogram
from fastgmm.lung import TissueModel
from fastgmm.mixture._covariance import Parameters
from fastgmm.mixture._linear_steps import LinearSteps
from fastgmm.mixture._squarem import run_squarem

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
TYPES = ("full", "tied", "diag", "spherical", "tied_diag", "tied_spherical")
STARTS = [
    "quantiles",
    "published",
    "optimal",
    *(f"{name} {seed}" for name in ("kmeans", "k-means++", "random_from_data") for seed in range(6)),
    *(f"random {seed}" for seed in range(4)),
]


@cache
def values_like_a_lung():
    parts = ((0.34, -950, 44), (0.36, -829, 58), (0.14, -652, 94), (0.05, -337, 157), (0.11, -13, 194))
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(mean, sd, int(60_000 * weight)) for weight, mean, sd in parts]).round()


def start_of(name, histogram):
    """Return the arguments of FastGMM for a named start."""
    if name == "quantiles":
        shares = np.cumsum(histogram.counts) / histogram.n
        means = np.interp((np.arange(5) + 0.5) / 5, shares, histogram.values)[:, np.newaxis]
        return {"weights_init": np.full(5, 0.2), "means_init": means, "precisions_init": np.full((5, 1, 1), 1e-4)}
    if name == "published":
        model = TissueModel.published()
        precisions = 1 / np.reshape(model.variances, (5, 1, 1))
        weights = np.asarray(model.weights) / np.sum(model.weights)
        return {"weights_init": weights, "means_init": np.reshape(model.means, (5, 1)), "precisions_init": precisions}
    init_params, _, seed = name.partition(" ")
    return {"init_params": init_params, "random_state": int(seed or 0)}


def steps_to(bound, model):
    """E-steps before the one whose bound is within 1e-8 of the one given."""
    return int(np.sum(np.array(model.lower_bounds_) < bound - 1e-8))


@pytest.mark.parametrize("name", STARTS)
def test_a_tenth_of_the_e_steps_to_the_maximum_of_plain_em_on_the_p002_lung(test_data, name):
    histogram = p002_histogram(test_data, every=1)
    start = start_of(name, histogram)
    plain = FastGMM(5, tol=0, max_iter=4000, **start).fit_histogram(histogram)
    fast = FastGMM(5, tol=1e-11, max_iter=400, acceleration="squarem", **start).fit_histogram(histogram)
    assert fast.lower_bound_ >= plain.lower_bound_ - 1e-9
    assert fast.n_iter_ == len(fast.lower_bounds_)
    assert 10 * steps_to(plain.lower_bound_, fast) <= steps_to(plain.lower_bound_, plain)


def test_some_start_reaches_the_best_maximum_of_the_p002_lung(test_data):
    """Which maximum is reached depends on the start: three of k-means and two at random of these find the best."""
    histogram = p002_histogram(test_data, every=1)
    bounds = [
        FastGMM(5, tol=1e-11, max_iter=400, acceleration="squarem", **start_of(name, histogram))
        .fit_histogram(histogram)
        .lower_bound_
        for name in STARTS
    ]
    assert max(bounds) == pytest.approx(-6.06324665899, abs=1e-10)
    assert len(np.unique(np.round(bounds, 6))) == 3


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_counts_and_plain_em_end_alike(covariance_type):
    histogram = Histogram.from_array(values_like_a_lung())
    settings = {"covariance_type": covariance_type, "init_params": "kmeans", "random_state": 1}
    plain = FastGMM(4, tol=1e-13, max_iter=20_000, **settings).fit_histogram(histogram)
    fast = FastGMM(4, tol=1e-13, acceleration="squarem", max_iter=200, **settings).fit_histogram(histogram)
    assert fast.covariances_.shape == plain.covariances_.shape
    np.testing.assert_allclose(fast.means_, plain.means_, rtol=1e-3)
    assert fast.lower_bound_ >= plain.lower_bound_ - 1e-10


@pytest.mark.parametrize("covariance_type", TYPES)
def test_rows_find_the_same_maximum_in_fewer_steps(covariance_type):
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(m, 1.2, (400, 2)) for m in (0, 2, 4)])
    settings = {"covariance_type": covariance_type, "random_state": 0, "max_iter": 20_000, "reg_covar": 0}
    plain = FastGMM(3, tol=1e-12, **settings).fit(X)
    fast = FastGMM(3, tol=1e-12, acceleration="squarem", **settings).fit(X)
    assert fast.converged_
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-7)
    assert fast.n_iter_ < plain.n_iter_ / 3
    assert np.all(np.diff(fast.lower_bounds_) >= 0)


@pytest.mark.parametrize("reg_covar", [1e-9, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_bounds_of_rows_never_fall(seed, reg_covar):
    X = np.random.default_rng(seed).standard_t(2, (300, 2))
    settings = {"random_state": seed, "tol": 0.0, "max_iter": 400, "reg_covar": reg_covar}
    model = FastGMM(4, acceleration="squarem", **settings).fit(X)
    assert np.all(np.diff(model.lower_bounds_) >= 0)
    assert len(model.lower_bounds_) == model.n_iter_


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical"])
@pytest.mark.parametrize("n_components", [2, 5, 8])
@pytest.mark.parametrize("init_params", ["kmeans", "random_from_data", "random"])
def test_bounds_of_counts_never_fall(n_components, init_params, covariance_type):
    """Tails, and a spike that takes a component's variance."""
    drawn = np.random.default_rng(3).standard_t(2, 20_000) * 50
    values = np.r_[np.full(2000, -800), drawn.clip(-800, 3000)].round().astype(np.int16)
    settings = {"init_params": init_params, "random_state": 0, "covariance_type": covariance_type}
    model = FastGMM(n_components, tol=0.0, max_iter=150, acceleration="squarem", reg_covar=0.1, **settings)
    assert np.all(np.diff(model.fit_histogram(Histogram.from_array(values)).lower_bounds_) >= 0)


@pytest.mark.filterwarnings("ignore:Collapsed to")
def test_a_spike_leaves_leaps_to_the_other_components():
    """A component on one value keeps no variance but reg_covar; the rest must not creep for that."""
    values = np.r_[np.full(3000, -1000), values_like_a_lung().clip(-999, None)].astype(np.int16)
    histogram = Histogram.from_array(values)
    start = {"means_init": [[-1000.0], [-940.0], [-830.0], [-600.0], [-50.0]], "weights_init": np.full(5, 0.2)}
    start["precisions_init"] = np.array([100.0, 1e-3, 1e-3, 1e-4, 1e-4]).reshape(5, 1, 1)
    plain = FastGMM(5, tol=1e-12, max_iter=20_000, **start).fit_histogram(histogram)
    fast = FastGMM(5, tol=1e-12, max_iter=500, acceleration="squarem", **start).fit_histogram(histogram)
    assert fast.covariances_[0] < 1e-5
    assert fast.lower_bound_ >= plain.lower_bound_ - 1e-9
    assert fast.n_iter_ < plain.n_iter_ / 10


def test_a_plain_step_that_falls_ends_the_fit_at_the_best_point():
    """EM's bounds are given: 1, 3, 2."""
    parts = [Parameters(np.ones(1), np.full((1, 1), x), np.ones(1), np.ones(1)) for x in (0.0, 1.0, 2.0, 3.0)]
    bounds = [1.0, 3.0, 2.0]

    def step(parameters):
        place = int(parameters.means[0, 0])
        return parts[place + 1], bounds[place]

    class Nowhere:
        def extrapolate(self, here, after):
            return None

        def forget(self):
            pass

    found, seen, converged = run_squarem(step, parts[0], Nowhere(), tol=0.0, max_iter=10)
    assert (found.means[0, 0], seen, converged) == (1.0, [1.0, 3.0, 3.0], True)


def test_a_leap_that_falls_is_counted_and_taken_back():
    """From 0 a leap to 7, whose bound is below; EM goes on from 1."""
    parts = {x: Parameters(np.ones(1), np.full((1, 1), float(x)), np.ones(1), np.ones(1)) for x in range(9)}
    bounds = {0: 1.0, 7: 0.0, 1: 2.0, 2: 3.0}

    class Far:
        n_falls = 0

        def extrapolate(self, here, after):
            return None if self.n_falls else parts[7]

        def forget(self):
            self.n_falls += 1

    leaps = Far()
    found, seen, converged = run_squarem(
        lambda p: (parts[int(p.means[0, 0]) + 1], bounds[int(p.means[0, 0])]), parts[0], leaps, tol=0.0, max_iter=4
    )
    assert (found.means[0, 0], seen, converged, leaps.n_falls) == (3.0, [1.0, 1.0, 2.0, 3.0], False, 1)


def test_the_linear_map_is_that_of_em():
    """The forecast of one leap against EM steps done one by one close to the maximum, where the map is linear."""
    values, counts = np.unique(values_like_a_lung(), return_counts=True)
    histogram = Histogram(values.astype(np.int64), counts)
    near = FastGMM(3, tol=1e-13, max_iter=20_000, init_params="optimal").fit_histogram(histogram)

    def steps(n):
        start = {"weights_init": near.weights_, "means_init": near.means_ + 0.01}
        start["precisions_init"] = near.precisions_
        model = FastGMM(3, tol=0, max_iter=n, **start).fit_histogram(histogram)
        covariances, factors = model.covariances_.reshape(-1), model.precisions_cholesky_.reshape(-1)
        return Parameters(model.weights_, model.means_, covariances, factors)

    leaps = LinearSteps(values, counts.astype(float), 3)
    leaps.doublings = 4
    found, judge = leaps.extrapolate(steps(1), steps(2)), steps(17)
    moved = np.abs(judge.means - steps(1).means).max()
    np.testing.assert_allclose(found.means, judge.means, atol=1e-3 * moved)
    np.testing.assert_allclose(found.weights, judge.weights, rtol=1e-6)
    np.testing.assert_allclose(found.covariances, judge.covariances, rtol=1e-5)


def test_the_same_bits_for_any_threads(backend):
    histogram = Histogram.from_array(values_like_a_lung().astype(np.int16))
    settings = {"init_params": "optimal", "acceleration": "squarem", "tol": 1e-10, "max_iter": 30, "backend": backend}
    found = []
    for n_jobs in (1, 2, 3):
        with threadpool_limits(n_jobs):
            found.append(FastGMM(5, n_jobs=n_jobs, **settings).fit_histogram(histogram))
    assert len({model.means_.tobytes() + model.covariances_.tobytes() for model in found}) == 1
    assert len({tuple(model.lower_bounds_) for model in found}) == 1
