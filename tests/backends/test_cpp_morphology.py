"""What only the compiled morphology has: SIMD levels, threads, blocks and passes, word columns, strides, huge masks."""

import functools

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from fastgmm.backends import _cpp
from fastgmm.volume import PackedMask


def blobs(seed, shape, density):
    """Smooth random shapes, so that erosion leaves something and balls fit."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), 2, mode="nearest")
    return smooth < np.quantile(smooth, density)


def ball(radius):
    """Offsets d with sum of (d / (r + 1/2))^2 <= 1, in whole numbers."""
    z, y, x = np.ogrid[tuple(slice(-r, r + 1) for r in radius)]
    nz, ny, nx = (2 * r + 1 for r in radius)
    return (2 * z * ny * nx) ** 2 + (2 * y * nz * nx) ** 2 + (2 * x * nz * ny) ** 2 <= (nz * ny * nx) ** 2


def closed_by_sitk(mask, radius):
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    closed = SimpleITK.BinaryMorphologicalClosing(image, list(radius[::-1]), SimpleITK.sitkBall, 1.0)
    return SimpleITK.GetArrayFromImage(closed).astype(bool)


def check(packed, expected):
    np.testing.assert_array_equal(packed.to_array(), expected)
    assert packed == PackedMask.from_array(expected)  # the bits past nx are 0


@pytest.mark.parametrize("iterations", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("shape", [(20, 30, 63), (23, 21, 64), (19, 40, 65), (40, 19, 300)])
def test_opening_equals_scipy_in_one_pass_and_in_several(simd, shape, iterations):
    mask = blobs(iterations, shape, 0.9)
    expected = ndimage.binary_opening(mask, iterations=iterations)
    for n_jobs in (1, 3):
        check(_cpp.binary_opening(PackedMask.from_array(mask), iterations, n_jobs), expected)


@pytest.mark.parametrize("shape", [(3, 700, 130), (150, 9, 20), (70, 400, 9), (5, 40, 4200)])
def test_opening_joins_its_blocks_of_rows_and_slices_without_a_seam(shape):
    mask = blobs(0, shape, 0.9) | (np.arange(shape[2]) % 50 < 45)
    mask[:, ::37, ::3] = False
    expected = ndimage.binary_opening(mask)
    assert expected.any()
    for n_jobs in (1, 2, 7):
        check(_cpp.binary_opening(PackedMask.from_array(mask), 1, n_jobs), expected)


def test_opening_with_too_many_iterations_is_empty():
    full = PackedMask.from_array(np.ones((9, 9, 9), bool))
    assert _cpp.binary_opening(full, 4, 2).count() == ndimage.binary_opening(np.ones((9, 9, 9)), iterations=4).sum()
    assert _cpp.binary_opening(full, 5, 2).count() == 0
    assert _cpp.binary_opening(full, 10**15, 2).count() == 0


@pytest.mark.parametrize("radius", [(3, 3, 3), (0, 2, 5), (4, 0, 1), (1, 6, 0), (2, 9, 20)])
def test_balls_equal_sitk_and_scipy_at_every_level_and_thread_count(simd, radius):
    mask = blobs(sum(radius), (24, 90, 140), 0.5)
    closed = closed_by_sitk(mask, radius)
    opened = ndimage.binary_opening(mask, ball(radius))
    for n_jobs in (1, 3):
        packed = PackedMask.from_array(mask)
        check(_cpp.binary_closing_ball(packed, radius, n_jobs), closed)
        check(_cpp.binary_opening_ball(packed, radius, n_jobs), opened)


@functools.cache
def sparse_mask_and_its_closing(radius):
    rng = np.random.default_rng(radius[2])
    mask = np.zeros((12, 100, 260), bool)
    mask[tuple(rng.integers(0, n, 40) for n in mask.shape)] = True
    return mask, closed_by_sitk(mask, radius)


@pytest.mark.parametrize("radius", [(30, 30, 30), (20, 20, 20), (0, 0, 70), (2, 9, 130), (64, 3, 5), (0, 64, 0)])
def test_closing_reaches_over_whole_words_and_chunks(simd, radius):
    mask, expected = sparse_mask_and_its_closing(radius)
    check(_cpp.binary_closing_ball(PackedMask.from_array(mask), radius, 2), expected)


@pytest.mark.parametrize("radius", [(64, 64, 64), (20, 20, 20), (62, 24, 40), (7, 30, 64), (64, 1, 5), (3, 70, 0)])
@pytest.mark.parametrize("offset", [0, 1, 37])
def test_a_ball_fits_itself_exactly(simd, radius, offset):
    structure = ball(radius)
    mask = np.zeros(tuple(n + 2 + offset for n in structure.shape), bool)
    inside = tuple(slice(1 + offset, 1 + offset + n) for n in structure.shape)
    mask[inside] = structure
    assert _cpp.binary_opening_ball(PackedMask.from_array(mask), radius, 2) == PackedMask.from_array(mask)
    # Without any one of its outermost voxels no ball fits any more.
    outermost = structure & ~ndimage.binary_erosion(structure, np.ones((3, 3, 3)))
    for voxel in np.argwhere(outermost)[:: max(1, outermost.sum() // 5)]:
        lacking = mask.copy()
        lacking[inside][tuple(voxel)] = False
        assert _cpp.binary_opening_ball(PackedMask.from_array(lacking), radius, 2).count() == 0


@pytest.mark.parametrize("kind", ["empty", "full", "faces", "corners"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 200), (200, 1, 1), (1, 200, 1), (12, 13, 129)])
def test_balls_at_the_border_equal_sitk_and_scipy(kind, shape):
    mask = np.zeros(shape, bool)
    if kind == "full":
        mask[:] = True
    elif kind == "faces":
        for axis in range(3):
            mask[tuple([slice(None)] * axis + [slice(None, None, max(1, shape[axis] - 1))])] = True
    elif kind == "corners":
        mask[:: max(1, shape[0] - 1), :: max(1, shape[1] - 1), :: max(1, shape[2] - 1)] = True
    for radius in ((2, 2, 2), (5, 1, 3)):
        packed = PackedMask.from_array(mask)
        check(_cpp.binary_closing_ball(packed, radius, 2), closed_by_sitk(mask, radius))
        check(_cpp.binary_opening_ball(packed, radius, 2), ndimage.binary_opening(mask, ball(radius)))


@pytest.mark.parametrize("shape", [(0, 5, 5), (5, 0, 5), (5, 5, 0)])
def test_morphology_of_an_empty_shape_is_empty(shape):
    mask = PackedMask.from_array(np.zeros(shape, bool))
    for result in (
        _cpp.binary_opening(mask, 2, 2),
        _cpp.binary_opening_ball(mask, (1, 2, 3), 2),
        _cpp.binary_closing_ball(mask, (1, 2, 3), 2),
    ):
        assert result.shape == shape
        assert result.count() == 0


def test_strided_planes_are_read_in_place():
    mask = blobs(1, (40, 30, 100), 0.7)
    packed = PackedMask.from_array(mask)
    every_other = PackedMask(packed.words[::2], (20, 30, 100))
    from_behind = PackedMask(packed.words[::-1], mask.shape)
    assert _cpp.binary_opening(every_other, 5, 2) == _cpp.binary_opening(PackedMask.from_array(mask[::2]), 5, 2)
    expected = ndimage.binary_opening(mask[::-1], iterations=2)
    check(_cpp.binary_opening(from_behind, 2, 2), expected)
    check(_cpp.binary_closing_ball(from_behind, (2, 3, 4), 2), closed_by_sitk(mask[::-1], (2, 3, 4)))


@pytest.mark.slow
def test_masks_above_2_to_the_31_voxels():
    mask = PackedMask.empty((2100, 1024, 1024))
    mask.words[...] = 0
    corner = blobs(2, (40, 40, 128), 0.8)
    mask.words[-40:, -40:, -2:] = PackedMask.from_array(corner).words
    for result, expected in (
        (_cpp.binary_opening(mask, 3, 2), ndimage.binary_opening(corner, iterations=3)),
        (_cpp.binary_closing_ball(mask, (3, 3, 3), 2), closed_by_sitk(corner, (3, 3, 3))),
        (_cpp.binary_opening_ball(mask, (3, 3, 3), 2), ndimage.binary_opening(corner, ball((3, 3, 3)))),
    ):
        assert result.count() == expected.sum()
        np.testing.assert_array_equal(result.words[-40:, -40:, -2:], PackedMask.from_array(expected).words)
    mask.words[...] = 2**64 - 1
    assert _cpp.binary_opening(mask, 1, 2).count() == 2100 * 1024 * 1024 - 4 * (2100 + 1024 + 1024 - 4)
    assert _cpp.binary_closing_ball(mask, (1, 1, 1), 2).count() == 2100 * 1024 * 1024
