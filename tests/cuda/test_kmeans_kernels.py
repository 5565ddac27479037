"""The passes of k-means and the moments of labelled rows on the cuda backend, in every order, against the reference."""

import numpy as np
import pytest
from em_cases import assert_sums_close
from emulation import check_schedules
from tolerances import TOLERANCES

from fastgmm.backends import get_backend

# Rows about the ends of warps, blocks and chunks; more centres than are compared at once, and rows too long to tile.
SHAPES = [(1, 1, 1), (31, 3, 5), (33, 1, 4), (65, 7, 3), (257, 2, 9), (4097, 1, 2), (40, 65, 2)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])

pytestmark = pytest.mark.usefixtures("cuda")


def make_case(shape, dtype=np.float64):
    """Rows, weights, origin, centres, the labels before, and the squared distances before."""
    n, d, n_centres = shape
    rng = np.random.default_rng(n)
    X, origin = (rng.normal(size=(n, d)) + 5).astype(dtype), rng.normal(size=d) + 5
    labels = rng.integers(-1, n_centres, n).astype(np.int32)
    return X, rng.uniform(0, 2, n), origin, rng.normal(size=(n_centres, d)), labels, rng.uniform(0, 2 * d, n)


def on_device(cuda, *arrays):
    return [None if array is None else cuda.asarray(array) for array in arrays]


@each_dtype
@each_shape
def test_a_step_equals_the_reference(cuda, shape, dtype):
    X, weights, origin, centres, labels, _ = make_case(shape, dtype)
    for w in (weights, None):
        judge, ours = labels.copy(), cuda.asarray(labels)
        expected = get_backend("reference").kmeans_step(X, w, origin, centres, judge, 1)
        found = get_backend("cuda").kmeans_step(*on_device(cuda, X, w), origin, centres, ours, 1)
        np.testing.assert_array_equal(ours.get(), judge)
        assert found.n_changed == expected.n_changed
        assert_sums_close(found, expected, len(X))
        assert type(found.n_changed) is int


@each_dtype
@each_shape
def test_distances_and_potentials_equal_the_reference(cuda, shape, dtype):
    X, weights, origin, centres, _, closest = make_case(shape, dtype)
    rtol, atol = TOLERANCES["reference"]
    for w in (weights, None):
        judge, ours = closest.copy(), cuda.asarray(closest)
        expected = get_backend("reference").kmeans_potentials(X, w, origin, centres, closest, 1)
        found = get_backend("cuda").kmeans_potentials(*on_device(cuda, X, w), origin, centres, ours, 1)
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol * len(X))
        expected = get_backend("reference").kmeans_approach(X, w, origin, centres[0], judge, 1)
        found = get_backend("cuda").kmeans_approach(*on_device(cuda, X, w), origin, centres[0], ours, 1)
        np.testing.assert_allclose(ours.get(), judge, rtol=rtol, atol=atol * shape[1])
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol * 256)


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
@each_dtype
@each_shape
def test_moments_of_labelled_rows_equal_the_reference(cuda, shape, dtype, kind):
    X, weights, _, means, labels, _ = make_case(shape, dtype)
    labels = np.maximum(labels, 0)
    for w in (weights, None):
        expected = get_backend("reference").em_label_moments(X, w, labels, means, kind, 1)
        found = get_backend("cuda").em_label_moments(*on_device(cuda, X, w, labels), means, kind, 1)
        assert_sums_close(found, expected, 100 * len(X) * shape[1])


@pytest.mark.parametrize("shape", [(65, 7, 3), (257, 2, 9)], ids=str)
def test_no_order_of_threads_changes_a_bit(cuda, shape):
    X, weights, origin, centres, labels, closest = make_case(shape)
    kernels, rows = get_backend("cuda"), on_device(cuda, X, weights)

    def passes():
        ours, near = cuda.asarray(labels), cuda.asarray(closest)
        step = kernels.kmeans_step(*rows, origin, centres, ours, 1)
        potentials = kernels.kmeans_potentials(*rows, origin, centres, near, 1)
        sums = kernels.kmeans_approach(*rows, origin, centres[0], near, 1)
        moments = kernels.em_label_moments(*rows, ours, centres, "full", 1)
        return (*step, potentials, sums, ours.get(), near.get(), *moments)

    check_schedules(passes, passes())


def test_of_equally_near_centres_the_first_is_taken(cuda):
    labels = cuda.full(3, 4, np.int32)
    X = cuda.asarray(np.zeros((3, 1)))
    get_backend("cuda").kmeans_step(X, None, np.zeros(1), np.array([[2.0], [1.0], [-1.0], [1.0]]), labels, 1)
    assert labels.get().tolist() == [1, 1, 1]


def test_rows_of_any_strides(cuda):
    X, weights, origin, centres, labels, _ = make_case((65, 7, 3))
    wide = cuda.asarray(np.repeat(np.repeat(X, 2, axis=0), 3, axis=1))[::2, ::3]
    judge, ours = labels.copy(), cuda.asarray(labels)
    expected = get_backend("reference").kmeans_step(X, weights, origin, centres, judge, 1)
    found = get_backend("cuda").kmeans_step(wide, cuda.asarray(weights), origin, centres, ours, 1)
    np.testing.assert_array_equal(ours.get(), judge)
    assert_sums_close(found, expected, len(X))
