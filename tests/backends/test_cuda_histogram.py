"""The histogram family's kernels in every order of threads, at sizes about the edges of bytes, words and warps."""

from importlib import import_module

import numpy as np
import pytest
from doors import apply_table, histogram, threshold_below, to_device, to_host
from emulation import check_schedules
from volumes import STRUCTURED, integers

from fastgmm._checks import INTEGER_DTYPES
from fastgmm.backends import get_backend

pytestmark = pytest.mark.usefixtures("cuda")
SHAPES = [(3, 5, 31), (2, 3, 33), (2, 2, 65), (1, 3, 130), (2, 1, 520)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", INTEGER_DTYPES, ids=str)
def test_threshold_in_every_order(shape, dtype):
    volume = integers(shape, dtype, max(-1200, np.iinfo(dtype).min), min(500, np.iinfo(dtype).max), 1)
    check_schedules(lambda: threshold_below(volume, 20, backend="cuda").to_array(), volume < 20)


@pytest.mark.parametrize("kind", STRUCTURED, ids=lambda kind: kind.__name__)
def test_threshold_of_structures(kind):
    volume = np.where(kind((5, 9, 70), 0.5, 1), -900, 40).astype(np.int16)
    np.testing.assert_array_equal(threshold_below(volume, -155, backend="cuda").to_array(), volume < -155)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("phases", [1, 4, 256])
def test_counts_in_every_order(shape, phases):
    """Values within the window of shared memory, about its ends, and far outside."""
    volume = integers(shape, np.int16, -1100, 3200, 1)
    volume[..., ::7] = -32768
    volume[..., ::11] = 32767
    mask = integers(shape, np.uint8, 0, 3, 2) > 0

    def count():
        found = histogram(volume, mask, phases, backend="cuda")
        return found.values, found.counts

    expected = histogram(volume, mask, phases, backend="reference")
    check_schedules(count, (expected.values, expected.counts))


def same_counts(volume, mask, phases):
    """Whether the device counts as the reference."""
    return histogram(volume, mask, phases, backend="cuda") == histogram(volume, mask, phases, backend="reference")


def test_more_values_than_come_down_first(monkeypatch):
    module = import_module("fastgmm.backends._cuda.histogram")
    volume = integers((3, 4, 65), np.int16, -900, 900, 1)
    n_down = 5 * len(np.unique(volume)) + 1
    for most in (1, 2, 16, n_down - 1, n_down, n_down + 1):
        monkeypatch.setattr(module, "_FIRST_DOWN", most)
        assert same_counts(volume, None, 4)


@pytest.mark.parametrize("phases", [1, 3])
def test_values_outside_the_window_share_slots(phases):
    """More of them than there are slots, and one that stands everywhere."""
    volume = integers((4, 9, 130), np.int16, 2000, 32767, 2)
    volume[1:3] = -32768
    assert same_counts(volume, None, phases)
    assert same_counts(volume, integers(volume.shape, np.uint8, 0, 2, 3) > 0, phases)


@pytest.mark.parametrize("nx", [64, 72, 1 << 10, (1 << 10) - 3])
def test_items_of_many_rows_go_on_where_the_last_ended(nx):
    """Items are stretches of 256 words, whatever the rows."""
    volume = integers((1, -(-40_000 // nx), nx), np.int16, -1000, -900, 4)
    mask = integers(volume.shape, np.uint8, 0, 3, 5) > 0
    mask[:, ::3] = False
    for phases in (1, 4, 7):
        assert same_counts(volume, mask, phases)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_look_up_in_every_order(shape, masked):
    volume = integers(shape, np.int16, -32768, 32767, 1)
    table = integers(1 << 16, np.uint8, 0, 255, 3)
    mask = integers(shape, np.uint8, 0, 1, 2) > 0 if masked else None
    expected = table.take(volume.astype(int) + 32768) * (1 if mask is None else mask)
    check_schedules(lambda: apply_table(volume, table, mask, backend="cuda"), expected)


@pytest.mark.parametrize("kind", STRUCTURED, ids=lambda kind: kind.__name__)
def test_counts_under_structures(kind):
    mask = kind((5, 9, 70), 0.5, 1)
    volume = integers(mask.shape, np.int16, -1000, 100, 1)
    found = histogram(volume, mask, 4, backend="cuda")
    assert found == histogram(volume, mask, 4, backend="reference")


def test_a_wide_int32_volume_is_sorted():
    volume = integers((3, 4, 50), np.int32, -(2**31), 2**31 - 1, 1)
    assert histogram(volume, phases=7, backend="cuda") == histogram(volume, phases=7, backend="reference")
    none = np.zeros(volume.shape, bool)
    assert histogram(volume, none, 3, backend="cuda") == histogram(volume, none, 3, backend="reference")


@pytest.mark.parametrize("out_dtype", [np.uint8, np.int16, np.uint32, np.int64], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("dtype", [*INTEGER_DTYPES, *map(np.dtype, ("u4", "i8", "u8"))], ids=str)
def test_labels_of_values_in_every_order(dtype, out_dtype):
    """Values at both ends of a table of 100 entries, and with one beyond it."""
    low = max(np.iinfo(dtype).min, -100)
    values = integers(519, dtype, low, low + 99, 1)
    values[::50], values[1::50] = low, low + 99
    table = integers(100, np.uint8, 0, 127, 2)
    kernels, there = get_backend("cuda"), to_device(table)

    def label(given):
        out = to_device(np.full(len(given), 99, out_dtype))
        known = kernels.label_values(to_device(given), low, there, out, 1)
        return np.int64(known), to_host(out)

    check_schedules(lambda: label(values), (np.int64(1), table[values.astype(np.int64) - low].astype(out_dtype)))
    strided = values[::-3]
    np.testing.assert_array_equal(label(strided)[1], table[strided.astype(np.int64) - low])
    assert [int(label(np.append(values, dtype.type(end)))[0]) for end in (low + 100, np.iinfo(dtype).max)] == [0, 0]
    assert label(values[:0])[0] == 1
