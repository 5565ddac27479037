"""What only the compiled histogram kernels have: SIMD levels, threads, word borders, tables or sorting, huge sizes."""

import numpy as np
import pytest

from fastgmm.backends import _cpp
from fastgmm.volume import PackedMask

DTYPES = (np.int8, np.int16, np.int32, np.uint8, np.uint16)


def count(values, phases):
    """Values and counts[phase][value] of a 1-D array, by NumPy."""
    distinct, which = np.unique(values, return_inverse=True)
    counts = np.zeros((phases, distinct.size), np.int64)
    np.add.at(counts, (np.arange(values.size) % phases, which), 1)
    return distinct, counts


def random_volume(rng, shape, dtype):
    info = np.iinfo(dtype)
    return rng.integers(max(info.min, -3000), min(info.max, 3000) + 1, shape, dtype=dtype)


def random_mask(rng, shape):
    """Runs of ones and zeros, so that full, empty and mixed words all occur."""
    mask = rng.random(shape) < 0.5
    mask[:, ::3] = rng.random(mask[:, ::3].shape[:2])[..., None] < 0.5
    return mask


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nx", [1, 63, 64, 65, 200, 513])
@pytest.mark.parametrize("phases", [1, 2, 3, 4, 7])
def test_histogram_counts_by_phase_across_word_borders(simd, dtype, nx, phases):
    rng = np.random.default_rng(nx)
    volume = random_volume(rng, (5, 7, nx), dtype)
    mask = random_mask(rng, volume.shape)
    for n_jobs in (1, 3):
        for packed, inside in ((None, volume.reshape(-1)), (PackedMask.from_array(mask), volume[mask])):
            values, counts = _cpp.histogram(volume, packed, phases, n_jobs)
            expected_values, expected_counts = count(inside, phases)
            np.testing.assert_array_equal(values, expected_values)
            np.testing.assert_array_equal(counts, expected_counts)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hole", range(1, 64, 6))
def test_words_with_a_hole_fill_what_is_gathered(simd, dtype, hole):
    """Each word has two runs of any length, copied as if they had 64 voxels: the buffer must hold the last one."""
    rng = np.random.default_rng(hole)
    volume = random_volume(rng, (6, 50, 640), dtype)
    mask = np.arange(640) % 64 != np.full((6, 50, 1), hole)
    for phases in (1, 8):
        values, counts = _cpp.histogram(volume, PackedMask.from_array(mask), phases, 2)
        expected_values, expected_counts = count(volume[mask], phases)
        np.testing.assert_array_equal(values, expected_values)
        np.testing.assert_array_equal(counts, expected_counts)


@pytest.mark.parametrize("phases", [1, 3, 4, 100])
def test_histogram_phases_run_on_from_task_to_task(phases):
    rng = np.random.default_rng(phases)
    volume = random_volume(rng, (40, 300, 130), np.int16)
    mask = random_mask(rng, volume.shape)
    expected_values, expected_counts = count(volume[mask], phases)
    for n_jobs in (1, 2, 3):
        values, counts = _cpp.histogram(volume, PackedMask.from_array(mask), phases, n_jobs)
        np.testing.assert_array_equal(values, expected_values)
        np.testing.assert_array_equal(counts, expected_counts)


@pytest.mark.parametrize("spread", [10**3, 10**6, 3 * 10**6, 2**31 - 1])
@pytest.mark.parametrize("phases", [1, 4])
def test_histogram_of_int32_is_exact_at_any_width(simd, spread, phases):
    rng = np.random.default_rng(spread)
    volume = rng.integers(-spread, spread + 1, (3, 50, 333), dtype=np.int32)
    volume[0, 0, :2] = (-spread, spread)
    volume[1] //= 1 << 12
    mask = random_mask(rng, volume.shape)
    mask[0, 0, :2] = True
    for n_jobs in (1, 3):
        values, counts = _cpp.histogram(volume, PackedMask.from_array(mask), phases, n_jobs)
        expected_values, expected_counts = count(volume[mask], phases)
        np.testing.assert_array_equal(values, expected_values)
        np.testing.assert_array_equal(counts, expected_counts)


def test_histogram_sorts_more_keys_than_one_chunk_holds():
    rng = np.random.default_rng(0)
    volume = rng.integers(-(2**31), 2**31, (5, 700, 1000), dtype=np.int64).astype(np.int32)
    volume[3] = volume[0]
    expected_values, expected_counts = np.unique(volume, return_counts=True)
    for n_jobs in (1, 2):
        values, counts = _cpp.histogram(volume, None, 1, n_jobs)
        np.testing.assert_array_equal(values, expected_values)
        np.testing.assert_array_equal(counts[0], expected_counts)


