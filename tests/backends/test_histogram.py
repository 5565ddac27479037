"""Counting, look-up and threshold on every backend against NumPy and plain Python, and each other."""

from collections import Counter

import numpy as np
import pytest
from doors import apply_table, histogram, threshold_below
from hypothesis import given
from hypothesis import strategies as st
from volumes import SEEDS, integers, many_examples, matching_mask, volumes

from fastgmm import Histogram, PhasedHistogram
from fastgmm._checks import INTEGER_DTYPES
from fastgmm.volume import PackedMask

ON_CUDA = True
n_threads = st.integers(1, 3)
seeds_or_none = st.none() | SEEDS


def mask_or_none(volume, seed):
    return None if seed is None else matching_mask(volume, seed)


def counted(values):
    """Plain Python's counts as a `Histogram`."""
    counts = sorted(Counter(values.tolist()).items())
    return Histogram([value for value, _ in counts], [count for _, count in counts])


@given(volume=volumes(max_voxels=100_000), mask_seed=seeds_or_none, n_jobs=n_threads)
def test_counts_equal_plain_python(backend, volume, mask_seed, n_jobs):
    mask = mask_or_none(volume, mask_seed)
    inside = volume.ravel() if mask is None else volume[mask]
    assert histogram(volume, mask, backend=backend, n_jobs=n_jobs) == counted(inside)


@given(volume=volumes(max_voxels=100_000), mask_seed=seeds_or_none, phases=st.integers(2, 9), n_jobs=n_threads)
def test_phases_equal_slices(backend, volume, mask_seed, phases, n_jobs):
    mask = mask_or_none(volume, mask_seed)
    inside = volume.ravel() if mask is None else volume[mask]
    phased = histogram(volume, mask, phases, backend=backend, n_jobs=n_jobs)
    assert isinstance(phased, PhasedHistogram)
    assert phased.phases == phases
    for phase in range(phases):
        seen = phased.counts[phase] > 0
        assert Histogram(phased.values[seen], phased.counts[phase, seen]) == counted(inside[phase::phases])


@pytest.mark.slow
@many_examples
@given(volume=volumes(), mask_seed=seeds_or_none, phases=st.integers(1, 9), value=SEEDS, n_jobs=n_threads)
def test_cpp_equals_the_reference_on_many_volumes(volume, mask_seed, phases, value, n_jobs):
    mask = mask_or_none(volume, mask_seed)
    fast, slow = ({"backend": name, "n_jobs": n_jobs} for name in ("cpp", "reference"))
    assert histogram(volume, mask, phases, **fast) == histogram(volume, mask, phases, **slow)
    value = int(volume.flat[value % volume.size])
    assert threshold_below(volume, value, **fast) == threshold_below(volume, value, **slow)


@given(volume=volumes(max_voxels=100_000), mask_seed=seeds_or_none, phases=st.integers(1, 5), n_jobs=n_threads)
def test_cpp_counts_equal_the_reference(volume, mask_seed, phases, n_jobs):
    mask = mask_or_none(volume, mask_seed)
    fast = histogram(volume, mask, phases, backend="cpp", n_jobs=n_jobs)
    assert fast == histogram(volume, mask, phases, backend="reference")


@given(volume=volumes(max_voxels=100_000), mask_seed=SEEDS, cut=SEEDS)
def test_parts_sum_to_the_whole_in_any_order(backend, volume, mask_seed, cut):
    mask = matching_mask(volume, mask_seed)
    cut %= volume.shape[0] + 1
    parts = [histogram(volume[z], mask[z], backend=backend) for z in (slice(cut, None), slice(0, cut))]
    assert sum(parts) == histogram(volume, mask, backend=backend)


@given(volume=volumes([np.dtype(np.int16)]), table_seed=SEEDS, mask_seed=seeds_or_none, n_jobs=n_threads)
def test_look_up_equals_numpy(backend, volume, table_seed, mask_seed, n_jobs):
    table = integers(1 << 16, np.uint8, 0, 255, table_seed)
    mask = mask_or_none(volume, mask_seed)
    labels = apply_table(volume, table, mask, backend=backend, n_jobs=n_jobs)
    expected = table.take(volume.astype(int) + 32768)
    np.testing.assert_array_equal(labels, expected if mask is None else np.where(mask, expected, 0))


