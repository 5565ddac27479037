"""What only the compiled median has: blocks, padded rows, levels, SIMD levels, very long volumes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fastgmm import _core
from fastgmm.backends import _cpp

ALL_SIZES = list(itertools.product((1, 2, 3, 4, 5, 6, 7), repeat=3))


def median(labels: np.ndarray, size: tuple[int, int, int], n_jobs: int = 1) -> np.ndarray:
    out = np.full_like(labels, 201)
    _cpp.median_filter(labels, size, out, n_jobs)
    return out


def tissue(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Labels 0 to 5 in coherent regions with noise, most of it background."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal(shape), 3)
    labels = np.digitize(field / max(field.std(), 1e-9) + 0.4 * rng.standard_normal(shape), [0.3, 0.8, 1.2, 1.6, 2])
    return labels.astype(np.uint8)


def noise(shape: tuple[int, int, int], values: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(values.astype(np.uint8), shape)


VOLUMES = {
    "tissue": tissue((12, 40, 70)),
    "all values": noise((9, 12, 70), np.arange(256)),
    "two far values": noise((9, 12, 70), np.array([3, 250])),
    "seven and eight": noise((9, 12, 70), np.array([7, 8])),
    "one value": np.full((9, 12, 70), 200, np.uint8),
    "one value, the largest": np.full((5, 6, 7), 255, np.uint8),
    "background": np.zeros((9, 12, 70), np.uint8),
    "one voxel": noise((1, 1, 1), np.array([9])),
    "thin": noise((2, 3, 1), np.arange(6)),
    "long": noise((1, 2, 1500), np.arange(200)),
    "tall": noise((2, 300, 3), np.arange(6)),
    "deep": noise((200, 2, 3), np.arange(6)),
}


@pytest.mark.parametrize("size", [(4, 4, 4), (1, 1, 1), (3, 5, 2), (7, 7, 6), (7, 7, 7), (2, 1, 7)], ids=str)
@pytest.mark.parametrize("name", VOLUMES)
def test_median_equals_scipy_for_any_threads(simd: str, name: str, size: tuple[int, int, int]) -> None:
    labels = VOLUMES[name]
    expected = ndimage.median_filter(labels, size)
    for n_jobs in (1, 2, 3):
        np.testing.assert_array_equal(median(labels, size, n_jobs), expected)


@pytest.mark.parametrize("size", ALL_SIZES[::9], ids=str)
def test_every_box_size_equals_scipy_where_axes_are_shorter_than_the_box(size: tuple[int, int, int]) -> None:
    for shape in ((1, 5, 9), (3, 2, 66), (8, 4, 1)):
        labels = noise(shape, np.arange(6), seed=sum(size))
        np.testing.assert_array_equal(median(labels, size), ndimage.median_filter(labels, size))


@pytest.mark.slow
@pytest.mark.parametrize("size", ALL_SIZES, ids=str)
def test_all_box_sizes_equal_scipy(size: tuple[int, int, int]) -> None:
    for labels in (tissue((11, 9, 70), seed=sum(size)), noise((3, 8, 66), np.arange(0, 256, 3), seed=sum(size))):
        np.testing.assert_array_equal(median(labels, size, 2), ndimage.median_filter(labels, size))


@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 70), st.integers(1, 70)),
    size=st.tuples(*[st.integers(1, 7)] * 3),
    n_values=st.sampled_from([2, 6, 8, 9, 256]),
    n_jobs=st.integers(1, 3),
)
def test_median_of_noise_equals_scipy(
    shape: tuple[int, int, int], size: tuple[int, int, int], n_values: int, n_jobs: int
) -> None:
    labels = noise(shape, np.arange(n_values), seed=n_values)
    np.testing.assert_array_equal(median(labels, size, n_jobs), ndimage.median_filter(labels, size))


@pytest.mark.parametrize("late", [0, 7, 8, 255])
def test_a_large_label_in_the_last_slice_is_not_lost(late: int) -> None:
    labels = tissue((64, 40, 70))
    labels[-3:, -3:, -3:] = late
    for n_jobs in (1, 3):
        np.testing.assert_array_equal(median(labels, (4, 4, 4), n_jobs), ndimage.median_filter(labels, 4))


def test_relabelling_in_rising_order_relabels_the_median() -> None:
    labels = tissue((12, 40, 70))
    table = np.array([4, 9, 90, 91, 200, 255], np.uint8)
    np.testing.assert_array_equal(median(table[labels], (5, 4, 3)), table[median(labels, (5, 4, 3))])


@pytest.mark.parametrize("shape", [(0, 4, 5), (4, 0, 5), (4, 5, 0)])
def test_a_volume_without_voxels_is_left_alone(shape: tuple[int, int, int]) -> None:
    assert median(np.zeros(shape, np.uint8), (4, 4, 4), 2).shape == shape


def test_the_door_of_the_core_refuses_what_does_not_fit() -> None:
    labels = tissue((4, 5, 6))
    with pytest.raises(ValueError, match=r"size must be in 1\.\.7, got 8"):
        _core.median_filter(labels, (4, 8, 4), labels.copy(), n_jobs=1)
    with pytest.raises(ValueError, match="out must have the shape of the input"):
        _core.median_filter(labels, (4, 4, 4), np.empty((4, 5, 7), np.uint8), n_jobs=1)
    with pytest.raises(TypeError):
        _core.median_filter(labels.astype(np.int16), (4, 4, 4), labels.copy(), n_jobs=1)
    with pytest.raises(TypeError):
        _core.median_filter(labels[:, :, ::2], (4, 4, 4), labels.copy(), n_jobs=1)


@pytest.mark.slow
def test_a_volume_of_more_than_2_to_the_31_voxels() -> None:
    shape = (3, 26_760, 26_760)
    labels = np.zeros(shape, np.uint8)
    assert labels.size > np.iinfo(np.int32).max
    corner = np.s_[:, -10:, -70:]
    labels[corner] = noise((3, 10, 70), np.arange(6))
    out = np.empty_like(labels)
    _cpp.median_filter(labels, (4, 4, 4), out, 2)
    around = np.s_[:, -20:, -80:]
    inside = np.s_[:, 5:, 5:]
    np.testing.assert_array_equal(out[around][inside], ndimage.median_filter(labels[around], 4)[inside])
    out[around] = 0
    assert not out.any()
