"""The one-dimensional path: counts in, the same bits out, whoever computes."""

import numpy as np
import pytest
from lung_counts import p002_histogram
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from tolerances import TOLERANCES

from fastgmm import FastGMM, Histogram, _core
from fastgmm.backends import get_backend
from fastgmm.mixture._em import fit_histogram_1d

MODEL = {
    "weights": [0.33915991, 0.36163895, 0.13880557, 0.05467644, 0.10571913],
    "means": [-950.35445, -828.9766504, -652.26530371, -337.03481411, -12.53896037],
    "variances": [1936.65952913, 3413.06554292, 8927.18035462, 24547.22394621, 37633.9743736],
}


@pytest.fixture(scope="module")
def lung():
    return lung_values()


def lung_values():
    """Values like those of a lung, from a fixed seed."""
    rng = np.random.default_rng(0)
    k = rng.choice(5, 60_000, p=np.array(MODEL["weights"]) / sum(MODEL["weights"]))
    hu = rng.normal(np.array(MODEL["means"])[k], np.sqrt(MODEL["variances"])[k])
    return np.clip(np.round(hu), -1000, 1500).astype(np.int16)


def em(histogram, backend="cpp", n_jobs=1, **settings):
    return fit_histogram_1d(
        histogram, 5, **{"tol": 0.0, "max_iter": 30, "backend": backend, "n_jobs": n_jobs} | settings
    )


def bits(fit):
    return tuple(array.tobytes() for array in fit[:5])


def start_of(histogram):
    """Weights, means and precisions to begin from, given to scikit-learn and to us."""
    fit = em(histogram, max_iter=1)
    return fit.weights, fit.means, 1 / fit.variances


def test_every_backend_agrees_with_the_reference(lung, backend):
    histogram = Histogram.from_array(lung)
    rtol, atol = TOLERANCES["reference"]
    for ours, judge in zip(em(histogram, backend)[:5], em(histogram, "reference")[:5], strict=True):
        np.testing.assert_allclose(ours, judge, rtol=rtol, atol=atol)


def test_numba_and_the_compiled_kernels_give_the_same_bits(lung):
    pytest.importorskip("numba")
    histogram = Histogram.from_array(lung)
    assert bits(em(histogram, "numba")) == bits(em(histogram, "cpp"))


@pytest.mark.parametrize("n_values", [1, 5, 511, 512, 513, 20_000])
def test_any_number_of_bins_has_the_same_bits_for_any_threads(n_values):
    rng = np.random.default_rng(n_values)
    histogram = Histogram(np.arange(n_values) * 3, rng.integers(1, 100, n_values) + 5)
    results = {bits(em(histogram, n_jobs=n)) for n in (1, 2, 3)}
    assert len(results) == 1


def test_every_instruction_set_gives_the_same_bits(lung):
    from fastgmm import _core

    histogram, before, results = Histogram.from_array(lung), _core.simd_level(), set()
    for level in ("baseline", "avx2", "avx512"):
        _core.set_simd_level(level)
        results.add(bits(em(histogram)))
    _core.set_simd_level(before)
    assert len(results) == 1


def test_golden_bits():
    """Three steps on 700 bins, as hand-written scalar code computes them in the order that the design fixes."""
    values, counts = np.arange(700) * 2 - 1000, np.arange(700) % 37 + 1
    fit = fit_histogram_1d(
        Histogram(values, counts),
        2,
        tol=0.0,
        max_iter=3,
        weights=[0.25, 0.75],
        means=[-900.0, 0.0],
        precisions=[1 / 1e4, 1 / 9e4],
    )
    expected = scalar_em(values, counts, [0.25, 0.75], [-900.0, 0.0], [1 / 1e4, 1 / 9e4], 3)
    assert [x.hex() for x in fit.weights.tolist()] == [x.hex() for x in expected[0]]
    assert [x.hex() for x in fit.means.tolist()] == [x.hex() for x in expected[1]]
    assert [x.hex() for x in fit.variances.tolist()] == [x.hex() for x in expected[2]]
    assert [x.hex() for x in fit.lower_bounds.tolist()] == [x.hex() for x in expected[3]]


def exp(x):
    return float(_core.exp_fixed(np.array([x]))[0])


def log(x):
    return float(_core.log_fixed(np.array([x]))[0])


