"""Counting, looking up and comparing on the device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Int16Array, Int64Array, UInt8Array
from fastgmm.backends._cuda._device import Variant, blocks_for, kernel

VOXEL_TYPES = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
}
_THRESHOLD = {name: Variant("cuda/threshold.cu", (("FG_VOXEL", text),)) for name, text in VOXEL_TYPES.items()}
_COUNT = {name: Variant("cuda/histogram.cu", (("FG_VOXEL", text),)) for name, text in VOXEL_TYPES.items()}
_LOOK_UP = Variant("cuda/apply_table.cu")
_UNSIGNED = {1: "unsigned char", 2: "unsigned short", 4: "unsigned", 8: "unsigned long long"}
_LABEL = {width: Variant("cuda/label_values.cu", (("FG_VALUE", text),)) for width, text in _UNSIGNED.items()}
VARIANTS = (*_THRESHOLD.values(), *_COUNT.values(), _LOOK_UP, *_LABEL.values())

# 32 KB of 32-bit counters, which leaves room for two blocks on every device.
_SHARED_COUNTERS = 8192
# Copies of the counters pay where many lanes meet in few bins.
_COPIES = 2
# HU of air; values from here on have counters in shared memory.
_WINDOW_LOW = -1024
# Wider ranges of int32 are sorted instead of counted in a table.
_MAX_TABLE_BINS = 1 << 24
# Of rows.h.
_ITEM_WORDS = 256
# What is copied down before it is known how many values occur: 64 KB, 1600 values of four phases.
_FIRST_DOWN = 8192
# Two that fit a processor at the same time.
_COUNT_BLOCKS = 2


def threshold_below(volume: AnyArray, value: int, n_jobs: int) -> PackedMask:
    """Compare and pack in one pass, a warp per row."""
    mask = PackedMask.empty(volume.shape, like=volume)
    compare = kernel(_THRESHOLD[volume.dtype.name], "threshold_below")
    n_rows = math.prod(volume.shape[:2])
    compare(blocks_for(n_rows * 32, compare.threads), volume, n_rows, volume.shape[2], value, mask.words)
    return mask


def apply_table(volume: Int16Array, table: UInt8Array, mask: PackedMask | None, out: UInt8Array, n_jobs: int) -> None:
    """Look up eight voxels a thread, and none where the mask is empty."""
    look_up = kernel(_LOOK_UP, "apply_table")
    n_rows = math.prod(volume.shape[:2])
    words = None if mask is None else mask.words
    look_up(blocks_for(n_rows * 32, look_up.threads), volume, table, words, n_rows, volume.shape[2], out)


def label_values(values: AnyArray, first: int, table: UInt8Array, out: AnyArray, n_jobs: int) -> bool:
    """Look up the unsigned distance to the first value, a thread for each."""
    import cupy

    width, any_unknown = values.dtype.itemsize, cupy.zeros(1, np.uint32)
    label = kernel(_LABEL[width], "label_values")
    n_blocks = blocks_for(len(values), label.threads) if len(values) else 0
    given = (values, values.strides[0] // width, len(values), np.uint64(first % (1 << 64)), table, table.size)
    label(n_blocks, *given, out, out.itemsize, any_unknown)
    return not int(any_unknown[0])


def histogram(volume: AnyArray, mask: PackedMask | None, phases: int, n_jobs: int) -> tuple[Int64Array, Int64Array]:
    """Count into a table on the device; only the values that occur come down."""
    if not volume.size:
        return np.empty(0, np.int64), np.empty((phases, 0), np.int64)
    low, n_bins = _table_range(volume)
    if n_bins * phases > _MAX_TABLE_BINS and volume.dtype.itemsize > 2:
        return _sorted_counts(volume, mask, phases)
    rows = _listed(_table(volume, mask, phases, low, n_bins), volume.dtype.name, low)
    columns = rows.T.take(np.argsort(rows[:, 0]), axis=1)
    return columns[0], columns[1:]


def _table_range(volume: AnyArray) -> tuple[int, int]:
    """Return the first value of the table and how many it has: all of the dtype's, or those that int32 spans."""
    if volume.dtype.itemsize <= 2:
        info = np.iinfo(volume.dtype)
        return int(info.min), 1 << 8 * volume.dtype.itemsize
    low = int(volume.min())
    return low, int(volume.max()) - low + 1


def _table(volume: AnyArray, mask: PackedMask | None, phases: int, low: int, n_bins: int) -> Any:
    """Return the counts of the values low, low + 1, … by phase, on the device."""
    import cupy

    variant, words = _COUNT[volume.dtype.name], None if mask is None else mask.words
    n_rows, nx = math.prod(volume.shape[:2]), volume.shape[2]
    n_items = -(-n_rows * -(-nx // 64) // _ITEM_WORDS)
    starts = None if phases == 1 else _starts(variant, words, n_rows, nx, n_items, phases)
    copies = _COPIES if phases == 1 else 1
    window = max(_WINDOW_LOW, low), min(n_bins, _SHARED_COUNTERS // (copies * phases))
    table = cupy.zeros((phases, n_bins), np.uint64)
    count = kernel(variant, "count_values")
    n_blocks = blocks_for(n_items * 32, count.threads, _COUNT_BLOCKS)
    shared_bytes = (window[1] + 1) * phases * copies * 4
    rows = (volume, words, starts, n_rows, nx)
    count(n_blocks, *rows, *window, phases, copies, low, n_bins, table, shared_bytes=shared_bytes)
    return table


def _starts(variant: Variant, words: Any, n_rows: int, nx: int, n_items: int, phases: int) -> Any:
    """Return the phase of the first counted voxel of each item."""
    import cupy

    counts, starts = cupy.empty(n_items, np.int32), cupy.empty(n_items, np.int32)
    count = kernel(variant, "count_items")
    count(blocks_for(n_items * 32, count.threads), words, n_rows, nx, counts)
    kernel(variant, "start_items")(1, counts, n_items, phases, starts)
    return starts


def _listed(table: Any, dtype: str, low: int) -> Int64Array:
    """Bring down a row for each value that occurs, the value and its counts, in any order."""
    import cupy

    phases, n_bins = table.shape
    listed = cupy.zeros(1 + n_bins * (phases + 1), np.uint64)
    fill = kernel(_COUNT[dtype], "list_values")
    fill(blocks_for(n_bins, fill.threads), table, low, n_bins, phases, listed)
    most = min(_FIRST_DOWN, listed.size)
    first = listed[:most].get().view(np.int64)
    n = int(first[0]) * (phases + 1)
    found = first[1 : n + 1] if n < most else np.concatenate([first[1:], listed[most : n + 1].get().view(np.int64)])
    return found.reshape(-1, phases + 1)


def _sorted_counts(volume: AnyArray, mask: PackedMask | None, phases: int) -> tuple[Int64Array, Int64Array]:
    """Sort the values of each phase on the device."""
    import cupy

    voxels: Any = volume.ravel() if mask is None else volume[mask.to_array()]
    parts = [
        cupy.unique(voxels[phase::phases], return_counts=True) for phase in range(min(phases, max(voxels.size, 1)))
    ]
    found = [(values.get().astype(np.int64), counts.get()) for values, counts in parts]
    values = np.unique(np.concatenate([values for values, _ in found]))
    counts = np.zeros((phases, values.size), np.int64)
    for row, (present, n) in zip(counts, found, strict=False):
        row[np.searchsorted(values, present)] = n
    return values, counts
