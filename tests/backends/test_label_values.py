"""Labels of integers from a table of their values, on every backend, against NumPy's indexing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgmm.backends import _cpp, get_backend

DTYPES = tuple(np.dtype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8))
n_threads = st.integers(1, 3)


def draw(rng, dtype, n_values, n_entries):
    """Values of a dtype within a window of n_entries somewhere in its range, and the window's first value."""
    ends = np.iinfo(dtype)
    n_entries = min(n_entries, int(ends.max) - int(ends.min) + 1)
    first = int(ends.min) + int(rng.choice([0, int(ends.max) - int(ends.min) + 1 - n_entries]))
    places = rng.integers(0, n_entries, n_values)
    values = np.array([first + place for place in places.tolist()], dtype).reshape(-1)
    return values, first, places, n_entries


@given(
    dtype=st.sampled_from(DTYPES),
    out_dtype=st.sampled_from(DTYPES),
    n_values=st.integers(0, 300),
    n_entries=st.sampled_from([1, 2, 255, 256, 4000, 65536]),
    n_jumps=st.integers(0, 30),
    seed=st.integers(0, 99),
    n_jobs=n_threads,
)
def test_labels_equal_indexing(backend, dtype, out_dtype, n_values, n_entries, n_jumps, seed, n_jobs):
    rng = np.random.default_rng(seed)
    values, first, places, n_entries = draw(rng, dtype, n_values, n_entries)
    table = (np.searchsorted(np.sort(rng.integers(0, n_entries, n_jumps)), np.arange(n_entries)) * 7 % 128).astype("u1")
    out = np.full(n_values, 99, out_dtype)
    assert get_backend(backend).label_values(values, first, table, out, n_jobs) is True
    np.testing.assert_array_equal(out, table[places])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["below", "above"])
def test_a_value_without_an_entry_is_told(backend, dtype, side):
    ends = np.iinfo(dtype)
    values = np.full(200, 50, dtype)
    values[131] = ends.min if side == "below" else ends.max
    table, out = np.arange(100, dtype=np.uint8), np.empty(200, np.uint8)
    assert get_backend(backend).label_values(values, 10, table, out, 1) is False
    values[131] = 109 if side == "above" else 10
    assert get_backend(backend).label_values(values, 10, table, out, 1) is True
    assert out[131] == (99 if side == "above" else 0)


@pytest.mark.parametrize("step", [1, 3, -1, -2])
def test_values_may_be_strided(backend, step):
    every = np.random.default_rng(0).integers(-50, 50, 1000).astype(np.int16)
    values, table, out = every[::step], np.arange(100, dtype=np.uint8), np.empty(len(every[::step]), np.int64)
    assert get_backend(backend).label_values(values, -50, table, out, 2)
    np.testing.assert_array_equal(out, values + 50)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("out_dtype", [np.uint8, np.int16, np.uint32, np.int64])
@pytest.mark.parametrize("n_jumps", [4, 90])
def test_large_outputs_are_streamed_from_every_start(simd, dtype, out_dtype, n_jumps):
    size = np.dtype(out_dtype).itemsize
    n = (1 << 24) // size + 4097
    values = np.random.default_rng(0).integers(-100, 28, n).astype(np.int8).astype(dtype)
    values = values if np.dtype(dtype).kind == "i" else (values + dtype(100)).astype(dtype)
    first = -100 if np.dtype(dtype).kind == "i" else 0
    table = (np.arange(128) * n_jumps // 128).astype(np.uint8)
    for shift in (0, 1):
        out = np.zeros(n + 1, out_dtype)[shift : n + shift]
        assert _cpp.label_values(values, first, table, out, 2)
        expected = table[values.astype(np.int64) - first]
        np.testing.assert_array_equal(out, expected)


def test_the_door_refuses_what_does_not_fit():
    values, table = np.zeros(3, np.uint8), np.zeros(1, np.uint8)
    with pytest.raises(ValueError, match="values and out must be 1-D of equal length"):
        _cpp.label_values(values, 0, table, np.zeros(2, np.uint8), 1)
    with pytest.raises(ValueError, match="table must have 1 to 65536 entries"):
        _cpp.label_values(values, 0, table[:0], np.zeros(3, np.uint8), 1)
    records = np.zeros(3, np.dtype([("flag", "u1"), ("value", "<u2")]))
    with pytest.raises(ValueError, match="values must be a whole number of elements apart"):
        _cpp.label_values(records["value"], 0, table, np.zeros(3, np.uint8), 1)