def lane_sums(values, counts, weights, means, factors):
    """The E-step in Python floats as csrc/shared/gaussian.h describes it: 512 lanes, then the tree."""
    half_log_2pi = float.fromhex("0x1.d67f1c864beb5p-1")
    offsets = [(log(w) + log(p)) - half_log_2pi for w, p in zip(weights, factors, strict=True)]
    lanes = np.zeros((7, 512))
    for j, (x, count) in enumerate(zip(values.tolist(), counts.tolist(), strict=True)):
        scaled = [(x - m) * p for m, p in zip(means, factors, strict=True)]
        logs = [o - 0.5 * (s * s) for o, s in zip(offsets, scaled, strict=True)]
        top = max(logs)
        shares = [exp(value - top) for value in logs]
        total = 0.0
        for share in shares:
            total += share
        lanes[6, j % 512] += count * (top + log(total))
        for k, share in enumerate(shares):
            mass = share * (count / total)
            d = x - means[k]
            lanes[3 * k : 3 * k + 3, j % 512] += [mass, mass * d, mass * d * d]
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0].tolist()


def scalar_em(values, counts, weights, means, precisions, n_steps):
    """EM of two components in Python floats."""
    factors, bounds, epsilon = [float(np.sqrt(p)) for p in precisions], [], 10 * 2.0**-52
    for _ in range(n_steps):
        sums = lane_sums(values, counts, weights, means, factors)
        masses, variances = [], []
        for k in range(2):
            s0, s1, s2 = sums[3 * k : 3 * k + 3]
            masses.append(s0 + epsilon)
            mean = means[k] + (s1 - means[k] * epsilon) / masses[k]
            moved = mean - means[k]
            variances.append(((s2 - 2.0 * moved * s1) + moved * moved * s0) / masses[k] + 1e-6)
            means = [*means[:k], mean, *means[k + 1 :]]
        weights = [m / (masses[0] + masses[1]) for m in masses]
        factors = [1.0 / float(np.sqrt(v)) for v in variances]
        bounds.append(sums[6] / float(counts.sum()))
    return weights, means, variances, bounds


def test_frozen_golden_bits():
    """These bits may only change with a new major version: stored models and CUDA runs are compared with them."""
    fit = fit_histogram_1d(Histogram(np.arange(-1000, 1000, 3), np.arange(667) % 11 + 1), 3, tol=0.0, max_iter=5)
    assert [x.hex() for x in fit.means.tolist()] == GOLDEN_MEANS
    assert fit.lower_bounds[-1].hex() == GOLDEN_BOUND


