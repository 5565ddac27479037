"""The Numba backend against the compiled one: the same bits on counts, for any threads."""

import numpy as np
import pytest

from fastgmm import FastGMM, _core
from fastgmm.backends import get_backend
from fastgmm.backends._contract import Mixture

gaussian = pytest.importorskip(
    "fastgmm.backends._numba.gaussian", reason="numba is not installed", exc_type=ImportError
)


@pytest.mark.parametrize(("n_bins", "n_components"), [(1, 1), (511, 2), (512, 5), (513, 3), (3000, 5)])
def test_a_histogram_fit_has_the_bits_of_the_compiled_one(n_bins, n_components):
    rng = np.random.default_rng(n_bins)
    values = np.sort(rng.choice(np.arange(-3000, 3000), n_bins, replace=False)).astype(np.float64)
    counts = rng.integers(1, 10_000, n_bins).astype(np.float64)
    means = np.linspace(values[0], values[-1] + 1, n_components)
    start = (np.full(n_components, 1 / n_components), means, np.full(n_components, 0.01))
    stop = {"tol": 1e-9, "max_iter": 40, "reg_covar": 1e-6, "variance_floor": 0.5, "lower_bound": -np.inf}
    ours, judge = (
        get_backend(name).em_histogram(values, counts, *start, **stop, n_jobs=2) for name in ("numba", "cpp")
    )
    assert [part.tobytes() for part in ours[:5]] == [part.tobytes() for part in judge[:5]]
    assert ours[5:] == judge[5:]


def test_exponential_and_logarithm_have_the_bits_of_the_compiled_ones():
    rng = np.random.default_rng(0)
    arguments = np.concatenate([rng.uniform(-720, 0, 3000), [0.0, -0.0, -708.0, -708.5, -709.0, -709.2, -np.inf]])
    assert np.array([gaussian.exp_fixed(x) for x in arguments]).tobytes() == _core.exp_fixed(arguments).tobytes()
    positive = np.concatenate([10 ** rng.uniform(-300, 300, 3000), rng.uniform(0.5, 2, 3000), [1.0]])
    assert np.array([gaussian.log_fixed(x) for x in positive]).tobytes() == _core.log_fixed(positive).tobytes()


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
def test_a_step_has_the_same_bits_for_any_threads_and_memory_order(kind):
    rng = np.random.default_rng(1)
    X, weights = rng.normal(size=(9000, 4)), rng.uniform(0, 2, 9000)
    shape = {"full": (3, 4, 4), "tied": (4, 4), "diag": (3, 4)}[kind]
    precisions = np.ones(shape) if kind == "diag" else np.triu(rng.normal(size=shape))
    mixture = Mixture(kind, np.zeros(3), rng.normal(size=(3, 4)), precisions)
    step = get_backend("numba").em_step
    results = [step(rows, weights, mixture, n) for rows in (X, np.asfortranarray(X)) for n in (1, 2, 3)]
    assert all(other.log_likelihood == results[0].log_likelihood for other in results)
    assert all(np.array_equal(a, b) for other in results for a, b in zip(results[0][1:], other[1:], strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_the_estimator_fits_as_with_the_compiled_backend(covariance_type, dtype):
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.normal(m, 1, (300, 3)) for m in (-3, 0, 3)]).astype(dtype)
    weights = rng.integers(0, 3, len(X))
    ours, judge = (
        FastGMM(3, covariance_type=covariance_type, random_state=0, backend=name).fit(X, sample_weight=weights)
        for name in ("numba", "cpp")
    )
    tolerance = 1e-5 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(ours.means_, judge.means_, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(ours.covariances_, judge.covariances_, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(ours.predict(X), judge.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), judge.predict_proba(X), atol=tolerance)
