"""Rows of voxels, 64 at a time, under the words of a mask (all of them where there are no words).

Count: the voxel of running index i adds to the private counter (value, i mod lanes), so that equal neighbours need not
wait for each other; a lane is of one phase. Look up: compare with each value where the table changes and add the jump,
in vectors. Cost: near one read of the voxels under the mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgmm._types import AnyArray, Int16Array, Int64Array, UInt8Array, UInt64Array
from fastgmm.backends._numba.bits import ONE, ONES, ZERO, below_64, count_ones, keep_64, low_ones, lowest_one
from fastgmm.backends._numba.compiled import compiled
from fastgmm.backends._numba.rows import RowMap, row_start


@compiled
def _word(words: UInt64Array, start: int, w: int, length: int) -> Any:
    """Return word w of a row of `length` voxels whose words begin at `start`."""
    return words[start + w] if words.size else low_ones(length - 64 * w)


@compiled
def count_voxels(voxels: AnyArray, nx: int, words: UInt64Array, row_map: RowMap, first: int, end: int) -> int:
    """Return how many voxels of the rows count."""
    if words.size == 0:
        return int(min(end * nx, voxels.size) - min(first * nx, voxels.size))
    n = 0
    for row in range(first, end):
        start = row_start(row_map, row)
        for w in range(row_map[2]):
            n += count_ones(words[start + w])
    return n


@compiled
def find_span(voxels: AnyArray, nx: int, words: UInt64Array, row_map: RowMap, first: int, end: int) -> tuple[int, int]:
    """Return the least and the largest value of the rows."""
    low, high = np.int64(2**62), np.int64(-(2**62))
    for row in range(first, end):
        start, begin = row_start(row_map, row), row * nx
        length = min(nx, voxels.size - begin)
        for w in range((length + 63) // 64):
            bits = _word(words, start, w, length)
            while bits:
                value = np.int64(voxels[begin + 64 * w + lowest_one(bits)])
                low, high = min(low, value), max(high, value)
                bits &= bits - ONE
    return int(low), int(high)


@compiled
def count(
    voxels: AnyArray,
    nx: int,
    words: UInt64Array,
    row_map: RowMap,
    first: int,
    end: int,
    low: int,
    lane: int,
    counters: AnyArray,
) -> None:
    """Count the rows, of which the first voxel belongs to `lane`, into counters (value - low, lane)."""
    n_lanes = counters.shape[1]
    for row in range(first, end):
        start, begin = row_start(row_map, row), row * nx
        length = min(nx, voxels.size - begin)
        for w in range((length + 63) // 64):
            bits = _word(words, start, w, length)
            if bits == ONES and n_lanes == 4:
                _count_64_in_four(voxels, begin + 64 * w, low, lane, counters)
                continue
            while bits:
                counters[np.int64(voxels[begin + 64 * w + lowest_one(bits)]) - low, lane] += 1
                lane = lane + 1 if lane + 1 < n_lanes else 0
                bits &= bits - ONE


@compiled
def _count_64_in_four(voxels: AnyArray, begin: int, low: int, lane: int, counters: AnyArray) -> None:
    for k in range(64):
        counters[np.int64(voxels[begin + k]) - low, (lane + k) & 3] += 1


@compiled
def gather_keys(
    voxels: AnyArray,
    nx: int,
    words: UInt64Array,
    row_map: RowMap,
    first: int,
    end: int,
    low: int,
    phase: int,
    phases: int,
    keys: Int64Array,
) -> None:
    """Write (value - low) * phases + phase of the voxels that count, in order."""
    n = 0
    for row in range(first, end):
        start, begin = row_start(row_map, row), row * nx
        length = min(nx, voxels.size - begin)
        for w in range((length + 63) // 64):
            bits = _word(words, start, w, length)
            while bits:
                keys[n] = (np.int64(voxels[begin + 64 * w + lowest_one(bits)]) - low) * phases + phase
                phase = phase + 1 if phase + 1 < phases else 0
                n += 1
                bits &= bits - ONE


@compiled
def compare(voxels: AnyArray, nx: int, limit: Any, words: UInt64Array, row_map: RowMap, first: int, end: int) -> None:
    """Write a bit for each voxel of the rows that is below the limit."""
    n_full = nx // 64
    for row in range(first, end):
        start, begin = row_start(row_map, row), row * nx
        for w in range(n_full):
            words[start + w] = below_64(voxels, begin + 64 * w, limit)
        if n_full < row_map[2]:
            word = ZERO
            for k in range(64 * n_full, nx):
                word |= np.uint64(voxels[begin + k] < limit) << np.uint64(k & 63)
            words[start + n_full] = word


@compiled
def look_up(
    voxels: Int16Array,
    nx: int,
    words: UInt64Array,
    row_map: RowMap,
    first: int,
    end: int,
    table: UInt8Array,
    few: bool,
    jumps_at: Int16Array,
    jumps_by: UInt8Array,
    out: UInt8Array,
) -> None:
    """Write the labels of the rows."""
    for row in range(first, end):
        start, begin = row_start(row_map, row), row * nx
        length = min(nx, voxels.size - begin)
        for w in range((length + 63) // 64):
            bits, at, to = _word(words, start, w, length), begin + 64 * w, begin + min(64 * w + 64, length)
            if bits == ZERO:
                out[at:to] = 0
            elif few and to - at == 64:
                _add_jumps_64(voxels[at:to], table[0], jumps_at, jumps_by, out[at:to])
                keep_64(out, at, bits)
            else:
                _read_table(voxels[at:to], table, bits, out[at:to])


@compiled
def _read_table(voxels: Int16Array, table: UInt8Array, bits: Any, out: UInt8Array) -> None:
    for k in range(voxels.size):
        out[k] = table[np.int64(voxels[k]) + 32768] * np.uint8(bits >> np.uint64(k) & ONE)


@compiled
def _add_jumps_64(voxels: Int16Array, label: Any, jumps_at: Int16Array, jumps_by: UInt8Array, out: UInt8Array) -> None:
    """Write table[value + 32768] of 64 voxels: its first entry, and each jump at or below the value."""
    for k in range(64):
        out[k] = label
    for j in range(jumps_at.size):
        at, by = jumps_at[j], jumps_by[j]
        for k in range(64):
            out[k] = np.uint8(out[k] + (by if voxels[k] >= at else np.uint8(0)))


@compiled
def label(values: AnyArray, first: Any, width: Any, table: UInt8Array, out: AnyArray) -> bool:
    """Write the table's entry for each of the unsigned integers; return whether every one has an entry.

    width : all ones in the width of the integers, in which value - first wraps round.
    """
    complete = True
    size = np.uint64(table.size)
    for i in range(values.size):
        place = (np.uint64(values[i]) - first) & width
        complete = complete and place < size
        out[i] = table[place if place < size else np.uint64(0)]
    return complete