def test_the_multiset_decides_and_not_the_order_of_rows(lung):
    shuffled = np.random.default_rng(3).permutation(lung)
    models = [
        FastGMM(3, init_params=start, random_state=0, max_iter=20, tol=1e-2).fit(rows[:, np.newaxis])
        for start in ("kmeans", "random", "random_from_data", "k-means++", "optimal")
        for rows in (lung, shuffled)
    ]
    for first, second in zip(models[::2], models[1::2], strict=True):
        assert first.means_.tobytes() == second.means_.tobytes()


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64])
def test_integers_equal_the_row_wise_fit_from_the_same_start(lung, covariance_type, dtype):
    rows = (lung[:3000] // 16 + 63).astype(dtype)[:, np.newaxis]
    variance = {"full": (2, 1, 1), "tied": (1, 1), "diag": (2, 1), "spherical": (2,), "tied_diag": (1,)}
    start = {
        "weights_init": [0.5, 0.5],
        "means_init": [[10.0], [60.0]],
        "precisions_init": np.full(variance.get(covariance_type, ()), 0.01),
    }
    counted, row_wise = (
        FastGMM(2, covariance_type=covariance_type, tol=1e-8, max_iter=500, histogram=h, **start).fit(rows)
        for h in ("auto", False)
    )
    rtol, atol = TOLERANCES["sklearn"]
    assert counted.n_iter_ == row_wise.n_iter_
    for name in ("weights_", "means_", "covariances_", "precisions_", "lower_bound_"):
        np.testing.assert_allclose(getattr(counted, name), getattr(row_wise, name), rtol=rtol, atol=atol)
    np.testing.assert_array_equal(counted.predict(rows), row_wise.predict(rows.astype(np.float64)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_p002_lung_equals_scikit_learn(test_data):
    histogram = p002_histogram(test_data, every=16)
    weights, means, precisions = start_of(histogram)
    rows = np.repeat(histogram.values, histogram.counts).astype(np.float64)[:, np.newaxis]
    start = {"weights_init": weights, "means_init": means[:, np.newaxis], "precisions_init": precisions[:, None, None]}
    judge = GaussianMixture(5, tol=1e-3, max_iter=15, **start).fit(rows)
    assert_equal_fits(FastGMM(5, tol=1e-3, max_iter=15, **start).fit_histogram(histogram), judge)


@pytest.mark.slow
def test_p002_whole_lung_equals_scikit_learn_to_convergence(test_data):
    histogram = p002_histogram(test_data, every=4)
    weights, means, precisions = start_of(histogram)
    rows = np.repeat(histogram.values, histogram.counts).astype(np.float64)[:, np.newaxis]
    start = {"weights_init": weights, "means_init": means[:, np.newaxis], "precisions_init": precisions[:, None, None]}
    judge = GaussianMixture(5, tol=1e-3, max_iter=300, **start).fit(rows)
    assert judge.converged_
    assert_equal_fits(FastGMM(5, tol=1e-3, max_iter=300, **start).fit_histogram(histogram), judge)


def assert_equal_fits(ours, judge):
    rtol, atol = TOLERANCES["sklearn"]
    assert ours.n_iter_ == judge.n_iter_
    assert ours.converged_ == judge.converged_
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_", "lower_bound_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(judge, name), rtol=rtol, atol=atol)


def test_integer_input_is_not_truncated():
    """scikit-learn 1.7 to 1.9 compute in the dtype of X and cut the published means to whole numbers."""
    model = FastGMM.from_parameters(MODEL["weights"], MODEL["means"], MODEL["variances"])
    hu = np.arange(-1000, 400, dtype=np.int16)[:, np.newaxis]
    labels = model.predict(hu)
    np.testing.assert_array_equal(labels, model.predict(hu.astype(np.float64)))
    first_of_class = [int(hu[np.argmax(labels == k), 0]) for k in range(1, 5)]
    assert first_of_class == [-893, -721, -472, -235]
    judge = GaussianMixture(5)
    judge.weights_, judge.means_, judge.precisions_cholesky_ = model.weights_, model.means_, model.precisions_cholesky_
    judge.covariances_ = model.covariances_
    np.testing.assert_array_equal(labels, judge.predict(hu.astype(np.float64)))
    np.testing.assert_allclose(model.score_samples(hu), judge.score_samples(hu.astype(np.float64)), rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(hu), judge.predict_proba(hu.astype(np.float64)), atol=1e-12)


def test_fit_histogram_equals_fit_on_the_values(lung):
    settings = {"init_params": "kmeans", "random_state": 4, "tol": 1e-2}
    one, other = FastGMM(3, **settings).fit_histogram(Histogram.from_array(lung)), FastGMM(3, **settings)
    other.fit(lung[:, np.newaxis])
    assert one.means_.tobytes() == other.means_.tobytes()
    assert one.score(Histogram.from_array(lung)) == pytest.approx(other.score(lung[:, np.newaxis]), rel=1e-12)
    assert one.bic(Histogram.from_array(lung)) == pytest.approx(other.bic(lung[:, np.newaxis]), rel=1e-12)


def test_a_collapsed_component_is_named():
    histogram = Histogram([-1001, -1000, 0], [50, 50, 1])
    with pytest.raises(ValueError, match=r"ill-defined empirical covariance.*Component 1 has mass 1 and variance 0"):
        fit_histogram_1d(histogram, 2, reg_covar=0.0, means=[-1000, 0.0], precisions=[1.0, 1.0], weights=[0.5, 0.5])


def test_fit_histogram_1d_says_what_is_wrong():
    histogram = Histogram([0, 1], [1, 1])
    with pytest.raises(ValueError, match="start must be 'optimal', got 'random'"):
        fit_histogram_1d(histogram, 1, start="random")
    with pytest.raises(ValueError, match="got n_components = 3, n_samples = 2"):
        fit_histogram_1d(histogram, 3)
    with pytest.raises(ValueError, match=r"means must have 2 numbers, one per component, got shape \(3,\)"):
        fit_histogram_1d(histogram, 2, means=[1, 2, 3])
    with pytest.raises(TypeError, match=r"histogram must be a fastgmm.Histogram, got ndarray; use fit"):
        FastGMM(1).fit_histogram(np.ones((3, 1)))


def test_verbose_prints_what_scikit_learn_prints(lung, capsys):
    with pytest.warns(ConvergenceWarning):
        FastGMM(2, verbose=1, verbose_interval=1, max_iter=2, tol=0.0).fit(lung[:, np.newaxis])
    assert (
        capsys.readouterr().out == "Initialization 0\n  Iteration 1\n  Iteration 2\nInitialization did not converge.\n"
    )


def test_no_steps_returns_the_start(backend):
    start = {"weights": [0.5, 0.5], "means": [0.0, 4.0], "precisions": [1.0, 0.25]}
    arguments = [np.array([0.0, 1.0, 5.0]), np.ones(3), *(np.array(v) for v in start.values())]
    fit = get_backend(backend).em_histogram(
        *arguments, tol=0.1, max_iter=0, reg_covar=0.0, variance_floor=0.0, lower_bound=-np.inf, n_jobs=1
    )
    assert fit.n_iter == 0
    assert not fit.converged
    assert fit.means.tolist() == [0, 4]
    assert fit.variances.tolist() == [1, 16]


GOLDEN_MEANS = ["-0x1.48ffcf8f247a6p+9", "-0x1.a03c6141ada0ep+1", "0x1.4799398c0d92fp+9"]
GOLDEN_BOUND = "-0x1.eab059b97780dp+2"