@pytest.mark.parametrize("n_steps", [0, 1, 4, 5, 40])
def test_tables_of_few_steps_equal_numpy(backend, n_steps):
    steps = np.sort(integers(n_steps, np.int16, -2000, 2000, n_steps))
    table = np.searchsorted(steps, np.arange(-32768, 32768), "right").astype(np.uint8)
    volume = integers((5, 7, 131), np.int16, -2100, 2100, 1)
    volume[0, 0, :4] = -32768, 32767, -1, 0
    labels = apply_table(volume, table, backend=backend)
    np.testing.assert_array_equal(labels, np.searchsorted(steps, volume, "right"))


@given(volume=volumes(), which=SEEDS, step=st.integers(-1, 1), n_jobs=n_threads)
def test_threshold_equals_numpy(backend, volume, which, step, n_jobs):
    value = int(volume.flat[which % volume.size]) + step
    mask = threshold_below(volume, value, backend=backend, n_jobs=n_jobs)
    np.testing.assert_array_equal(mask.to_array(), volume.astype(np.int64) < value)
    assert PackedMask(mask.words, mask.shape).count() == mask.to_array().sum()


@pytest.mark.parametrize("dtype", INTEGER_DTYPES, ids=str)
@pytest.mark.parametrize("value", [-(10**30), -(2**31), -(2**31) - 1, 2**31 - 1, 2**31, 70_000, -1, 10**30])
def test_thresholds_beyond_the_dtype_are_no_wrap_around(backend, dtype, value):
    ends = np.array([[[np.iinfo(dtype).min, 0, np.iinfo(dtype).max] * 30]], dtype)
    below = threshold_below(ends, value, backend=backend).to_array()
    assert below[0, 0].tolist() == [int(v) < value for v in ends[0, 0]]


@given(volume=volumes(max_voxels=100_000), which=SEEDS)
def test_threshold_counts_what_the_histogram_counts(backend, volume, which):
    value = int(volume.flat[which % volume.size])
    counts = histogram(volume, backend=backend)
    below = threshold_below(volume, value, backend=backend)
    assert below.count() == counts.counts[counts.values < value].sum()


@pytest.mark.parametrize("dtype", INTEGER_DTYPES, ids=str)
def test_every_simd_level_counts_and_compares_alike(simd, dtype):
    low, high = max(-1100, np.iinfo(dtype).min), min(500, np.iinfo(dtype).max)
    volume = integers((6, 13, 333), dtype, low, high, 7)
    mask = matching_mask(volume, 11)
    assert histogram(volume, mask, backend="cpp", n_jobs=2) == counted(volume[mask])
    assert histogram(volume, mask, 4, backend="cpp", n_jobs=2).total() == counted(volume[mask])
    np.testing.assert_array_equal(threshold_below(volume, 20, backend="cpp").to_array(), volume < 20)


def test_every_simd_level_looks_up_alike(simd):
    volume = integers((6, 13, 333), np.int16, -1100, 300, 7)
    mask = matching_mask(volume, 11)
    bands = np.searchsorted([-893, -721, -472, -235], np.arange(-32768, 32768), "right").astype(np.uint8) + 1
    for table in (bands, integers(1 << 16, np.uint8, 0, 255, 3)):
        expected = np.where(mask, table[volume.astype(int) + 32768], 0)
        np.testing.assert_array_equal(apply_table(volume, table, mask, backend="cpp", n_jobs=2), expected)


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)], ids=str)
def test_a_volume_without_voxels_has_no_counts(backend, shape):
    volume = np.zeros(shape, np.int16)
    assert histogram(volume, backend=backend).n == 0
    assert histogram(volume, np.zeros(shape, bool), 4, backend=backend).counts.shape == (4, 0)
    assert threshold_below(volume, 0, backend=backend).shape == shape
    assert apply_table(volume, np.zeros(1 << 16, np.uint8), backend=backend).shape == shape
