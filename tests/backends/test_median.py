"""The median on every backend against SciPy, the reference, and what must hold of any median."""

from itertools import product

import numpy as np
import pytest
from doors import median_filter
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from volumes import STRUCTURED, blobs, integers, many_examples, volumes

ON_CUDA = True
n_threads = st.integers(1, 3)
sizes = st.integers(1, 7) | st.tuples(*[st.integers(1, 7)] * 3)
label_volumes = volumes([np.dtype(np.uint8)], 10_000)
small_label_volumes = volumes([np.dtype(np.uint8)], 4_000)


def tissue(shape, seed):
    """Labels 0..5 in coherent pieces with single odd voxels among them."""
    coarse = sum(blobs(shape, 0.5, seed + i).astype(np.uint8) for i in range(5))
    return np.where(blobs(shape, 0.8, seed + 9), coarse, 0).astype(np.uint8)


@given(labels=label_volumes, size=sizes, n_jobs=n_threads)
def test_median_equals_scipy(backend, labels, size, n_jobs):
    smooth = median_filter(labels, size, backend=backend, n_jobs=n_jobs)
    assert smooth.dtype == np.uint8
    np.testing.assert_array_equal(smooth, ndimage.median_filter(labels, size))


@pytest.mark.slow
@many_examples
@given(labels=volumes([np.dtype(np.uint8)]), size=sizes, n_jobs=n_threads)
def test_median_equals_scipy_on_many_more_volumes(labels, size, n_jobs):
    smooth = median_filter(labels, size, backend="cpp", n_jobs=n_jobs)
    np.testing.assert_array_equal(smooth, ndimage.median_filter(labels, size))


@pytest.mark.slow
def test_every_size_equals_scipy():
    labels = integers((9, 10, 70), np.uint8, 0, 255, 1)
    for size in product(range(1, 8), repeat=3):
        smooth = median_filter(labels, size, backend="cpp", n_jobs=2)
        np.testing.assert_array_equal(smooth, ndimage.median_filter(labels, size), err_msg=str(size))


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("highest", [1, 5, 255])
def test_every_edge_length_equals_scipy(backend, size, highest):
    labels = integers((7, 9, 66), np.uint8, 0, highest, size)
    smooth = median_filter(labels, size, backend=backend, n_jobs=3)
    np.testing.assert_array_equal(smooth, ndimage.median_filter(labels, size))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 2), (2, 1, 3), (3, 3, 1), (1, 2, 200), (2, 3, 513)], ids=str)
@pytest.mark.parametrize("size", [4, 7, (7, 1, 6), (1, 7, 2)], ids=str)
def test_boxes_wider_than_the_volume_reflect_more_than_once(backend, shape, size):
    labels = integers(shape, np.uint8, 0, 5, 3)
    smooth = median_filter(labels, size, backend=backend)
    np.testing.assert_array_equal(smooth, ndimage.median_filter(labels, size))


@pytest.mark.parametrize("kind", STRUCTURED, ids=lambda kind: kind.__name__)
def test_structured_labels_equal_scipy(backend, kind):
    labels = np.where(kind((12, 13, 77), 0.5, 2), 5, 2).astype(np.uint8)
    for size in (3, 4, (2, 5, 1)):
        smooth = median_filter(labels, size, backend=backend, n_jobs=2)
        np.testing.assert_array_equal(smooth, ndimage.median_filter(labels, size))


@given(labels=label_volumes, size=sizes, n_jobs=n_threads)
def test_cpp_equals_the_reference(labels, size, n_jobs):
    fast = median_filter(labels, size, backend="cpp", n_jobs=n_jobs)
    np.testing.assert_array_equal(fast, median_filter(labels, size, backend="reference"))


@pytest.mark.parametrize("size", [3, 4, 5, (2, 7, 6)], ids=str)
def test_every_simd_level_smooths_alike(simd, size):
    for labels in (tissue((18, 21, 331), 4), integers((11, 8, 131), np.uint8, 0, 255, 4)):
        smooth = median_filter(labels, size, backend="cpp", n_jobs=3)
        np.testing.assert_array_equal(smooth, ndimage.median_filter(labels, size))


@given(labels=small_label_volumes, size=sizes, seed=st.integers(0, 99))
def test_the_median_commutes_with_rising_tables(backend, labels, size, seed):
    table = np.sort(integers(256, np.uint8, 0, 255, seed))
    mapped = median_filter(table[labels], size, backend=backend)
    np.testing.assert_array_equal(mapped, table[median_filter(labels, size, backend=backend)])


@given(labels=small_label_volumes, size=st.sampled_from([1, 3, 5, 7, (1, 3, 5)]), axis=st.integers(0, 2))
def test_the_median_of_an_odd_box_commutes_with_mirroring(backend, labels, size, axis):
    mirrored = median_filter(np.flip(labels, axis), size, backend=backend)
    np.testing.assert_array_equal(np.flip(mirrored, axis), median_filter(labels, size, backend=backend))


@given(labels=small_label_volumes, size=sizes)
def test_no_new_labels_appear(backend, labels, size):
    assert np.isin(median_filter(labels, size, backend=backend), labels).all()


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)], ids=str)
def test_a_volume_without_voxels_stays_one(backend, shape):
    assert median_filter(np.zeros(shape, np.uint8), 4, backend=backend).shape == shape