@pytest.mark.parametrize("dtype", DTYPES)
def test_histogram_of_nothing_is_empty(dtype):
    for shape in [(0, 4, 4), (4, 0, 4), (4, 4, 0), (2, 3, 70)]:
        values, counts = _cpp.histogram(np.zeros(shape, dtype), PackedMask.from_array(np.zeros(shape, bool)), 4, 2)
        assert values.shape == (0,)
        assert counts.shape == (4, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nx", [1, 64, 65, 131])
def test_threshold_equals_numpy_at_every_limit(simd, dtype, nx):
    rng = np.random.default_rng(nx)
    volume = random_volume(rng, (3, 5, nx), dtype)
    info = np.iinfo(dtype)
    volume.reshape(-1)[:2] = (info.min, info.max)[: volume.size]
    for value in (-(2**31), info.min, info.min + 1, -155, 0, info.max, info.max + 1, 2**31):
        for n_jobs in (1, 3):
            mask = _cpp.threshold_below(volume, value, n_jobs)
            np.testing.assert_array_equal(mask.to_array(), volume.astype(np.int64) < value)
            assert mask == PackedMask.from_array(mask.to_array())  # the bits past nx are 0


@pytest.mark.parametrize("n_jumps", [0, 1, 4, 12, 13, 3000])
@pytest.mark.parametrize("nx", [1, 64, 65, 200])
def test_apply_table_equals_indexing_for_few_and_many_jumps(simd, n_jumps, nx):
    rng = np.random.default_rng(n_jumps)
    table = np.zeros(65536, np.uint8)
    for at in rng.choice(np.arange(1, 65536), n_jumps, replace=False):
        table[at:] += np.uint8(rng.integers(1, 256))
    volume = rng.integers(-(2**15), 2**15, (4, 9, nx), dtype=np.int16)
    mask = random_mask(rng, volume.shape)
    expected = table[volume.astype(np.int64) + 32768]
    for n_jobs in (1, 3):
        out = np.full(volume.shape, 77, np.uint8)
        _cpp.apply_table(volume, table, None, out, n_jobs)
        np.testing.assert_array_equal(out, expected)
        _cpp.apply_table(volume, table, PackedMask.from_array(mask), out, n_jobs)
        np.testing.assert_array_equal(out, np.where(mask, expected, 0))


def test_apply_table_changes_exactly_at_each_value(simd):
    volume = np.arange(-(2**15), 2**15, dtype=np.int16).reshape(1, 16, 4096)
    table = np.digitize(np.arange(-(2**15), 2**15), [-32767, -893, -721, -472, -235, 32767]).astype(np.uint8)
    out = np.empty(volume.shape, np.uint8)
    _cpp.apply_table(volume, table, None, out, 2)
    np.testing.assert_array_equal(out.reshape(-1), table)


@pytest.mark.parametrize("nx", [1024, 1040, 1023])
def test_apply_table_of_a_volume_beyond_the_caches(simd, nx):
    rng = np.random.default_rng(nx)
    volume = rng.integers(-1024, 600, (9, 2048, nx), dtype=np.int16)
    mask = random_mask(rng, volume.shape)
    table = np.digitize(np.arange(-(2**15), 2**15), [-893, -721, -472, -235]).astype(np.uint8) + np.uint8(1)
    out = np.full(volume.shape, 99, np.uint8)
    _cpp.apply_table(volume, table, PackedMask.from_array(mask), out, 2)
    np.testing.assert_array_equal(out, np.where(mask, table[volume.astype(np.int32) + 2**15], 0))


@pytest.mark.slow
def test_counters_do_not_overflow_above_2_to_the_32_equal_voxels():
    n = 2**32 + 12345
    volume = np.zeros((1, 1, n), np.int8)  # pages that are never written take no memory
    values, counts = _cpp.histogram(volume, None, 1, 2)
    assert (values.tolist(), counts.tolist()) == ([0], [[n]])
    values, counts = _cpp.histogram(volume.reshape(1, n, 1), None, 2, 1)
    assert (values.tolist(), counts.tolist()) == ([0], [[n // 2 + 1], [n // 2]])


@pytest.mark.slow
def test_indices_above_2_to_the_31_reach_the_right_voxels():
    shape = (2100, 1024, 1024)
    volume = np.zeros(shape, np.uint8)
    volume[-1, -1, -3:] = (5, 6, 7)
    mask = _cpp.threshold_below(volume, 6, 2)
    assert mask.count() == volume.size - 2
    assert mask.words[-1, -1, -1] == (1 << 62) - 1
    sparse = PackedMask.empty(shape)
    sparse.words[...] = 0
    sparse.words[-1, -1, -1] = 0b111 << 61
    values, counts = _cpp.histogram(volume, sparse, 2, 2)
    assert (values.tolist(), counts.tolist()) == ([5, 6, 7], [[1, 0, 1], [0, 1, 0]])
