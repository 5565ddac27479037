"""The mask families' kernels in every order of threads, against the reference, at sizes about the edges of words."""

from importlib import import_module

import numpy as np
import pytest
from doors import to_device, to_host
from emulation import check_schedules
from volumes import STRUCTURED, blobs, noise

from fastgmm import _packed_mask
from fastgmm.backends import _reference as reference
from fastgmm.backends import get_backend
from fastgmm.volume import PackedMask

pytestmark = pytest.mark.usefixtures("cuda")


def octahedra(shape, radius):
    """Columns of them with a gap between, a slice lower in each: an opening keeps a tip only if it sees the other."""
    z, y, x = np.indices(shape)
    height = 2 * radius + 2
    across = np.abs(x % height - radius) + np.abs(y % height - radius)
    return np.abs((z - x // height - 3 * (y // height)) % height - radius) + across <= radius


MASKS = {
    "noise": noise((3, 5, 31), 0.5, 1),
    "blobs": blobs((7, 33, 65), 0.6, 2),
    "two tiles": blobs((3, 60, 33), 0.8, 3),
    "two chunks": octahedra((75, 18, 66), 3),
    "long rows": blobs((2, 3, 700), 0.7, 4),
    "empty": np.zeros((2, 3, 65), bool),
    "full": np.ones((9, 9, 65), bool),
    "checkerboard": np.indices((3, 5, 66)).sum(0) % 2 == 0,
}
RADII = [(1, 1, 1), (0, 0, 3), (3, 2, 5), (2, 0, 1)]
each_mask = pytest.mark.parametrize("mask", [PackedMask.from_array(m) for m in MASKS.values()], ids=list(MASKS))


def bits(result):
    """What a kernel returned as NumPy arrays, masks unpacked."""
    return unpacked(to_host(result))


def unpacked(result):
    """Arrays for masks."""
    if isinstance(result, list | tuple):
        return tuple(map(unpacked, result))
    return result.to_array() if isinstance(result, PackedMask) else result


def check_kernel(name, *arguments):
    """Compare a kernel with the reference under every schedule."""
    expected = unpacked(getattr(reference, name)(*arguments, 1))
    kernel, on_device = getattr(get_backend("cuda"), name), [to_device(a) for a in arguments]
    check_schedules(lambda: bits(kernel(*on_device, 1)), expected)


@each_mask
@pytest.mark.parametrize("iterations", [2, 3, 4])
def test_opening_in_every_order(mask, iterations):
    check_kernel("binary_opening", mask, iterations)


@each_mask
def test_opening_of_many_rounds(mask):
    kernel = get_backend("cuda").binary_opening
    expected = unpacked(reference.binary_opening(mask, 13, 1))
    np.testing.assert_array_equal(bits(kernel(to_device(mask), 13, 1)), expected)


@each_mask
@pytest.mark.parametrize("radius", RADII[:3], ids=str)
def test_closing_in_every_order(mask, radius):
    check_kernel("binary_closing_ball", mask, radius)


@each_mask
@pytest.mark.parametrize("radius", [*RADII, (1, 3, 70)], ids=str)
@pytest.mark.parametrize("name", ["binary_opening_ball", "binary_erosion_ball", "binary_dilation_ball"])
def test_ball_kernels_equal_the_reference(mask, radius, name):
    got = getattr(get_backend("cuda"), name)(to_device(mask), radius, 1)
    np.testing.assert_array_equal(bits(got), unpacked(getattr(reference, name)(mask, radius, 1)))


def test_balls_reach_over_whole_words():
    mask = PackedMask.from_array(blobs((3, 3, 300), 0.5, 5))
    check_kernel("binary_closing_ball", mask, (1, 1, 70))
    check_kernel("binary_dilation_ball", PackedMask.from_array(noise((3, 3, 500), 0.003, 6)), (1, 1, 150))


@pytest.mark.parametrize("n_bytes", [1040, 1200, 3000])
def test_balls_in_parts(monkeypatch, n_bytes):
    from fastgmm.backends._cuda import morphology

    monkeypatch.setattr(morphology, "_BALL_BYTES", n_bytes)
    check_kernel("binary_closing_ball", PackedMask.from_array(MASKS["blobs"]), (2, 4, 3))
    check_kernel("binary_erosion_ball", PackedMask.from_array(MASKS["full"]), (3, 3, 2))


def box_with_holes():
    """A box far from the edges, with holes: blocks that are empty, full, near a surface, at an edge."""
    mask = np.zeros((12, 300, 260), bool)
    mask[3:10, 20:230, 40:220] = True
    mask[6, 60:200:70, 60:200:60] = False
    mask[0, 299, 259] = True
    return PackedMask.from_array(mask)


@pytest.mark.parametrize("name", ["binary_closing_ball", "binary_erosion_ball", "binary_dilation_ball"])
def test_balls_where_most_is_empty_or_full(name):
    mask, radius = box_with_holes(), (2, 3, 5)
    got = getattr(get_backend("cuda"), name)(to_device(mask), radius, 1)
    np.testing.assert_array_equal(bits(got), unpacked(getattr(reference, name)(mask, radius, 1)))


@each_mask
@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_labels_in_every_order(mask, connectivity):
    check_kernel("label_components", mask, connectivity)


@each_mask
@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_table_in_every_order(mask, connectivity):
    check_kernel("component_table", mask, connectivity)


def test_more_components_than_are_measured_at_once(monkeypatch):
    from fastgmm.backends._cuda import components

    monkeypatch.setattr(components, "_FIRST_RECORDS", 3)
    mask = PackedMask.from_array(MASKS["noise"])
    check_kernel("component_table", mask, 6)
    check_kernel("filter_components", mask, 6, lambda table: table["n_voxels"] == 1)


@pytest.mark.parametrize("kind", STRUCTURED, ids=lambda kind: kind.__name__)
def test_components_of_structures(kind):
    mask = PackedMask.from_array(kind((5, 9, 70), 0.5, 1))
    got = get_backend("cuda").label_components(to_device(mask), 26, 1)
    np.testing.assert_array_equal(bits(got[0]), reference.label_components(mask, 26, 1)[0])


@pytest.mark.parametrize("name", ["filter_components", "separate_components"])
def test_choices_in_every_order(name):
    mask = PackedMask.from_array(MASKS["two tiles"])
    check_kernel(name, mask, 6, lambda table: table["n_voxels"] > 3)


def test_numbers_of_64_bits_in_every_order(monkeypatch):
    from fastgmm.backends._cuda import components

    mask = PackedMask.from_array(MASKS["noise"])
    monkeypatch.setattr(components, "_MOST_INT32", 3)
    labels, n = get_backend("cuda").label_components(to_device(mask), 6, 1)
    assert n > 3
    assert labels.dtype == np.int64
    check_kernel("label_components", mask, 6)
    check_kernel("component_table", mask, 18)
    check_kernel("filter_components", mask, 26, lambda table: table["n_voxels"] > 1)


@each_mask
@pytest.mark.parametrize("n_floods", [0, 1, 3])
def test_floods_in_every_order(mask, n_floods):
    seeds = [PackedMask.from_array(noise(mask.shape, 0.02, seed)) for seed in range(n_floods)]
    check_kernel("geodesic_flood", mask, seeds)


@pytest.mark.parametrize("max_voxels", [0, 40, 10**9])
def test_region_in_every_order(max_voxels):
    rng = np.random.default_rng(1)
    volume = np.cumsum(rng.integers(-40, 41, (4, 9, 65)), axis=2).astype(np.int16)
    seeds = PackedMask.from_array(rng.random(volume.shape) < 0.01)
    check_kernel("grow_region", volume, seeds, [-100, -50, 0, 20, 400], max_voxels)


def median_of(kernels, labels, size):
    out = to_device(np.full(labels.shape, 99, np.uint8)) if kernels is not reference else np.empty_like(labels)
    kernels.median_filter(to_device(labels) if kernels is not reference else labels, size, out, 1)
    return bits(out) if kernels is not reference else out


@pytest.mark.parametrize("size", [(4, 4, 4), (1, 2, 3), (7, 7, 7), (6, 7, 5)], ids=str)
@pytest.mark.parametrize("shape", [(3, 5, 31), (2, 17, 60), (17, 2, 65)], ids=str)
def test_median_in_every_order(shape, size):
    labels = np.random.default_rng(2).integers(0, 4, shape).astype(np.uint8) * 85
    check_schedules(lambda: median_of(get_backend("cuda"), labels, size), median_of(reference, labels, size))


def test_median_of_all_values_and_of_one():
    labels = np.random.default_rng(3).permutation(np.arange(4 * 2 * 64) % 256).astype(np.uint8).reshape(2, 4, 64)
    for volume in (labels, np.full_like(labels, 7)):
        got = median_of(get_backend("cuda"), volume, (2, 3, 4))
        np.testing.assert_array_equal(got, median_of(reference, volume, (2, 3, 4)))


def test_median_of_labels_that_are_not_aligned():
    import cupy

    kept = cupy.zeros(2 * 5 * 64 + 1, np.uint8)
    labels = np.random.default_rng(4).integers(0, 6, (2, 5, 64)).astype(np.uint8)
    kept[1:] = cupy.asarray(labels.ravel())
    out = cupy.empty(labels.shape, np.uint8)
    get_backend("cuda").median_filter(kept[1:].reshape(labels.shape), (3, 3, 3), out, 1)
    np.testing.assert_array_equal(out.get(), median_of(reference, labels, (3, 3, 3)))


def filled_by(kernels, name, given, start):
    """What a kernel makes of `start`, on the device or by the reference."""
    if kernels is reference:
        out = start.copy()
        getattr(reference, name)(given, out, 1)
        return out
    out = to_device(start)
    getattr(kernels, name)(to_device(given), out, 1)
    return bits(out)


@pytest.mark.parametrize("shape", [(3, 5, 31), (2, 17, 64), (2, 3, 700)], ids=str)
def test_labels_from_masks_and_within_labels_in_every_order(shape):
    masks = [PackedMask.from_array(noise(shape, 0.4, i)) for i in range(3)]
    labels, start = (np.random.default_rng(i).integers(0, 4, shape).astype(np.uint8) for i in range(2))
    for name, given in (("number_masks", masks), ("keep_within", labels)):
        expected = filled_by(reference, name, given, start)
        check_schedules(lambda name=name, given=given: filled_by(get_backend("cuda"), name, given, start), expected)


def test_masks_are_packed_in_parts(cuda, monkeypatch):
    """CuPy's packbits takes up to 2^31 - 1 voxels."""
    if not hasattr(cuda, "_functions"):
        pytest.skip("CuPy has a device here: cuda/test_large_arrays.py is for it")
    monkeypatch.setattr(import_module("cupy_on_cpu._functions"), "MOST_PACKED_BITS", 256)
    monkeypatch.setattr(_packed_mask, "_PACKED_AT_ONCE", 192)
    for shape in ((3, 5, 31), (2, 4, 64), (1, 1, 192), (0, 2, 70)):
        mask = PackedMask.from_array(noise(shape, 0.5, 1))
        assert to_host(PackedMask.from_array(cuda.asarray(mask.to_array()))) == mask


@pytest.mark.parametrize("size", [(4, 4, 4), (2, 7, 5)], ids=str)
@pytest.mark.parametrize("shape", [(3, 18, 256), (9, 3, 272), (2, 3, 512), (2, 3, 300)], ids=str)
def test_median_of_tiles_side_by_side_in_every_order(shape, size):
    """Rows of whole words or not, one tile or two along each axis; regions of one value among mixed ones."""
    rng = np.random.default_rng(5)
    labels = np.zeros(shape, np.uint8)
    labels[:, :, shape[2] // 3 :] = 2
    labels[shape[0] // 2 :, :2] = 1
    labels[..., -2:] = 7
    labels[rng.random(shape) < 0.01] = 4
    check_schedules(lambda: median_of(get_backend("cuda"), labels, size), median_of(reference, labels, size))


@pytest.mark.parametrize("values", [[0, 9, 200], [255], [3, 7], [8, 9]], ids=str)
@pytest.mark.parametrize("shape", [(3, 5, 48), (2, 3, 520)], ids=str)
def test_median_of_values_beyond_three_bits(shape, values):
    labels = np.random.default_rng(6).choice(np.array(values, np.uint8), shape)
    for size in ((4, 4, 4), (3, 3, 3), (7, 1, 2)):
        np.testing.assert_array_equal(median_of(get_backend("cuda"), labels, size), median_of(reference, labels, size))
