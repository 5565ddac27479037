"""Floods, regions and holes against SciPy, on every backend."""

import numpy as np
import pytest
from doors import fill_holes, geodesic_flood, grow_region, separate_components
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fastgmm.volume import PackedMask

ON_CUDA = True
CROSS = ndimage.generate_binary_structure(3, 1)
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 140))


def flood_by_dilation(mask, seeds):
    """Return the parts: one dilation of all fronts per step, the first seed first."""
    parts, free = [], mask.copy()
    for seed in seeds:
        parts.append(seed & free)
        free &= ~seed
    while True:
        grown = [ndimage.binary_dilation(part, CROSS) for part in parts]
        before = free.copy()
        for part, near in zip(parts, grown, strict=True):
            part |= near & free
            free &= ~part
        if np.array_equal(free, before):
            return parts


@given(shape=SHAPES, density=st.floats(0.3, 1.0), n_seeds=st.integers(1, 4), seed=st.integers(0, 999))
def test_floods_equal_dilation_in_turns(backend, shape, density, n_seeds, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density
    seeds = [rng.random(shape) < rng.choice([0.002, 0.05, 0.3]) for _ in range(n_seeds)]
    found = [part.to_array() for part in geodesic_flood(mask, seeds, backend=backend)]
    for part, expected in zip(found, flood_by_dilation(mask, seeds), strict=True):
        np.testing.assert_array_equal(part, expected)


class TestGeodesicFlood:
    def test_goes_round_walls_and_through_long_corridors(self, backend):
        mask = np.ones((3, 40, 131), bool)
        mask[:, 1::4, :-1] = False
        mask[:, 3::4, 1:] = False
        seeds = [np.zeros_like(mask), np.zeros_like(mask)]
        seeds[0][1, 0, 0] = True
        seeds[1][2, 39, 60] = True
        found = geodesic_flood(mask, seeds, backend=backend)
        for part, expected in zip(found, flood_by_dilation(mask, seeds), strict=True):
            np.testing.assert_array_equal(part.to_array(), expected)

    def test_what_no_seed_reaches_is_in_no_part(self, backend):
        mask = np.ones((1, 3, 70), bool)
        mask[:, :, 35] = False
        seed = np.zeros_like(mask)
        seed[0, 1, 2] = True
        empty = np.zeros_like(mask)
        first, second = geodesic_flood(PackedMask.from_array(mask), [seed, empty], backend=backend)
        np.testing.assert_array_equal(first.to_array()[..., :35], True)
        assert first.count() == 3 * 35
        assert second.count() == 0

    def test_full_planes_of_a_page_and_all_faces(self, backend):
        mask = np.ones((4, 64, 512), bool)
        seeds = [np.zeros_like(mask), np.zeros_like(mask)]
        seeds[0][0, 0, 0] = seeds[1][3, 63, 511] = True
        found = geodesic_flood(mask, seeds, backend=backend)
        expected = np.add.outer(np.add.outer(np.arange(4), np.arange(64)), np.arange(512)) * 2 <= 3 + 63 + 511
        np.testing.assert_array_equal(found[0].to_array(), expected)
        np.testing.assert_array_equal(found[1].to_array(), ~expected)


def regions_by_labels(volume, seeds, thresholds, max_voxels):
    """Return the region of the last threshold before one of more than max_voxels, and that threshold."""
    best, chosen = np.zeros(volume.shape, bool), None
    for threshold in thresholds:
        labels, _ = ndimage.label(volume < threshold)
        wanted = np.unique(labels[seeds & (labels > 0)])
        region = np.isin(labels, wanted[wanted > 0])
        if region.sum() > max_voxels:
            break
        best, chosen = region, threshold
    return best, chosen


@given(
    shape=SHAPES,
    dtype=st.sampled_from([np.int8, np.uint8, np.int16, np.uint16, np.int32]),
    max_voxels=st.integers(0, 2000),
    seed=st.integers(0, 999),
)
def test_regions_equal_labels_at_each_threshold(backend, shape, dtype, max_voxels, seed):
    rng = np.random.default_rng(seed)
    volume = ndimage.uniform_filter(rng.integers(0, 120, shape), 2).astype(dtype)
    seeds = rng.random(shape) < 0.01
    thresholds = sorted(set(rng.integers(0, 120, 6).tolist()))
    region, threshold = grow_region(volume, seeds, thresholds, max_voxels, backend=backend)
    expected, expected_threshold = regions_by_labels(volume, seeds, thresholds, max_voxels)
    np.testing.assert_array_equal(region.to_array(), expected)
    assert threshold == expected_threshold


class TestGrowRegion:
    def test_a_leak_at_the_first_threshold_leaves_nothing(self, backend):
        volume = np.full((2, 3, 4), -990, np.int16)
        seeds = np.zeros(volume.shape, bool)
        seeds[0, 0, 0] = True
        region, threshold = grow_region(volume, seeds, [-950], 23, backend=backend)
        assert (region.count(), threshold) == (0, None)
        region, threshold = grow_region(volume, seeds, [-950], 24, backend=backend)
        assert (region.count(), threshold) == (24, -950)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32], ids=lambda dtype: dtype.__name__)
