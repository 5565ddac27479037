"""Exact counts: sums of parts, subsampling of a concatenation, files, and what is refused."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from volumes import SEEDS, integers, matching_mask, volumes

from fastgmm import Histogram, PhasedHistogram
from fastgmm._checks import INTEGER_DTYPES
from fastgmm.volume import PackedMask, histogram


def as_unique(values):
    distinct, counts = np.unique(values, return_counts=True)
    return Histogram(distinct, counts)


@given(volume=volumes(max_voxels=50_000))
def test_from_array_equals_numpy(volume):
    counted = Histogram.from_array(volume)
    assert counted == as_unique(volume)
    assert (counted.values.dtype, counted.counts.dtype, counted.n) == (np.int64, np.int64, volume.size)


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "<u2", ">i4", "u4", "i8", "u8", "f2", "f4", ">f8", "g"])
def test_from_array_takes_every_number_type(dtype):
    values = integers((4, 5), np.int8, 0, 100, 1).astype(dtype)
    assert Histogram.from_array(values) == as_unique(values.astype(int))
    assert Histogram.from_array(values.T[::2]) == as_unique(values.astype(int).T[::2])


def test_from_array_counts_more_than_one_chunk(monkeypatch):
    monkeypatch.setattr("fastgmm._histogram._CHUNK", 100)
    values = integers(1234, np.int16, -50, 50, 2)
    assert Histogram.from_array(values) == as_unique(values)


@given(volume=volumes(max_voxels=20_000), seed=SEEDS)
def test_a_mask_chooses_what_is_counted(volume, seed):
    mask = matching_mask(volume, seed)
    expected = Histogram.from_array(volume[mask])
    assert Histogram.from_array(volume, mask) == expected
    assert Histogram.from_array(volume, PackedMask.from_array(mask)) == expected


@given(parts=st.lists(volumes(max_voxels=5_000), min_size=1, max_size=5), order=st.randoms(use_true_random=False))
def test_parts_sum_to_the_whole_in_any_order(parts, order):
    whole = np.concatenate([part.ravel().astype(np.int64) for part in parts])
    order.shuffle(parts)
    assert sum(Histogram.from_array(part) for part in parts) == as_unique(whole)


def test_a_table_is_read_from_its_first_value():
    counted = Histogram.from_table([0, 2, 0, 1], -3)
    assert (counted.values.tolist(), counted.counts.tolist()) == ([-2, 0], [2, 1])


def test_the_ends_of_64_bits_are_values_like_others():
    ends = [-(2**63), 2**63 - 1]
    assert Histogram(ends, [1, 1]).values.tolist() == ends
    assert Histogram.from_array(np.array(ends)).n == 2


def test_an_empty_histogram():
    empty = Histogram.from_array([])
    assert (empty.n, empty.values.dtype, repr(empty)) == (0, np.int64, "Histogram(0 values empty, n=0)")
    assert empty + Histogram([4], [2]) == Histogram([4], [2])


def test_counts_are_its_own_and_cannot_be_written():
    values = np.array([1, 2])
    counted = Histogram(values, [1, 1])
    values[0] = 5
    assert counted.values.tolist() == [1, 2]
    for array in (counted.values, counted.counts, PhasedHistogram([1], [[1]]).counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9


def test_equality_and_sums_are_for_histograms_only():
    counted = Histogram([1], [2])
    assert counted != Histogram([1], [3])
    assert counted != Histogram([2], [2])
    assert counted != "histogram"
    assert PhasedHistogram([1], [[2]]) != counted
    with pytest.raises(TypeError):
        counted + 1
    with pytest.raises(TypeError):
        1 + counted
    with pytest.raises(TypeError, match="unhashable"):
        hash(counted)


@given(
    scans=st.lists(volumes(max_voxels=3_000), min_size=1, max_size=5),
    mask_seed=SEEDS,
    every=st.sampled_from([2, 3, 4, 7]),
)
def test_subsampling_parts_equals_slicing_the_concatenation(scans, mask_seed, every):
    voxels = [scan[matching_mask(scan, mask_seed)].astype(np.int64) for scan in scans]
    made = [histogram(scan, matching_mask(scan, mask_seed), every) for scan in reversed(scans)]
    expected = as_unique(np.concatenate(voxels)[::every])
    assert PhasedHistogram.subsample(made[::-1], every) == expected
    assert sum(part.total() for part in made) == as_unique(np.concatenate(voxels))
    assert sum(part.n for part in made) == sum(v.size for v in voxels)


def test_subsampling_nothing_gives_nothing():
    assert PhasedHistogram.subsample([]).n == 0


def test_a_phased_histogram_describes_itself():
    phased = PhasedHistogram([5, 7], [[1, 0], [2, 2]])
    assert (phased.phases, phased.n) == (2, 5)
    assert repr(phased) == "PhasedHistogram(2 values, phases=2, n=5)"
    assert phased == PhasedHistogram([5, 7], [[1, 0], [2, 2]])
    assert phased.total() == Histogram([5, 7], [3, 2])
    with pytest.raises(ValueError, match="every part must have 4 phases, got one with 2"):
        PhasedHistogram.subsample([phased])


@pytest.mark.parametrize(
    ("values", "counts", "text"),
    [
        ([[1]], [[1]], r"1-D of equal length, got shapes \(1, 1\) and \(1, 1\)"),
        ([1, 2], [1], r"got shapes \(2,\) and \(1,\)"),
        ([2, 1], [1, 1], "rising order; Histogram.from_array"),
        ([1, 1], [1, 1], "distinct"),
        ([2**63 - 1, -(2**63)], [1, 1], "rising"),
        ([1, 2], [1, 0], "counts must be at least 1, got 0"),
        ([1.5], [1], "values must be whole numbers, got 1.5"),
        ([1], [np.inf], "counts must be whole numbers, got inf"),
        ([2**64 - 1], [1], "must fit in 64-bit signed integers, got 18446744073709551615"),
    ],
)
def test_what_is_no_histogram_is_refused(values, counts, text):
    with pytest.raises(ValueError, match=text):
        Histogram(values, counts)


@pytest.mark.parametrize(
    ("values", "counts", "text"),
    [
        ([1, 2], [1, 2], r"shape \(phases, n\) for n values, got shapes \(2,\) and \(2,\)"),
        ([1, 2], [[1]], r"got shapes \(1, 1\) and \(2,\)"),
        ([1], np.zeros((0, 1), int), "at least one phase"),
        ([2, 1], [[1, 1]], "rising"),
        ([1], [[-1]], "counts must not be negative, got -1"),
    ],
)
def test_what_is_no_phased_histogram_is_refused(values, counts, text):
    with pytest.raises(ValueError, match=text):
        PhasedHistogram(values, counts)


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        (np.array([1.5, 2]), ValueError, "values must be whole numbers, got 1.5; round them first"),
        (np.array([np.nan]), ValueError, "got nan"),
        (np.array([1e300]), ValueError, r"got 1e\+300"),
        (np.array([2**63], np.uint64), ValueError, "must fit in 64-bit signed integers, got 9223372036854775808"),
        (np.array([True]), TypeError, "values must be integers, got dtype bool"),
        (np.array([1j]), TypeError, "got dtype complex128"),
        (np.array([1, None]), TypeError, "got dtype object"),
        (["a"], TypeError, "got dtype <U1"),
    ],
)
def test_values_that_cannot_be_counted_are_refused(values, error, text):
    with pytest.raises(error, match=text):
        Histogram.from_array(values)


@pytest.mark.parametrize("mask", [np.ones(2, bool), np.ones((2, 2), np.uint8)])
def test_a_wrong_mask_is_refused(mask):
    with pytest.raises(ValueError, match=r"mask must be bool of shape \(2, 2\), got (bool|uint8) of shape"):
        Histogram.from_array(np.zeros((2, 2), int), mask)


@pytest.mark.parametrize("dtype", INTEGER_DTYPES, ids=str)
def test_a_file_gives_back_what_was_saved(tmp_path, dtype):
    counted = Histogram.from_array(integers(999, dtype, np.iinfo(dtype).min, np.iinfo(dtype).max, 3))
    counted.save(tmp_path / "counts")
    assert Histogram.load(tmp_path / "counts") == counted
    with zipfile.ZipFile(tmp_path / "counts") as archive:
        assert not any(b"pickle" in archive.read(name) for name in archive.namelist())


def test_files_that_are_no_histogram_are_refused(tmp_path):
    path = tmp_path / "file.npz"
    expected = r"file\.npz: expected a file written by Histogram\.save, got "
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match=expected):
        Histogram.load(path)
    np.savez(path, values=[1], counts=[1])
    with pytest.raises(ValueError, match=expected + ".*format"):
        Histogram.load(path)
    np.savez(path, format=np.array("fastgmm-histogram-9"), values=[1], counts=[1])
    with pytest.raises(ValueError, match=expected + "format fastgmm-histogram-9"):
        Histogram.load(path)
    np.savez(path, format=np.array("fastgmm-histogram-1"), values=[1], counts=np.array([None]))
    with pytest.raises(ValueError, match=expected):
        Histogram.load(path)
    with pytest.raises(FileNotFoundError):
        Histogram.load(tmp_path / "absent.npz")
    with pytest.raises(OSError, match="directory"):
        Histogram.load(tmp_path)
