"""Dilation by a ball, from bounded distances held as bits; as csrc/core/ball_dilation.cpp.

A voxel is in the dilation if a set voxel lies m slices, |dy| rows and |dx| voxels away, with (m, dy, dx) in the ball.
Along z: plane m holds the voxels with a set voxel at most m slices away. Along y: room h holds those that reach a set
voxel with h steps along x to spare; for each dy it needs the plane of the largest m that the ball allows. Along x: the
widest room is grown by one voxel and joined with the next, until h = 0. All of it is "or" on words of 64 voxels. Cost:
about rz + rz ry / 2 + rx word steps per 64 voxels.
"""

from __future__ import annotations

import numpy as np

from fastgmm._types import BoolArray, Int64Array, Shape3, UInt64Array
from fastgmm.backends._numba.bits import ONE, ONES, SIDE, ZERO
from fastgmm.backends._numba.compiled import compiled
from fastgmm.backends._numba.rows import RowMap, row_start

CHUNK_ROWS = 64
SLICES_PER_TASK = 8


@compiled
def mark_rows(words: UInt64Array, row_map: RowMap, first: int, end: int, is_set: BoolArray) -> UInt64Array:
    """Write which rows have a voxel; return the union of their words."""
    union = np.zeros(row_map[2], np.uint64)
    for row in range(first, end):
        start, any_set = row_start(row_map, row), ZERO
        for w in range(row_map[2]):
            union[w] |= words[start + w]
            any_set |= words[start + w]
        is_set[row] = any_set != ZERO
    return union


def reach_table(radius: Shape3) -> Int64Array:
    """Return (h, m, dy), h falling: the planes m, dy rows away, that room h adds to the next wider one.

    The ball is decided in whole numbers: sum of (d / (r + 1/2))^2 <= 1, multiplied by the squares of all 2 r + 1.
    """
    az, ay, ax = ((2 * r + 1) ** 2 for r in radius)
    widest, reaches = [-1] * (radius[1] + 1), []
    for h in range(radius[2], -1, -1):
        for dy in range(radius[1] + 1):
            room = az * ay * ax - 4 * (dy * dy * az * ax + h * h * az * ay)
            m = widest[dy]
            while m < radius[0] and 4 * (m + 1) ** 2 * ay * ax <= room:
                m += 1
            if m > widest[dy]:
                widest[dy] = m
                reaches.append((h, m, dy))
    return np.array(reaches, np.int64)


@compiled
def _join(inner: UInt64Array, a: UInt64Array, b: UInt64Array, out: UInt64Array) -> bool:
    any_set = ZERO
    for i in range(out.size):
        word = inner[i] | a[i] | b[i]
        out[i] = word
        any_set |= word
    return bool(any_set != ZERO)


@compiled
def _join_along_z(lines: UInt64Array, z: int, first: int, end: int, planes: UInt64Array, at: int) -> int:
    """Fill the planes from word `at` on with words first..end - 1 of the slices; return the first not empty."""
    least, nothing = planes.shape[0], np.zeros(end - first, np.uint64)
    for m in range(planes.shape[0]):
        a = lines[z - m, first:end] if z - m >= 0 else nothing
        b = lines[z + m, first:end] if z + m < lines.shape[0] else nothing
        inner = planes[m - 1, at : at + end - first] if m > 0 else nothing
        if _join(inner, a, b, planes[m, at : at + end - first]):
            least = min(least, m)
    return int(least)


@compiled
def _widen(before: UInt64Array, after: UInt64Array, room: UInt64Array) -> None:
    for i in range(room.size):
        room[i] |= before[i] | after[i]


@compiled
def _grow(grown: UInt64Array, room: UInt64Array, stride: int, out: UInt64Array) -> None:
    """Grow by one voxel along x and join with the room; a word before and after, and between rows, stays blank."""
    before, mid, after, to = grown, grown[1:], grown[2:], out[1:]
    for i in range(room.size):
        to[i] = mid[i] | mid[i] << ONE | before[i] >> SIDE | mid[i] >> ONE | after[i] << SIDE | room[i]
    for i in range(stride - 1, room.size, stride):
        to[i] = ZERO


@compiled
def _is_full(words: UInt64Array, stride: int) -> bool:
    """Return whether all words are, those between rows excepted."""
    for i in range(words.size):  # noqa: SIM110 (Numba compiles no generators)
        if words[i] != ONES and (i + 1) % stride:
            return False
    return True


@compiled
def _dilate_slice(
    planes: UInt64Array,
    least: int,
    reaches: Int64Array,
    radius: Shape3,
    stride: int,
    sums: UInt64Array,
    out: UInt64Array,
) -> None:
    """Write the rows of one slice, given its planes; sums: the room, and twice what has grown, a word more around."""
    _, ry, rx = radius
    n, k, now = out.size, 0, 1
    sums[:] = ZERO
    room = sums[0, 1 : n + 1]
    for h in range(rx, -1, -1):
        while k < reaches.shape[0] and reaches[k, 0] == h:
            m, dy = reaches[k, 1], reaches[k, 2]
            if m >= least:
                before, after = (ry - dy) * stride, (ry + dy) * stride
                _widen(planes[m, before : before + n], planes[m, after : after + n], room)
            k += 1
        if h % 4 == 0 and _is_full(room, stride):
            out[:] = room
            return
        _grow(sums[now], room, stride, sums[3 - now])
        now = 3 - now
    out[:] = sums[now, 1 : n + 1]


@compiled
def dilate_chunk(
    source: UInt64Array, radius: Shape3, reaches: Int64Array, first_row: int, slab: int, target: UInt64Array
) -> None:
    """Write CHUNK_ROWS rows of SLICES_PER_TASK slices."""
    nz, ny, stride = source.shape
    rz, ry, _ = radius
    lines, out = source.reshape(nz, ny * stride), target.reshape(nz, ny * stride)
    n_rows = min(CHUNK_ROWS, ny - first_row)
    first, end = max(0, first_row - ry), min(ny, first_row + n_rows + ry)
    at = (first - (first_row - ry)) * stride
    planes = np.zeros((rz + 1, (n_rows + 2 * ry) * stride), np.uint64)
    sums = np.zeros((3, n_rows * stride + 2), np.uint64)
    own = slice(first_row * stride, (first_row + n_rows) * stride)
    for z in range(slab * SLICES_PER_TASK, min(nz, (slab + 1) * SLICES_PER_TASK)):
        if _is_full(lines[z, own], stride):
            out[z, own] = lines[z, own]
            continue
        least = _join_along_z(lines, z, first * stride, end * stride, planes, at)
        if least > rz:
            out[z, own] = ZERO
        else:
            _dilate_slice(planes, least, reaches, radius, stride, sums, out[z, own])