def test_every_simd_level_floods_and_grows_alike(simd, dtype):
    rng = np.random.default_rng(5)
    for nx in (64, 333, 515):
        volume = ndimage.uniform_filter(rng.integers(0, 120, (5, 24, nx)), 2).astype(dtype)
        seeds = [rng.random(volume.shape) < 0.002 for _ in range(3)]
        region, threshold = grow_region(volume, seeds[0], [40, 55, 70], 10**6, backend="cpp")
        expected, expected_threshold = regions_by_labels(volume, seeds[0], [40, 55, 70], 10**6)
        np.testing.assert_array_equal(region.to_array(), expected)
        assert threshold == expected_threshold
        found = geodesic_flood(volume < 62, seeds, backend="cpp")
        for part, grown in zip(found, flood_by_dilation(volume < 62, seeds), strict=True):
            np.testing.assert_array_equal(part.to_array(), grown)


@given(shape=SHAPES, density=st.floats(0.4, 1.0), seed=st.integers(0, 999))
def test_holes_are_filled_as_by_scipy(backend, shape, density, seed):
    mask = np.random.default_rng(seed).random(shape) < density
    expected = ndimage.binary_fill_holes(mask)
    np.testing.assert_array_equal(fill_holes(mask, backend=backend), expected)
    np.testing.assert_array_equal(fill_holes(PackedMask.from_array(mask), backend=backend).to_array(), expected)


@pytest.mark.parametrize("connectivity", [6, 26])
def test_separated_components_are_the_labels_chosen(backend, connectivity):
    mask = np.random.default_rng(4).random((5, 20, 90)) < 0.15
    labels, n = ndimage.label(mask, ndimage.generate_binary_structure(3, 1 if connectivity == 6 else 3))
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    parts = separate_components(mask, lambda table: table["n_voxels"] >= 4, connectivity, backend=backend)
    wanted = np.flatnonzero(sizes >= 4) + 1
    assert len(parts) == wanted.size > 1
    for part, number in zip(parts, wanted, strict=True):
        np.testing.assert_array_equal(part.to_array(), labels == number)


def test_masks_combine_as_sets():
    rng = np.random.default_rng(1)
    for shape in ((3, 5, 64), (2, 4, 70), (1, 1, 3), (2, 64, 512), (0, 2, 5)):
        a, b = rng.random((2, *shape)) < 0.5
        first, second = PackedMask.from_array(a), PackedMask.from_array(b)
        np.testing.assert_array_equal((first & second).to_array(), a & b)
        np.testing.assert_array_equal((first | second).to_array(), a | b)
        np.testing.assert_array_equal((first - second).to_array(), a & ~b)
        np.testing.assert_array_equal((~first).to_array(), ~a)
        assert (~first).count() == (~a).sum()
    with pytest.raises(ValueError, match=r"same shape, got \(0, 2, 5\) and \(1, 1, 1\)"):
        first & PackedMask.from_array(np.ones((1, 1, 1), bool))
    for operation in ("__and__", "__sub__"):
        assert getattr(first, operation)(a) is NotImplemented


def test_wrong_arguments_are_named():
    mask = np.ones((2, 3, 4), bool)
    volume = mask.astype(np.int16)
    with pytest.raises(ValueError, match="seeds must hold at least one mask"):
        geodesic_flood(mask, [])
    with pytest.raises(ValueError, match=r"seeds\[1\] must have .* shape \(2, 3, 4\), got \(1, 3, 4\)"):
        geodesic_flood(mask, [mask, mask[:1]])
    with pytest.raises(ValueError, match=r"rising order, got \[3, 3\]"):
        grow_region(volume, mask, [3, 3], 5)
    with pytest.raises(ValueError, match="rising order, got"):
        grow_region(volume, mask, [], 5)
    with pytest.raises(ValueError, match="max_voxels must be at least 0"):
        grow_region(volume, mask, [3], -1)
    with pytest.raises(TypeError, match="choose must be a function"):
        separate_components(mask, None)
