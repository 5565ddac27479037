"""More than 2^31 voxels and numbers: no index, count or offset of a kernel or of the launch code wraps around.

Something is only in the first and the last corner, so that small volumes of just these tell what must come out. What
runs on the stand-in, and before the large arrays, is the same at a small size.
"""

import numpy as np
import pytest

from fastgmm.backends import get_backend
from fastgmm.backends._contract import COMPONENT_DTYPE, Mixture
from fastgmm.volume import (
    PackedMask,
    apply_table,
    binary_closing_ball,
    binary_opening,
    component_table,
    histogram,
    keep_components,
    label_components,
    median_filter,
    threshold_below,
)

pytestmark = pytest.mark.xdist_group("large arrays")  # one process has them, so that their memory does not add up
CORNER = (16, 24, 128)
FIRST, LAST = tuple(slice(n) for n in CORNER), tuple(slice(-n, None) for n in CORNER)
OUTSIDE_HU, BELOW_HU = 40, -155
ON_CPU = {"backend": "cpp"}
SIZES = {"small": ((36, 51, 448), 70_000), "beyond 2^31": ((2100, 1024, 1024), 75_000_000)}
N_FEATURES = 30
NEEDED_GIB = 30


@pytest.fixture(scope="module", params=SIZES)
def sizes(request, cuda):
    """The shape of a volume and the number of rows; nothing is left in CuPy's pool."""
    if request.param != "small":
        if hasattr(cuda, "_functions"):
            pytest.skip("CuPy has no device here, and kernels on the CPU would take minutes")
        pool = cuda.get_default_memory_pool()
        pool.free_all_blocks()
        free = cuda.cuda.runtime.memGetInfo()[0] >> 30
        if free < NEEDED_GIB:
            pytest.skip(f"needs {NEEDED_GIB} GiB of free memory on the device, which has {free}")
    yield SIZES[request.param]
    cuda.get_default_memory_pool().free_all_blocks()


def corner(place):
    """A volume of tissue but for noise at its first or last voxels."""
    volume = np.full(CORNER, OUTSIDE_HU, np.int16)
    noise = np.random.default_rng(7 if place is FIRST else 8).normal(-300, 400, (10, 16, 70)).clip(-1000, 500)
    noise[2:8, 3:13, 5:60] = -900
    part = tuple(slice(n) if place is FIRST else slice(-n, None) for n in noise.shape)
    volume[part] = noise.round()
    return volume


@pytest.fixture(scope="module")
def corners():
    return corner(FIRST), corner(LAST)


@pytest.fixture(scope="module")
def volume(cuda, sizes, corners):
    volume = cuda.full(sizes[0], OUTSIDE_HU, np.int16)
    for place, part in zip((FIRST, LAST), corners, strict=True):
        volume[place] = cuda.asarray(part)
    return volume


@pytest.fixture(scope="module")
def mask(volume):
    return threshold_below(volume, BELOW_HU)


@pytest.fixture(scope="module")
def masks(corners):
    """Those of the corners."""
    return [threshold_below(part, BELOW_HU, **ON_CPU) for part in corners]


