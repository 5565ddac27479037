"""Arrays whose memory is kept for the next one."""

import os
import platform
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgmm
from fastgmm import _core, _memory
from fastgmm.volume import PackedMask


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("shape", [(0, 4), (3, 5), (300, 500), (7, 64, 1024)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_an_array_is_writeable_contiguous_and_aligned(shape, dtype):
    array = _memory.empty(shape, dtype)
    assert (array.shape, array.dtype) == (shape, dtype)
    assert all((array.flags.c_contiguous, array.flags.writeable, array.flags.aligned))
    array[...] = 7
    assert np.all(array == 7)
    if array.nbytes >= 1 << 16:
        assert address(array) % 64 == 0


def test_memory_is_used_again_and_given_back():
    fastgmm.release_memory()
    first = _memory.empty((1 << 23,), np.uint8)
    other = _memory.empty((1 << 23,), np.uint8)
    assert not np.shares_memory(first, other)
    assert _core.release_memory() == 0  # both are in use
    was = address(first)
    del first
    assert address(_memory.empty((1 << 20, 8), np.uint8)) == was
    del other
    assert _core.release_memory() == 2 << 23


def test_a_small_request_leaves_a_large_block_alone():
    fastgmm.release_memory()
    del_later = _memory.empty((1 << 25,), np.uint8)
    del del_later
    small = _memory.empty((1 << 17,), np.uint8)
    assert _core.release_memory() == 1 << 25
    assert small.nbytes == 1 << 17


def test_free_neighbours_serve_one_larger_array():
    fastgmm.release_memory()
    arrays = [_memory.empty((1 << 23,), np.uint8) for _ in range(3)]
    first, last = address(arrays[0]), arrays[2]
    del arrays
    assert address(_memory.empty((1 << 24,), np.uint8)) == first
    # What lies beside memory in use is given back too where the system takes single pages.
    assert _core.release_memory() in (1 << 24, 0)
    assert address(_memory.empty((1 << 24,), np.uint8)) == first
    del last
    assert _core.release_memory() in (1 << 23, 3 << 23)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_pages_are_made_without_a_change_to_what_is_in_them():
    fastgmm.release_memory()
    array, n_bytes = _memory.empty((1 << 26,), np.uint8), 1 << 26
    array[5], array[-1] = 3, 4
    before = resident_bytes()
    made = _memory.make_pages(array)
    assert (array[5], array[-1]) == (3, 4)
    if made:
        # Huge pages may have been made whole by the two writes.
        assert resident_bytes() - before >= n_bytes - 2 * (2 << 20) - (1 << 20)
    else:
        assert tuple(map(int, platform.release().split(".")[:2])) < (5, 14)


def test_pages_of_arrays_to_come_are_made():
    fastgmm.release_memory()
    _memory.touch((1 << 25,), np.uint8, 2)
    assert _core.release_memory() == 1 << 26


def test_no_more_than_a_gibibyte_is_kept():
    fastgmm.release_memory()
    arrays = [_memory.empty((600 << 20,), np.uint8) for _ in range(2)]
    arrays.clear()
    assert _core.release_memory() == 600 << 20


def test_a_mask_outlives_the_release_of_memory():
    mask = PackedMask.from_array(np.ones((40, 300, 300), bool))
    fastgmm.release_memory()
    others = [PackedMask.empty(mask.shape) for _ in range(3)]
    for other in others:
        other.words[...] = 0
    assert mask.count() == 40 * 300 * 300


def test_without_the_extension_arrays_come_from_numpy(monkeypatch):
    monkeypatch.setattr(_memory, "_core", None)
    assert _memory.empty((300, 500), np.uint64).flags.owndata


@pytest.mark.parametrize(
    ("files", "membership", "expected"),
    [
        ({"memory.max": "max\n"}, "0::/\n", []),
        ({"a/memory.max": "5000\n", "memory.max": "7000\n"}, "0::/a\n", [5000, 7000]),
        ({"memory/docker/x/memory.limit_in_bytes": "3000\n"}, "9:memory:/docker/x\n", [3000]),
        ({"memory/memory.limit_in_bytes": "3000\n"}, None, [3000]),
        ({"memory.max": "nonsense"}, "0::/\n", []),
        ({}, None, []),
    ],
)
def test_memory_is_limited_by_all_groups_above_the_process(tmp_path, files, membership, expected):
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if membership is not None:
        (tmp_path / "membership").write_text(membership)
    assert sorted(_memory._cgroup_limits(tmp_path / "cgroup", tmp_path / "membership")) == expected


def test_available_memory_is_the_least_that_is_told(tmp_path, monkeypatch):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  900 kB\nMemAvailable:    50 kB\n")
    monkeypatch.setattr(_memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(_memory, "ROOT", tmp_path)
    monkeypatch.setattr(_memory, "MEMBERSHIP", tmp_path / "none")
    assert _memory.available_bytes() == 50 << 10
    (tmp_path / "memory.max").write_text("1000")
    assert _memory.available_bytes() == 1000
    (tmp_path / "memory.max").write_text("max")
    for text in ("MemAvailable: many kB\n", "MemAvailable:\n", "MemTotal: 900 kB\n"):
        meminfo.write_text(text)
        assert _memory.available_bytes() is None
    meminfo.unlink()
    assert _memory.available_bytes() is None
