"""Balls of 20 to 62 voxels, which have a kernel of their own on AVX-512, and those just too small or too large for it.

SciPy's distance transform judges (`balls_by_distance.py`).
"""

import functools

import numpy as np
import pytest
from balls_by_distance import closed, dilated, eroded, opened
from scipy import ndimage

from fastgmm.backends import _cpp
from fastgmm.volume import PackedMask

CASES = [
    ((9, 41, 64), (19, 19, 19)),
    ((9, 40, 65), (20, 20, 20)),
    ((60, 140, 66), (20, 22, 21)),  # more slices and rows than one task has
    ((9, 30, 63), (21, 21, 21)),
    ((1, 2, 512), (20, 20, 3)),
    ((3, 2, 520), (20, 21, 40)),
    ((5, 20, 130), (40, 40, 40)),
    ((50, 6, 1), (20, 31, 5)),
    ((7, 70, 65), (24, 20, 62)),
    ((2, 40, 63), (21, 62, 0)),
    ((2, 5, 64), (62, 62, 62)),
    ((2, 3, 65), (63, 21, 20)),
    ((2, 3, 65), (20, 20, 63)),
    ((1, 1, 1), (20, 20, 20)),
]
BALLS_FIT = [((45, 50, 130), (20, 20, 20)), ((47, 150, 65), (21, 22, 30)), ((42, 52, 20), (20, 25, 5))]


def some_voxels(shape, n, seed):
    mask = np.zeros(shape, bool)
    mask.flat[np.random.default_rng(seed).integers(0, mask.size, n)] = True
    return mask


@functools.cache
def judged(shape, radius):
    """Kernels, masks and what they must make of them."""
    sparse = some_voxels(shape, 2 + np.prod(shape) // 4000, 0)
    noise = np.random.default_rng(1).random(shape) < 0.2
    noise[:, : shape[1] // 2] = False
    dense = ~sparse
    return [
        (_cpp.binary_closing_ball, sparse, closed(sparse, radius)),
        (_cpp.binary_closing_ball, noise, closed(noise, radius)),
        (_cpp.binary_dilation_ball, sparse, dilated(sparse, radius)),
        (_cpp.binary_erosion_ball, dense, eroded(dense, radius)),
        (_cpp.binary_opening_ball, dense, opened(dense, radius)),
    ]


def check(kernel, mask, radius, expected):
    for n_jobs in (1, 3):
        assert kernel(PackedMask.from_array(mask), radius, n_jobs) == PackedMask.from_array(expected)


@pytest.mark.parametrize(("shape", "radius"), CASES, ids=str)
def test_every_operation_equals_scipys_distances(simd, shape, radius):
    for kernel, mask, expected in judged(shape, radius):
        check(kernel, mask, radius, expected)


@functools.cache
def opening_case(shape, radius):
    """A block with few holes, so that some balls fit."""
    mask = ~some_voxels(shape, 3, 2)
    expected = opened(mask, radius)
    assert 0 < expected.sum() < mask.sum()
    return mask, expected


@pytest.mark.parametrize(("shape", "radius"), BALLS_FIT, ids=str)
def test_openings_keep_what_a_ball_fits_into(simd, shape, radius):
    mask, expected = opening_case(shape, radius)
    check(_cpp.binary_opening_ball, mask, radius, expected)


@pytest.mark.parametrize("nx", [1, 63, 64, 65, 130, 512, 520])
@pytest.mark.parametrize("radius", [(20, 20, 20), (30, 40, 50), (62, 62, 62)])
def test_empty_and_full_masks_and_single_voxels(simd, nx, radius):
    shape, at = (3, 70, nx), (1, 33, nx // 2)
    empty, full, one = np.zeros(shape, bool), np.ones(shape, bool), np.zeros(shape, bool)
    one[at] = True
    z, y, x = np.ogrid[tuple(slice(-c, n - c) for c, n in zip(at, shape, strict=True))]
    around = sum((d / (r + 0.5)) ** 2 for d, r in zip((z, y, x), radius, strict=True)) <= 1
    for kernel, mask, expected in [
        (_cpp.binary_closing_ball, empty, empty),
        (_cpp.binary_closing_ball, full, full),
        (_cpp.binary_closing_ball, one, one),
        (_cpp.binary_opening_ball, full, empty),  # too thin for the ball
        (_cpp.binary_opening_ball, one, empty),
        (_cpp.binary_dilation_ball, empty, empty),
        (_cpp.binary_dilation_ball, full, full),
        (_cpp.binary_dilation_ball, one, around),
        (_cpp.binary_erosion_ball, full, empty),
    ]:
        check(kernel, mask, radius, expected)


@functools.cache
def blobs_and_their_closing(radius):
    """Smooth shapes over several chunks of rows, slices and words, with rows and columns that are far from any."""
    rng = np.random.default_rng(radius[0])
    smooth = ndimage.gaussian_filter(rng.random((50, 200, 150)), 3)
    mask = smooth < np.quantile(smooth, 0.02)
    return mask, closed(mask, radius)


@pytest.mark.parametrize("radius", [(20, 20, 20)], ids=str)
def test_shapes_over_many_tasks_are_closed_without_a_seam(simd, radius):
    mask, expected = blobs_and_their_closing(radius)
    assert mask.sum() < expected.sum() < mask.size
    check(_cpp.binary_closing_ball, mask, radius, expected)
