"""Openings and closings on every backend against SciPy, SimpleITK, the reference, and what must hold of any of them."""

from functools import cache

import numpy as np
import pytest
import SimpleITK
from doors import binary_closing_ball, binary_opening, binary_opening_ball
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from volumes import SEEDS, STRUCTURED, blobs, many_examples, mask_from_seed, masks

from fastgmm.volume import PackedMask

ON_CUDA = True
n_threads = st.integers(1, 3)


def any_radius(highest):
    """One radius for all axes, or three."""
    one = st.integers(0, highest)
    return one | st.tuples(one, one, one)


def triple(radius):
    return (radius,) * 3 if isinstance(radius, int) else radius


def ball(radius):
    """The offsets d with sum of (d / (r + 1/2))^2 <= 1 as a structure for SciPy."""
    axes = np.ogrid[tuple(slice(-r, r + 1) for r in triple(radius))]
    return sum((d / (r + 0.5)) ** 2 for d, r in zip(axes, triple(radius), strict=True)) <= 1


def scipy_opening_ball(mask, radius):
    return ndimage.binary_opening(mask, ball(radius))


def sitk_filter(function, mask, radius, *args):
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    return SimpleITK.GetArrayFromImage(function(image, triple(radius)[::-1], SimpleITK.sitkBall, *args)).astype(bool)


def sitk_closing(mask, radius):
    return sitk_filter(SimpleITK.BinaryMorphologicalClosing, mask, radius, 1.0, True)


def sitk_opening_in_a_margin(mask, radius):
    """SimpleITK counts the outside as set while it erodes; an empty margin as wide as the ball makes it unset."""
    margin = [(r, r) for r in triple(radius)]
    opened = sitk_filter(SimpleITK.BinaryMorphologicalOpening, np.pad(mask, margin), radius, 0.0, 1.0)
    return opened[tuple(slice(r, r + n) for r, n in zip(triple(radius), mask.shape, strict=True))]


@given(mask=masks(), iterations=st.integers(1, 6), n_jobs=n_threads)
def test_opening_equals_scipy(backend, mask, iterations, n_jobs):
    opened = binary_opening(mask, iterations, backend=backend, n_jobs=n_jobs)
    np.testing.assert_array_equal(opened, ndimage.binary_opening(mask, iterations=iterations))


@given(mask=masks(30_000), radius=any_radius(4), n_jobs=n_threads)
def test_opening_by_small_balls_equals_scipy(backend, mask, radius, n_jobs):
    opened = binary_opening_ball(mask, radius, backend=backend, n_jobs=n_jobs)
    np.testing.assert_array_equal(opened, scipy_opening_ball(mask, radius))


@given(mask=masks(60_000), radius=any_radius(12), n_jobs=n_threads)
def test_opening_by_balls_equals_simpleitk(backend, mask, radius, n_jobs):
    opened = binary_opening_ball(mask, radius, backend=backend, n_jobs=n_jobs)
    np.testing.assert_array_equal(opened, sitk_opening_in_a_margin(mask, radius))


@given(mask=masks(60_000), radius=any_radius(12), n_jobs=n_threads)
def test_closing_equals_simpleitk(backend, mask, radius, n_jobs):
    closed = binary_closing_ball(mask, radius, backend=backend, n_jobs=n_jobs)
    np.testing.assert_array_equal(closed, sitk_closing(mask, radius))


@cache
def closed_by_simpleitk(radius):
    """A few pieces in a volume, and their closing."""
    sparse = blobs((40, 26, 22), 0.002, 2)
    return sparse, sitk_closing(sparse, radius)


def opening_by_distances(mask, radius):
    """SciPy's distances, in units of the ball's radii, to the nearest unset and then to the nearest kept voxel."""
    units = [1 / (r + 0.5) for r in triple(radius)]
    kept = ndimage.distance_transform_edt(np.pad(mask, 1), units) > 1
    assert kept.any()
    return (ndimage.distance_transform_edt(~kept, units) <= 1)[1:-1, 1:-1, 1:-1]


@pytest.mark.parametrize("radius", [20, 30, (30, 2, 0), (0, 20, 30), (5, 30, 17)], ids=str)
def test_closing_by_large_balls_equals_simpleitk(backend, radius):
    sparse, closed = closed_by_simpleitk(radius)
    np.testing.assert_array_equal(binary_closing_ball(sparse, radius, backend=backend), closed)


@pytest.mark.parametrize("radius", [20, 30, (30, 2, 0), (0, 20, 30), (5, 30, 17)], ids=str)
def test_opening_by_large_balls_equals_distances(backend, radius):
    mask = np.ones((67, 64, 70), bool)
    mask[[1, 3, 66], [60, 2, 63], [2, 66, 0]] = False
    opened = binary_opening_ball(mask, radius, backend=backend, n_jobs=2)
    np.testing.assert_array_equal(opened, opening_by_distances(mask, radius))


@pytest.mark.slow
@many_examples
@given(
    mask=masks(),
    radius=any_radius(12) | st.sampled_from([20, 30]) | any_radius(30),
    iterations=st.integers(1, 12),
    n_jobs=n_threads,
)
def test_many_more_masks_and_balls_equal_scipy_and_simpleitk(mask, radius, iterations, n_jobs):
    options = {"backend": "cpp", "n_jobs": n_jobs}
    expected = ndimage.binary_opening(mask, iterations=iterations)
    np.testing.assert_array_equal(binary_opening(mask, iterations, **options), expected)
    np.testing.assert_array_equal(binary_closing_ball(mask, radius, **options), sitk_closing(mask, radius))
    expected = sitk_opening_in_a_margin(mask, radius)
    np.testing.assert_array_equal(binary_opening_ball(mask, radius, **options), expected)


