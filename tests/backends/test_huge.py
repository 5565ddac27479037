"""More than 2^31 voxels: no index, count or offset may wrap around. Pages that are only read as 0 cost no memory."""

import numpy as np
import psutil
import pytest

from fastgmm.volume import (
    PackedMask,
    apply_table,
    binary_closing_ball,
    binary_opening,
    binary_opening_ball,
    component_table,
    histogram,
    keep_components,
    median_filter,
    threshold_below,
)

SHAPE = (2050, 1024, 1024)
CORNER = (slice(-3, None),) * 3
OPTIONS = {"backend": "cpp", "n_jobs": 2}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(psutil.virtual_memory().available < 6 << 30, reason="needs 6 GB of free memory"),
]


@pytest.fixture(scope="module")
def two_corners():
    """A mask whose first voxel and last 3 x 3 x 3 voxels are set."""
    mask = PackedMask(np.zeros((2050, 1024, 16), np.uint64), SHAPE)
    mask.words[0, 0, 0] = 1
    mask.words[-3:, -3:, -1] = np.uint64(0b111 << 61)
    return mask


def set_voxels(mask):
    """Indices of the set voxels."""
    z, y, word = np.nonzero(mask.words)
    bits = np.unpackbits(mask.words[z, y, word].view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    which, bit = np.nonzero(bits)
    return np.stack([z[which], y[which], 64 * word[which] + bit], axis=1).tolist()


LAST_CUBE = [[z, y, x] for z in (2047, 2048, 2049) for y in (1021, 1022, 1023) for x in (1021, 1022, 1023)]


def test_components(two_corners):
    table = component_table(two_corners, **OPTIONS)
    assert table["n_voxels"].tolist() == [1, 27]
    assert [table[-1][name] for name in ("z0", "y0", "x0", "z1", "y1", "x1")] == [2047, 1021, 1021, *SHAPE]
    assert table["c_x1"].tolist() == [0, 9]
    assert set_voxels(keep_components(two_corners, largest=1, **OPTIONS)) == LAST_CUBE


def test_one_component_of_all_voxels():
    mask = PackedMask(np.full((2050, 1024, 16), ~np.uint64(0)), SHAPE)
    assert component_table(mask, **OPTIONS)["n_voxels"].tolist() == [2050 << 20]


def test_morphology(two_corners):
    squares = {tuple(v): (v[0] - 2048) ** 2 + (v[1] - 1022) ** 2 + (v[2] - 1022) ** 2 for v in LAST_CUBE}
    cross, ball = ([list(v) for v, square in squares.items() if square <= most] for most in (1, 2))
    assert set_voxels(binary_opening(two_corners, **OPTIONS)) == cross
    assert set_voxels(binary_opening_ball(two_corners, 1, **OPTIONS)) == ball
    assert set_voxels(binary_closing_ball(two_corners, 2, **OPTIONS)) == [[0, 0, 0], *LAST_CUBE]


def test_counts_and_thresholds():
    volume = np.zeros(SHAPE, np.int8)
    volume[CORNER] = -5
    volume[-1, -1, -1] = 7
    assert histogram(volume, **OPTIONS).counts.tolist() == [26, (2050 << 20) - 27, 1]
    phased = histogram(volume, phases=3, **OPTIONS)
    assert phased.counts[((2050 << 20) - 1) % 3, phased.values == 7] == 1
    below = threshold_below(volume, 0, **OPTIONS)
    assert set_voxels(below) == LAST_CUBE[:-1]
    assert histogram(volume, below, **OPTIONS).counts.tolist() == [26]


def test_look_up_and_median():
    volume = np.zeros(SHAPE, np.int16)
    volume[CORNER] = 3
    table = np.zeros(1 << 16, np.uint8)
    table[32768 + 3] = 5
    labels = apply_table(volume, table, **OPTIONS)
    assert np.argwhere(labels).tolist() == LAST_CUBE
    del volume
    smooth = median_filter(labels, 3, **OPTIONS)
    assert smooth[-2, -2, -2] == smooth[-1, -1, -1] == 5
    assert smooth[-3, -3, -3] == 0
    assert np.count_nonzero(smooth[:-3]) == 0
