"""Many fits at once: each has the bits that it has alone."""

import doctest

import numpy as np
import pytest

from fastgmm import FastGMM, Histogram
from fastgmm.mixture import _batch, fit_histograms
from fastgmm.mixture._em import fit_histogram_1d


@pytest.fixture(scope="module")
def slices():
    """Histograms of different sizes."""
    rng = np.random.default_rng(0)
    samples = [np.r_[rng.normal(-850, 60, n), rng.normal(-100, 90, n // 3)].round() for n in (40, 700, 2000, 9000)]
    return [Histogram.from_array(sample) for sample in samples]


def bits(fit):
    return tuple(array.tobytes() for array in fit[:5])


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_each_fit_has_the_bits_it_has_alone(backend, slices, n_jobs):
    together = fit_histograms(slices, 3, tol=1e-6, backend=backend, n_jobs=n_jobs)
    alone = [fit_histogram_1d(histogram, 3, tol=1e-6, backend=backend, n_jobs=1) for histogram in slices]
    assert list(map(bits, together)) == list(map(bits, alone))
    assert [fit.n_iter for fit in together] == [fit.n_iter for fit in alone]
    assert len({fit.n_iter for fit in together}) > 1


def test_one_start_serves_all_and_a_start_each_too(slices):
    start = fit_histogram_1d(slices[-1], 2)
    shared = {"weights": start.weights, "means": start.means, "precisions": 1 / start.variances}
    each = {name: np.tile(value, (len(slices), 1)) for name, value in shared.items()}
    assert list(map(bits, fit_histograms(slices, 2, **shared))) == list(map(bits, fit_histograms(slices, 2, **each)))
    with pytest.raises(ValueError, match=r"means must have shape \(2,\) or \(4, 2\), got \(3,\)"):
        fit_histograms(slices, 2, means=[1, 2, 3])


def test_a_collapsed_fit_is_told_and_stops_no_other(slices):
    point = Histogram([5], [100])
    fits = fit_histograms([point, slices[1]], 1, reg_covar=0.0, weights=[1.0], means=[5.0], precisions=[1e-4])
    assert [fit.collapsed for fit in fits] == [0, -1]
    assert fits[1].converged


def test_a_histogram_that_is_too_small_is_named(slices):
    with pytest.raises(ValueError, match=r"histograms\[1\] must have a total of at least n_components = 3, got 2"):
        fit_histograms([slices[0], Histogram([1, 2], [1, 1])], 3)
    assert fit_histograms([], 3) == []


@pytest.mark.parametrize("covariance_type", ["full", "spherical"])
def test_the_starts_of_an_estimator_are_those_of_single_fits(backend, covariance_type):
    column = np.random.default_rng(1).integers(-40, 40, (500, 1)) ** 3
    settings = {"covariance_type": covariance_type, "init_params": "random_from_data", "backend": backend, "tol": 1e-4}
    several = FastGMM(2, n_init=3, random_state=4, **settings).fit(column)
    random_state = np.random.RandomState(4)
    single = [FastGMM(2, random_state=random_state, **settings).fit(column) for _ in range(3)]
    assert [start.log_likelihood for start in several.starts_] == [model.lower_bound_ for model in single]
    best = max(single, key=lambda model: model.lower_bound_)
    np.testing.assert_array_equal(several.covariances_, best.covariances_)


def test_the_example_of_the_bootstrap_runs():
    assert doctest.testmod(_batch).failed == 0
