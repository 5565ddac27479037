"""The EM kernels of every backend against SciPy and against each other."""

import numpy as np
import pytest
from em_cases import KINDS, assert_sum_close, make_case
from scipy.special import logsumexp
from tolerances import TOLERANCES

from fastgmm.backends import get_backend
from fastgmm.backends._contract import Mixture

SHAPES = ((1, 1, 1), (7, 2, 3), (700, 3, 4), (1500, 8, 2), (300, 33, 3), (130, 130, 2))


def log_joint(X, mixture):
    columns = []
    for k, mean in enumerate(mixture.means):
        centred = X.astype(np.float64) - mean
        factor = mixture.precisions if mixture.kind == "tied" else mixture.precisions[k]
        scaled = centred * factor if mixture.kind == "diag" else centred @ factor
        columns.append(mixture.offsets[k] - 0.5 * (scaled**2).sum(axis=1))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_step_equals_the_definition(backend, kind, shape, dtype):
    X, weights, mixture = make_case(kind, *shape, dtype)
    joint = log_joint(X, mixture)
    density = logsumexp(joint, axis=1)
    mass = np.exp(joint - density[:, np.newaxis]) * weights[:, np.newaxis]
    moments = get_backend(backend).em_step(X, weights, mixture, 2)
    assert_sum_close(moments.log_likelihood, weights @ density, np.abs(density).sum())
    assert_sum_close(moments.mass, mass.sum(axis=0), len(X))
    centred = X.astype(np.float64)[:, np.newaxis] - mixture.means
    assert_sum_close(moments.first, np.einsum("nk,nki->ki", mass, centred), 10 * len(X))
    if kind == "full":
        assert_sum_close(moments.second, np.einsum("nk,nki,nkj->kij", mass, centred, centred), 100 * len(X))
    elif kind == "diag":
        assert_sum_close(moments.second, np.einsum("nk,nki->ki", mass, centred**2), 100 * len(X))


@pytest.mark.parametrize("kind", KINDS)
def test_moments_of_given_responsibilities(backend, kind):
    X, _, mixture = make_case(kind, 600, 3, 4)
    given = np.random.default_rng(1).uniform(size=(600, 4))
    moments = get_backend(backend).em_moments(X, given, mixture.means, kind, 2)
    centred = X[:, np.newaxis] - mixture.means
    assert moments.log_likelihood == 0
    assert_sum_close(moments.mass, given.sum(axis=0), 600)
    assert_sum_close(moments.first, np.einsum("nk,nki->ki", given, centred), 6000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_has_the_same_bits_for_any_threads_and_memory_order(simd, kind):
    X, weights, mixture = make_case(kind, 30_000, 5, 3)
    kernels = get_backend("cpp")
    results = [kernels.em_step(rows, weights, mixture, n) for rows in (X, np.asfortranarray(X)) for n in (1, 2, 3)]
    results.append(kernels.em_step(np.repeat(X, 2, axis=0)[::2], weights, mixture, 2))
    for other in results[1:]:
        assert other.log_likelihood == results[0].log_likelihood
        assert all(np.array_equal(a, b) for a, b in zip(results[0][1:], other[1:], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_numba_gives_the_same_bits_for_any_threads(kind):
    pytest.importorskip("numba")
    X, weights, mixture = make_case(kind, 9000, 3, 2)
    first, other = (get_backend("numba").em_step(X, weights, mixture, n) for n in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_instruction_set_agrees_with_the_reference(simd, kind):
    X, weights, mixture = make_case(kind, 2000, 6, 3)
    ours, judge = (get_backend(name).em_step(X, weights, mixture, 1) for name in ("cpp", "reference"))
    for actual, expected in zip(ours, judge, strict=True):
        assert_sum_close(actual, expected, 1e5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_assignment_equals_the_definition(backend, kind, dtype):
    X, _, mixture = make_case(kind, 1000, 4, 5, dtype)
    labels, density, shares = np.empty(1000, np.int64), np.empty(1000, dtype), np.empty((1000, 5), dtype)
    get_backend(backend).em_assign(X, mixture, labels, density, shares, 2)
    joint = log_joint(X, mixture)
    total = logsumexp(joint, axis=1)
    np.testing.assert_array_equal(labels, joint.argmax(axis=1))
    rtol, atol = TOLERANCES["assignment_float32" if dtype == np.float32 else "reference"]
    np.testing.assert_allclose(density, total, rtol=rtol, atol=atol)
    np.testing.assert_allclose(shares, np.exp(joint - total[:, np.newaxis]), rtol=rtol, atol=atol)


def test_ties_go_to_the_first_component(backend):
    mixture = Mixture("diag", np.zeros(3), np.zeros((3, 1)), np.ones((3, 1)))
    labels = np.empty(2, np.int64)
    get_backend(backend).em_assign(np.array([[0.0], [3.0]]), mixture, labels, None, None, 1)
    assert labels.tolist() == [0, 0]


def test_wrong_shapes_are_refused_at_the_door():
    X, weights, mixture = make_case("diag", 10, 2, 3)
    kernels = get_backend("cpp")
    with pytest.raises(ValueError, match="weights must be 1-D of length 10"):
        kernels.em_step(X, weights[:9], mixture, 1)
    with pytest.raises(ValueError, match=r"rows must have shape \(at least 1, 2\)"):
        kernels.em_step(X[:, :1], weights, mixture, 1)
    with pytest.raises(ValueError, match=r"offsets and precisions must fit means of shape \(3, 2\)"):
        kernels.em_step(X, weights, mixture._replace(kind="full"), 1)
    with pytest.raises(ValueError, match="kind must be full, tied or diag, got wide"):
        kernels.em_step(X, weights, mixture._replace(kind="wide"), 1)
    with pytest.raises(TypeError):
        kernels.em_step(X.astype(np.int64), weights, mixture, 1)