@pytest.mark.parametrize("kind", STRUCTURED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("shape", [(5, 6, 130), (9, 11, 64), (1, 23, 17), (3, 2, 1030)], ids=str)
def test_structured_masks_equal_scipy_and_simpleitk(backend, kind, shape):
    mask = kind(shape, 0.5, 3)
    opened = binary_opening(mask, 2, backend=backend, n_jobs=2)
    np.testing.assert_array_equal(opened, ndimage.binary_opening(mask, iterations=2))
    for radius in (1, 3, (1, 4, 2)):
        opened = binary_opening_ball(mask, radius, backend=backend, n_jobs=2)
        np.testing.assert_array_equal(opened, scipy_opening_ball(mask, radius))
        closed = binary_closing_ball(mask, radius, backend=backend, n_jobs=2)
        np.testing.assert_array_equal(closed, sitk_closing(mask, radius))


@given(mask=masks(60_000), radius=any_radius(12), iterations=st.integers(1, 6), n_jobs=n_threads)
def test_cpp_equals_the_reference(mask, radius, iterations, n_jobs):
    for function, argument in (
        (binary_opening, iterations),
        (binary_opening_ball, radius),
        (binary_closing_ball, radius),
    ):
        fast = function(mask, argument, backend="cpp", n_jobs=n_jobs)
        np.testing.assert_array_equal(fast, function(mask, argument, backend="reference"))


@pytest.mark.parametrize("seed", range(3))
def test_every_simd_level_opens_and_closes_alike(simd, seed):
    mask = blobs((23, 30, 259), [0.3, 0.5, 0.7][seed], seed)
    opened = binary_opening(mask, 3, backend="cpp", n_jobs=3)
    np.testing.assert_array_equal(opened, ndimage.binary_opening(mask, iterations=3))
    for radius in (3, 9, (2, 5, 14)):
        closed = binary_closing_ball(mask, radius, backend="cpp", n_jobs=3)
        np.testing.assert_array_equal(closed, sitk_closing(mask, radius))
        opened = binary_opening_ball(mask, radius, backend="cpp", n_jobs=3)
        np.testing.assert_array_equal(opened, sitk_opening_in_a_margin(mask, radius))


@given(mask=masks(60_000), other=SEEDS, radius=any_radius(6))
def test_openings_shrink_closings_grow_and_both_keep_order(backend, mask, other, radius):
    larger = mask | np.random.default_rng(other).permuted(mask, axis=2)
    for function, argument in ((binary_opening, 2), (binary_opening_ball, radius), (binary_closing_ball, radius)):
        once = function(mask, argument, backend=backend)
        np.testing.assert_array_equal(function(once, argument, backend=backend), once)
        inside, around = (mask, once) if function is binary_closing_ball else (once, mask)
        assert not np.any(inside & ~around)
        assert not np.any(once & ~function(larger, argument, backend=backend))


@given(mask=masks(60_000), radius=any_radius(6))
def test_closing_is_the_opening_of_the_complement(backend, mask, radius):
    margin = [(2 * r, 2 * r) for r in triple(radius)]
    complement = binary_opening_ball(np.pad(~mask, margin, constant_values=True), radius, backend=backend)
    inner = tuple(slice(2 * r, 2 * r + n) for r, n in zip(triple(radius), mask.shape, strict=True))
    np.testing.assert_array_equal(~complement[inner], binary_closing_ball(mask, radius, backend=backend))


@given(mask=masks(60_000), radius=st.integers(0, 9))
def test_axes_are_alike(backend, mask, radius):
    for function in (binary_opening_ball, binary_closing_ball):
        turned = function(mask.transpose(2, 0, 1), (radius, 2, 1), backend=backend).transpose(1, 2, 0)
        np.testing.assert_array_equal(turned, function(mask, (2, 1, radius), backend=backend))


def test_a_ball_opens_to_itself_and_its_offsets_are_the_definition(backend):
    for radius in (1, 2, 5, 9, (3, 1, 7)):
        alone = np.pad(ball(radius), 1)
        np.testing.assert_array_equal(binary_opening_ball(alone, radius, backend=backend), alone)
        n_voxels = sum(
            sum((2 * d / (2 * r + 1)) ** 2 for d, r in zip(offset, triple(radius), strict=True)) <= 1
            for offset in np.argwhere(np.ones_like(ball(radius))) - np.array(triple(radius))
        )
        assert alone.sum() == n_voxels


def test_radius_0_changes_nothing(backend):
    mask = mask_from_seed(8, 30_000)
    np.testing.assert_array_equal(binary_opening_ball(mask, 0, backend=backend), mask)
    np.testing.assert_array_equal(binary_closing_ball(mask, 0, backend=backend), mask)


def test_more_erosions_than_voxels_leave_nothing(backend):
    assert not binary_opening(np.ones((4, 90, 70), bool), 10**9, backend=backend).any()
    assert not binary_opening_ball(np.ones((4, 90, 70), bool), (2, 100, 100), backend=backend).any()


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)], ids=str)
@pytest.mark.parametrize("function", [binary_opening, binary_opening_ball, binary_closing_ball])
def test_a_volume_without_voxels_stays_one(backend, function, shape):
    assert function(np.zeros(shape, bool), 2, backend=backend).shape == shape


@given(mask=masks(60_000), radius=any_radius(5))
def test_no_bit_past_the_end_of_a_row_is_set(backend, mask, radius):
    packed = PackedMask.from_array(mask)
    for function, argument in ((binary_opening, 1), (binary_opening_ball, radius), (binary_closing_ball, radius)):
        result = function(packed, argument, backend=backend)
        assert PackedMask(result.words, result.shape).count() == result.to_array().sum()