def check_corners(found, expected):
    """Compare an array or a mask with what the corners hold; elsewhere it must be 0."""
    if isinstance(found, PackedMask):
        assert found.count() == sum(part.count() for part in expected)
        bits = tuple(slice(-(-n // 64)) for n in CORNER[2:]), tuple(slice(-(-n // 64) * -1, None) for n in CORNER[2:])
        found, expected = found.words, [part.words for part in expected]
        places = [(*FIRST[:2], *bits[0]), (*LAST[:2], *bits[1])]
    else:
        assert int((found != 0).sum()) == sum(np.count_nonzero(part) for part in expected)
        places = [FIRST, LAST]
    for place, part in zip(places, expected, strict=True):
        np.testing.assert_array_equal(found[place].get(), part)


def test_threshold(mask, masks):
    check_corners(mask, masks)


def test_masks_are_unpacked_and_packed(mask, masks):
    array = mask.to_array()
    check_corners(array, [part.to_array() for part in masks])
    assert PackedMask.from_array(array) == mask


def test_counts_under_a_mask(volume, mask, corners, masks):
    first, last = (histogram(part, m, **ON_CPU) for part, m in zip(corners, masks, strict=True))
    assert histogram(volume, mask) == first + last


def test_counts_by_phase(volume, corners):
    found, phases = histogram(volume, phases=3), 3
    expected = {}
    for place, part in zip((FIRST, LAST), corners, strict=True):
        begin = [0 if place is FIRST else n - m for n, m in zip(volume.shape, CORNER, strict=True)]
        z, y, x = (np.arange(m) + b for m, b in zip(CORNER, begin, strict=True))
        phase = ((z[:, None, None] * volume.shape[1] + y[:, None]) * volume.shape[2] + x) % phases
        for value in np.unique(part[part != OUTSIDE_HU]):
            expected[value] = expected.get(value, 0) + np.bincount(phase[part == value], minlength=phases)
    for value, counts in zip(found.values, found.counts.T, strict=True):
        if value != OUTSIDE_HU:
            assert counts.tolist() == expected.pop(value).tolist()
    assert not expected
    assert found.counts.sum() == volume.size


def test_look_up_and_median(cuda, volume, mask, corners, masks):
    table = (np.arange(1 << 16) // 1300 % 5 + 1).astype(np.uint8)
    labels = apply_table(volume, cuda.asarray(table), mask)
    expected = [apply_table(part, table, m, **ON_CPU) for part, m in zip(corners, masks, strict=True)]
    check_corners(labels, expected)
    check_corners(median_filter(labels, 4), [median_filter(part, 4, **ON_CPU) for part in expected])


def test_opening(mask, masks):
    opened = [binary_opening(part, 2, **ON_CPU) for part in masks]
    assert all(part.count() for part in opened)
    check_corners(binary_opening(mask, 2), opened)


def test_closing_by_a_ball(mask, masks):
    check_corners(binary_closing_ball(mask, 3), [binary_closing_ball(part, 3, **ON_CPU) for part in masks])


def test_components(mask, masks):
    first, last = (component_table(part, **ON_CPU) for part in masks)
    for axis, n, m in zip("zyx", mask.shape, CORNER, strict=True):
        last[f"{axis}0"] += n - m
        last[f"{axis}1"] += n - m
    last["label"] += len(first)
    expected = np.concatenate([first, last])
    found = component_table(mask)
    for name in COMPONENT_DTYPE.names:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    kept = [keep_components(part, min_voxels=50, **ON_CPU) for part in masks]
    check_corners(keep_components(mask, min_voxels=50), kept)
    labels = [label_components(part, **ON_CPU)[0] for part in masks]
    labels[1] += np.where(labels[1] > 0, len(first), 0).astype(labels[1].dtype)
    check_corners(label_components(mask)[0], labels)


def test_one_component_of_all_voxels(cuda, sizes):
    nz, ny, nx = sizes[0]
    full = PackedMask(cuda.full((nz, ny, nx // 64), ~np.uint64(0), np.uint64), sizes[0])
    table = component_table(full)
    assert table["n_voxels"].tolist() == [nz * ny * nx]
    assert [table[0][f"c_{side}"] for side in ("z1", "y1", "x1")] == [ny * nx, nz * nx, nz * ny]


LAST_ROWS = np.random.default_rng(9).normal(50, 2, (1000, N_FEATURES)).astype(np.float32)
USUAL_ROW = np.linspace(-2, 2, N_FEATURES, dtype=np.float32)
MEANS = np.stack([USUAL_ROW + 0.25, np.full(N_FEATURES, 50.0)])


@pytest.fixture(scope="module", params="CF")
def rows(request, cuda, sizes):
    """Rows one after the other, or features; all equal but for the last ones."""
    n = sizes[1]
    rows = (
        cuda.empty((n, N_FEATURES), np.float32) if request.param == "C" else cuda.empty((N_FEATURES, n), np.float32).T
    )
    rows[...] = cuda.asarray(USUAL_ROW)
    rows[-len(LAST_ROWS) :] = cuda.asarray(LAST_ROWS)
    return rows


def few_rows(n):
    """Each row that differs, and how often it occurs."""
    few = np.concatenate([USUAL_ROW[np.newaxis], LAST_ROWS])
    return few, np.concatenate([[n - len(LAST_ROWS)], np.ones(len(LAST_ROWS))])


def mixture(kind):
    factors = np.full((2, N_FEATURES), 0.5)
    precisions = (
        factors
        if kind == "diag"
        else np.stack([np.diag(factor) + np.triu(np.full_like(factor, 0.01), 1) for factor in factors])
    )
    return Mixture(kind, np.log([0.6, 0.4]), MEANS, precisions)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_a_step_of_em(rows, kind):
    found = get_backend("cuda").em_step(rows, None, mixture(kind), 1)
    expected = get_backend("reference").em_step(*few_rows(len(rows)), mixture(kind), 1)
    for ours, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-6 * np.abs(wanted).max())


def test_the_last_rows_are_assigned(cuda, rows):
    labels, densities = cuda.empty(len(rows), np.int64), cuda.empty(len(rows), np.float32)
    get_backend("cuda").em_assign(rows, mixture("full"), labels, densities, None, 1)
    few, _ = few_rows(len(rows))
    wanted = np.empty(len(few), np.int64), np.empty(len(few), np.float32)
    get_backend("reference").em_assign(few, mixture("full"), *wanted, None, 1)
    assert int(labels.sum()) == wanted[0].sum() == len(LAST_ROWS)
    for found, expected in zip((labels, densities), wanted, strict=True):
        np.testing.assert_allclose(found[-len(few) :].get(), expected, rtol=1e-5)


def test_a_step_of_k_means(cuda, rows):
    labels = cuda.full(len(rows), -1, np.int32)
    found = get_backend("cuda").kmeans_step(rows, None, MEANS[0], MEANS - MEANS[0], labels, 1)
    few, weights = few_rows(len(rows))
    few_labels = np.full(len(few), -1, np.int32)
    expected = get_backend("reference").kmeans_step(few, weights, MEANS[0], MEANS - MEANS[0], few_labels, 1)
    assert found.n_changed == len(rows)
    assert labels[-len(few) :].get().tolist() == few_labels.tolist()
    np.testing.assert_allclose(found.mass, expected.mass)
    np.testing.assert_allclose(found.first, expected.first, rtol=1e-9)
