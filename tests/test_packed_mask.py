"""Masks as bits: packing, unpacking, and what is refused."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from volumes import SEEDS, full, masks

from fastgmm.volume import PackedMask


@given(mask=masks())
def test_packing_loses_nothing(mask):
    packed = PackedMask.from_array(mask)
    assert packed.shape == mask.shape
    assert packed.count() == mask.sum()
    np.testing.assert_array_equal(packed.to_array(), mask)


@given(mask=masks(20_000), seed=SEEDS)
def test_bit_i_of_word_w_is_voxel_64_w_plus_i(mask, seed):
    packed = PackedMask.from_array(mask)
    z, y, x = np.random.default_rng(seed).integers(mask.shape)
    assert int(packed.words[z, y, x // 64]) >> int(x % 64) & 1 == mask[z, y, x]
    assert packed.words.shape[2] == -(-mask.shape[2] // 64)


@pytest.mark.parametrize("nx", [1, 63, 64, 65, 127, 128, 1000])
def test_bits_past_the_row_are_0(nx):
    packed = PackedMask.from_array(np.ones((2, 3, nx), bool))
    assert np.bitwise_count(packed.words).sum() == 6 * nx


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)], ids=str)
def test_masks_without_voxels(shape):
    packed = PackedMask.from_array(np.zeros(shape, bool))
    assert packed.count() == 0
    assert packed.to_array().shape == shape
    assert packed == packed.copy()


def test_planes_of_whole_pages_are_padded_by_a_cache_line():
    packed = PackedMask.from_array(full((3, 512, 64), 1, 0))
    assert packed.words.strides == (4096 + 64, 8, 8)
    np.testing.assert_array_equal(PackedMask(packed.words, packed.shape).to_array(), True)
    assert PackedMask.empty((3, 511, 64)).words.strides == (511 * 8, 8, 8)


def test_copies_and_pickles_are_equal_and_apart():
    packed = PackedMask.from_array(full((3, 512, 64), 1, 0))
    for other in (packed.copy(), pickle.loads(pickle.dumps(packed)), copy.deepcopy(packed)):
        assert other == packed
        assert not np.may_share_memory(other.words, packed.words)
        other.words[0, 0, 0] = 0
        assert other != packed


def test_masks_are_equal_by_shape_and_bits():
    packed = PackedMask.from_array(full((2, 3, 5), 1, 0))
    assert packed != PackedMask.from_array(full((2, 3, 6), 1, 0))
    assert packed != "mask"
    assert repr(packed) == "PackedMask(shape=(2, 3, 5), count=30)"
    with pytest.raises(TypeError, match="unhashable"):
        hash(packed)


def test_unpacking_into_an_array():
    packed = PackedMask.from_array(full((2, 3, 5), 1, 0))
    room = np.zeros((2, 3, 5), bool)
    assert packed.to_array(room) is room
    assert room.all()
    with pytest.raises(ValueError, match=r"out must be bool of shape \(2, 3, 5\), got uint8 of shape \(2, 3, 5\)"):
        packed.to_array(room.view(np.uint8))
    with pytest.raises(ValueError, match=r"got bool of shape \(3, 2, 5\)"):
        packed.to_array(room.reshape(3, 2, 5))


def test_words_are_kept_not_copied():
    words = np.zeros((2, 3, 1), np.uint64)
    assert PackedMask(words, (2, 3, 5)).words is words
    assert PackedMask(words, np.array([2, 3, 5])).shape == (2, 3, 5)


GOOD = np.zeros((2, 3, 2), np.uint64)


@pytest.mark.parametrize(
    ("words", "shape", "text"),
    [
        (GOOD, (2, 3, 64), r"words must be uint64 of shape \(2, 3, 1\), got uint64 of shape \(2, 3, 2\)"),
        (GOOD.astype(np.int64), (2, 3, 70), "got int64 of shape"),
        (GOOD.astype(">u8"), (2, 3, 70), "got >u8 of shape"),
        (GOOD.tolist(), (2, 3, 70), "got list"),
        (np.zeros((2, 3, 4), np.uint64)[:, :, ::2], (2, 3, 70), "contiguous rows within each plane, got strides"),
        (np.zeros((2, 6, 2), np.uint64)[:, ::2], (2, 3, 70), "contiguous rows within each plane"),
        (np.zeros(97, np.uint8)[1:].view(np.uint64).reshape(2, 3, 2), (2, 3, 70), "aligned to 8 bytes"),
        (~GOOD, (2, 3, 127), "bits of words past nx = 127 must be 0"),
    ],
)
def test_words_that_are_no_mask_are_refused(words, shape, text):
    with pytest.raises(ValueError, match=text):
        PackedMask(words, shape)


def test_arrays_that_are_no_mask_are_refused():
    with pytest.raises(TypeError, match=r"mask must be a 3-D bool array, got uint8 of shape \(2, 3, 4\)"):
        PackedMask.from_array(np.zeros((2, 3, 4), np.uint8))
    with pytest.raises(TypeError, match=r"got bool of shape \(3, 4\)"):
        PackedMask.from_array(np.zeros((3, 4), bool))
    with pytest.raises(TypeError, match="got list"):
        PackedMask.from_array([[[True]]])
