"""The em kernels of the cuda backend: threads in three orders and five preemptions, against the reference."""

import numpy as np
import pytest
from em_cases import KINDS, assert_assigned_alike, assert_sums_close, make_case
from emulation import SCHEDULES, check_schedules, schedule

from fastgmm.backends import get_backend
from fastgmm.backends._contract import HistogramBatch

# d = 33 takes two tiles of rows, d = 130 the smallest blocks and three batches of pairs, d = 200 rows that do not fit;
# K = 65 densities that do not fit.
SHAPES = ((1, 1, 1), (7, 2, 3), (31, 5, 4), (65, 33, 2), (5000, 3, 2), (40, 130, 2), (33, 7, 65))
pytestmark = pytest.mark.usefixtures("cuda")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_step_equals_the_reference(cuda, kind, shape, dtype):
    X, weights, mixture = make_case(kind, *shape, dtype)
    for w in (weights, None):
        expected = get_backend("reference").em_step(X, w, mixture, 1)
        moments = get_backend("cuda").em_step(cuda.asarray(X), None if w is None else cuda.asarray(w), mixture, 1)
        assert_sums_close(moments, expected, 100 * len(X) * shape[1])
        assert all(isinstance(part, np.ndarray) for part in moments[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_no_order_of_threads_changes_a_bit_of_a_step(cuda, kind):
    X, weights, mixture = make_case(kind, 300, 5, 3)
    step = lambda: get_backend("cuda").em_step(cuda.asarray(X), cuda.asarray(weights), mixture, 1)  # noqa: E731
    moments = step()
    assert_sums_close(moments, get_backend("reference").em_step(X, weights, mixture, 1), 1000)
    check_schedules(step, tuple(moments))


def test_slabs_do_not_change_a_bit_of_the_moments(cuda, monkeypatch):
    X, weights, mixture = make_case("full", 9000, 2, 2)
    kernels = get_backend("cuda")
    whole = kernels.em_step(cuda.asarray(X), cuda.asarray(weights), mixture, 1)
    monkeypatch.setitem(kernels.em_step.__globals__, "_SLAB", 1)
    slabs = kernels.em_step(cuda.asarray(X), cuda.asarray(weights), mixture, 1)
    assert all(np.array_equal(a, b) for a, b in zip(whole[1:], slabs[1:], strict=True))
    np.testing.assert_allclose(slabs.log_likelihood, whole.log_likelihood, rtol=1e-14)


def test_rows_of_any_strides(cuda):
    X, weights, mixture = make_case("full", 200, 4, 3)
    wide = cuda.asarray(np.repeat(np.repeat(X, 2, axis=0), 3, axis=1))
    moments = get_backend("cuda").em_step(wide[::2, ::3], cuda.asarray(weights), mixture, 1)
    assert_sums_close(moments, get_backend("reference").em_step(X, weights, mixture, 1), 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_moments_of_given_responsibilities(cuda, kind):
    X, _, mixture = make_case(kind, 500, 6, 3)
    shares = np.random.default_rng(0).uniform(size=(500, 3))
    moments = get_backend("cuda").em_moments(cuda.asarray(X), cuda.asarray(shares), mixture.means, kind, 1)
    assert_sums_close(moments, get_backend("reference").em_moments(X, shares, mixture.means, kind, 1), 5000)


def assigned(cuda, X, mixture):
    """Labels, log densities and responsibilities by the device."""
    n, n_components = len(X), len(mixture.means)
    found = [cuda.empty(n, np.int64), cuda.empty(n, X.dtype), cuda.empty((n, n_components), X.dtype)]
    get_backend("cuda").em_assign(cuda.asarray(X), mixture, *found, 1)
    return tuple(part.get() for part in found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [*SHAPES[:4], (40, 200, 2), SHAPES[-1]], ids=str)
def test_assignment_equals_the_reference(cuda, kind, shape, dtype):
    X, _, mixture = make_case(kind, *shape, dtype)
    n, n_components = len(X), shape[2]
    expected = [np.empty(n, np.int64), np.empty(n, dtype), np.empty((n, n_components), dtype)]
    get_backend("reference").em_assign(X, mixture, *expected, 1)
    assert_assigned_alike(assigned(cuda, X, mixture), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(65, 5, 3), (33, 7, 65), (31, 200, 2)], ids=["kept", "many components", "long rows"])
def test_no_order_of_threads_changes_a_bit_of_an_assignment(cuda, kind, shape):
    X, _, mixture = make_case(kind, *shape)
    check_schedules(lambda: assigned(cuda, X, mixture), assigned(cuda, X, mixture))


@pytest.mark.parametrize("kind", KINDS)
def test_no_order_of_threads_changes_a_bit_with_many_components(cuda, kind):
    X, weights, mixture = make_case(kind, *SHAPES[-1])
    step = lambda: get_backend("cuda").em_step(cuda.asarray(X), cuda.asarray(weights), mixture, 1)  # noqa: E731
    check_schedules(step, tuple(step()))


def test_slabs_do_not_change_an_assignment(cuda, monkeypatch):
    X, _, mixture = make_case("full", 9000, 2, 2)
    whole = assigned(cuda, X, mixture)
    monkeypatch.setitem(get_backend("cuda").em_step.__globals__, "_SLAB", 1)
    for ours, judge in zip(assigned(cuda, X, mixture), whole, strict=True):
        np.testing.assert_array_equal(ours, judge)


def make_batch(n_components):
    """Fits of histograms of several sizes; the last two share one."""
    rng = np.random.default_rng(n_components)
    sizes = [1500, 513, 512, 40]
    values = np.concatenate([np.sort(rng.choice(4000, n, replace=False)) - 1000.0 for n in sizes])
    ends = np.cumsum(sizes)
    spans = np.stack([ends - sizes, ends], axis=1)
    spans = np.concatenate([spans, spans[-1:]])
    means = np.sort(rng.uniform(-1000, 3000, (5, n_components)))
    shape = (5, n_components)
    start = (np.full(shape, 1 / n_components), means, np.full(shape, 1 / 500.0))
    counts = rng.integers(1, 99, values.size).astype(float)
    return HistogramBatch(values, counts, spans, *start, np.array([0, 0, 1e4, 0, 0.0]), np.full(5, -np.inf))


def bits(fits):
    return [(*(array.tobytes() for array in fit[:5]), fit.converged, fit.collapsed) for fit in fits]


@pytest.mark.parametrize("n_components", [1, 3, 5, 8, 11])
def test_histogram_fits_have_the_bits_of_the_cpu(n_components):
    batch, settings = make_batch(n_components), {"tol": 1e-4, "max_iter": 15, "reg_covar": 1e-6, "n_jobs": 1}
    fits = get_backend("cuda").em_histogram_batch(batch, **settings)
    assert bits(fits) == bits(get_backend("cpp").em_histogram_batch(batch, **settings))
    if get_backend("numba"):
        assert bits(fits) == bits(get_backend("numba").em_histogram_batch(batch, **settings))


@pytest.mark.parametrize("settings", SCHEDULES, ids=str)
def test_histogram_fits_have_the_same_bits_in_any_order_of_threads(settings):
    batch, how = make_batch(3), {"tol": 0.0, "max_iter": 2, "reg_covar": 1e-6, "n_jobs": 1}
    with schedule(*settings):
        fits = get_backend("cuda").em_histogram_batch(batch, **how)
    assert bits(fits) == bits(get_backend("cpp").em_histogram_batch(batch, **how))


def test_launches_that_go_on_where_the_last_stopped_change_no_bit(monkeypatch):
    batch, settings = make_batch(2), {"tol": 1e-4, "max_iter": 40, "reg_covar": 1e-6, "n_jobs": 1}
    kernels = get_backend("cuda")
    monkeypatch.setitem(kernels.em_histogram_batch.__globals__, "_BOUNDS", 1)
    fits = kernels.em_histogram_batch(batch, **settings)
    assert max(fit.n_iter for fit in fits) > 16
    assert bits(fits) == bits(get_backend("cpp").em_histogram_batch(batch, **settings))


def test_a_collapsed_component_ends_its_fit_only():
    one = make_batch(1)
    spans = np.array([[0, 1], [0, 1500]])
    batch = one._replace(spans=spans, **{name: getattr(one, name)[:2] for name in one._fields[3:]})
    settings = {"tol": 1e-4, "max_iter": 9, "reg_covar": 0.0, "n_jobs": 1}
    fits = get_backend("cuda").em_histogram_batch(batch, **settings)
    judge = get_backend("cpp").em_histogram_batch(batch, **settings)
    assert [fit.collapsed for fit in fits] == [fit.collapsed for fit in judge]
    assert fits[1].means.tobytes() == judge[1].means.tobytes()


def test_too_many_components_are_refused():
    batch = make_batch(321)
    with pytest.raises(
        ValueError, match="n_components must be at most 320 on a histogram with backend 'cuda', got 321; pass histog"
    ):
        get_backend("cuda").em_histogram_batch(batch, tol=0.0, max_iter=1, reg_covar=0.0, n_jobs=1)
