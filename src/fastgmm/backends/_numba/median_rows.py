"""Median of labels by counting: the loops over rows; as csrc/core/median_rows.inl.

For each threshold t: how many of the box's n labels are above t, taken along z, then y, then x; where they are at least
n - n // 2, the label goes up by the step from t to the next label that occurs. Counts are bytes, so that vectors are
full; only the last sums need 16 bits where a box has more than 255 labels. A row whose box has nothing above t is
skipped for t. Cost: size_z + size_y + size_x byte operations per voxel and threshold that occurs near it.
"""

from __future__ import annotations

import numpy as np

from fastgmm._types import AnyArray, BoolArray, Int64Array, UInt8Array
from fastgmm.backends._numba.compiled import compiled


@compiled
def largest_of_rows(rows: UInt8Array, first: int, end: int, largest: UInt8Array) -> None:
    """Write the largest label of each row."""
    for row in range(first, end):
        top = np.uint8(0)
        line = rows[row]
        for x in range(line.size):
            top = max(top, line[x])
        largest[row] = top


@compiled
def occurring(rows: UInt8Array, first: int, end: int) -> BoolArray:
    """Return for each of the 256 labels whether it occurs in the rows."""
    found = np.zeros(256, np.bool_)
    for row in range(first, end):
        for x in range(rows.shape[1]):
            found[rows[row, x]] = True
    return found


@compiled
def _count_above(row: UInt8Array, threshold: int, counts: UInt8Array) -> None:
    limit = np.uint8(threshold)
    for x in range(row.size):
        counts[x] = np.uint8(counts[x] + np.uint8(row[x] > limit))


@compiled
def _add(row: UInt8Array, sums: AnyArray) -> None:
    for x in range(row.size):
        sums[x] += row[x]


@compiled
def _raise(sums: AnyArray, size: int, needed: int, step: int, total: AnyArray, out: UInt8Array) -> None:
    """Add the step to the labels whose `size` sums from their place on are at least what is needed."""
    for x in range(out.size):
        total[x] = sums[x]
    for k in range(1, size):
        shifted = sums[k:]
        for x in range(out.size):
            total[x] += shifted[x]
    for x in range(out.size):
        out[x] = np.uint8(out[x] + (np.uint8(step) if total[x] >= needed else np.uint8(0)))


@compiled
def _box_level(levels: UInt8Array, near_z: Int64Array, y: int) -> int:
    """Return the highest level of row y in the planes of a box."""
    level = np.uint8(0)
    for z in near_z:
        level = max(level, levels[z, y])
    return int(level)


@compiled
def filter_block(
    rows: UInt8Array,
    out: UInt8Array,
    block: tuple[int, int, int, int],
    near: tuple[Int64Array, Int64Array, Int64Array],
    levels: UInt8Array,
    occurring: UInt8Array,
    steps: UInt8Array,
    needed: int,
    line: AnyArray,
) -> None:
    """Filter the planes z0..z1 - 1 and rows y0..y1 - 1; line: room for the sums of a row."""
    z0, z1, y0, y1 = block
    ny, nx = levels.shape[1], rows.shape[1]
    near_z, near_y, near_x = near
    size_z, size_y = near_z.size - levels.shape[0] + 1, near_y.size - ny + 1
    in_y = near_y[y0 : y1 + size_y - 1]
    counts, row_levels = np.empty((in_y.size, nx), np.uint8), np.empty(in_y.size, np.int64)
    sums = np.empty(near_x.size, line.dtype)
    for z in range(z0, z1):
        in_z = near_z[z : z + size_z]
        out[z * ny + y0 : z * ny + y1] = occurring[0]
        for i in range(in_y.size):
            row_levels[i] = _box_level(levels, in_z, in_y[i])
        for c in range(row_levels.max()):
            _count_planes(rows, in_z * ny, in_y, row_levels, c, occurring[c], counts)
            labels = out[z * ny + y0 : z * ny + y1]
            _raise_rows(counts, row_levels, c, size_y, near_x, needed, steps[c], sums, line, labels)


@compiled
def _raise_rows(
    counts: UInt8Array,
    row_levels: Int64Array,
    c: int,
    size_y: int,
    near_x: Int64Array,
    needed: int,
    step: int,
    sums: AnyArray,
    line: AnyArray,
    labels: UInt8Array,
) -> None:
    """Raise the labels of a block's rows above the c-th threshold, given their counts along z."""
    size_x = near_x.size - labels.shape[1] + 1
    for y in range(labels.shape[0]):
        if row_levels[y : y + size_y].max() > c:
            _sum_rows(counts[y : y + size_y], near_x, sums)
            _raise(sums, size_x, needed, step, line, labels[y])


@compiled
def _count_planes(
    rows: UInt8Array,
    planes: Int64Array,
    in_y: Int64Array,
    row_levels: Int64Array,
    c: int,
    threshold: int,
    counts: UInt8Array,
) -> None:
    """Count along z the labels above the threshold, the c-th, of the rows of a block."""
    for i in range(in_y.size):
        counts[i] = 0
        if row_levels[i] > c:
            for plane in planes:
                _count_above(rows[plane + in_y[i]], threshold, counts[i])


@compiled
def _sum_rows(counts: UInt8Array, near_x: Int64Array, sums: AnyArray) -> None:
    """Write the sums along y, reflected at either end of the row."""
    nx = counts.shape[1]
    before = (near_x.size - nx + 1) // 2
    inner = sums[before : before + nx]
    inner[:] = 0
    for k in range(counts.shape[0]):
        _add(counts[k], inner)
    for x in range(before):
        sums[x] = inner[near_x[x]]
    for x in range(before + nx, near_x.size):
        sums[x] = inner[near_x[x]]
