"""Labels from masks and labels kept within others, on every backend against NumPy."""

import numpy as np
import pytest
from doors import median_filter, number_masks
from hypothesis import given
from hypothesis import strategies as st
from volumes import blobs, integers, noise

from fastgmm.volume import PackedMask

ON_CUDA = True
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 140))


def numbered(masks):
    """The rule of `number_masks`, the last mask written first."""
    labels = np.zeros(masks[0].shape, np.uint8)
    for number in range(len(masks), 0, -1):
        labels[masks[number - 1]] = number
    return labels


@given(shape=SHAPES, n_masks=st.integers(1, 4), density=st.floats(0, 1), seed=st.integers(0, 999))
def test_numbers_are_those_of_the_first_mask(backend, shape, n_masks, density, seed):
    masks = [noise(shape, density, seed + i) for i in range(n_masks)]
    expected = numbered(masks)
    np.testing.assert_array_equal(number_masks(masks, backend=backend, n_jobs=2), expected)
    out = np.full(shape, 77, np.uint8)
    packed = [PackedMask.from_array(mask) for mask in masks]
    assert number_masks(packed, out=out, backend=backend) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("nx", [64, 128, 130])
def test_full_and_empty_words_and_the_last_of_many_masks(backend, nx):
    masks = [blobs((3, 7, nx), 0.4, i) for i in range(3)] + [np.zeros((3, 7, nx), bool)] * 250
    masks += [np.ones((3, 7, nx), bool), np.ones((3, 7, nx), bool)]
    labels = number_masks(masks, backend=backend)
    np.testing.assert_array_equal(labels, numbered(masks))
    assert labels.max() == 254


@given(shape=SHAPES, size=st.sampled_from([1, 3, (1, 2, 5)]), share=st.floats(0, 1), seed=st.integers(0, 999))
def test_zeros_stay_and_no_other_label_becomes_zero(backend, shape, size, share, seed):
    labels = np.where(noise(shape, share, seed), integers(shape, np.uint8, 1, 5, seed), 0).astype(np.uint8)
    plain = median_filter(labels, size, backend=backend)
    expected = np.where(labels == 0, 0, np.where(plain == 0, labels, plain))
    np.testing.assert_array_equal(median_filter(labels, size, keep_zeros=True, backend=backend), expected)


def test_every_simd_level_numbers_and_keeps_alike(simd):
    # The larger one is streamed past the caches.
    for shape in ((5, 9, 331), (66, 512, 512)):
        masks = [blobs(shape, 0.5, i) for i in range(2)]
        labels = number_masks(masks, backend="cpp", n_jobs=3)
        np.testing.assert_array_equal(labels, numbered(masks))
        plain = median_filter(labels, 3, backend="cpp")
        expected = np.where(labels == 0, 0, np.where(plain == 0, labels, plain))
        np.testing.assert_array_equal(median_filter(labels, 3, keep_zeros=True, backend="cpp", n_jobs=3), expected)


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)], ids=str)
def test_masks_without_voxels_give_labels_without_any(backend, shape):
    assert number_masks([np.zeros(shape, bool)], backend=backend).shape == shape
    assert median_filter(np.zeros(shape, np.uint8), 3, keep_zeros=True, backend=backend).shape == shape


def test_wrong_arguments_are_named():
    mask = np.ones((2, 3, 4), bool)
    with pytest.raises(ValueError, match="masks must be 1 to 255, got 0"):
        number_masks([])
    with pytest.raises(ValueError, match="masks must be 1 to 255, got 256"):
        number_masks([mask] * 256)
    with pytest.raises(ValueError, match=r"masks\[1\] must have .* shape \(2, 3, 4\), got \(1, 3, 4\)"):
        number_masks([mask, mask[:1]])
    with pytest.raises(ValueError, match="out must be uint8"):
        number_masks([mask], out=np.zeros((1, 3, 4), np.uint8))
