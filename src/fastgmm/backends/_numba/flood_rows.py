"""Floods across the faces of voxels: the loops.

flood moves the front of each flood by one voxel in all six directions at once, a word at a time, in the rows only that
have a front beside them. grow keeps a list of voxels per threshold: one is seen once, from the first voxel that reaches
it, and then waits in the list of the lowest threshold above its intensity, or of the one being worked on if that is
higher.
"""

from __future__ import annotations

import numpy as np

from fastgmm._types import AnyArray, Int64Array, Shape3, UInt64Array
from fastgmm.backends._numba.bits import ONE, SIDE, ZERO, lowest_one
from fastgmm.backends._numba.compiled import compiled
from fastgmm.backends._numba.rows import RowMap, row_start

_FIRST_ROOM = 1 << 12  # voxels that the lists hold at first


@compiled
def _list_front(front: UInt64Array, ny: int, listed_at: Int64Array, rows: Int64Array) -> int:
    """List the rows around those of the first front; return how many."""
    n = 0
    for row in range(front.shape[0]):
        if front[row].any():
            n = _list_around(row, ny, 0, listed_at, rows, n)
    return n


@compiled
def _list_around(row: int, ny: int, step: int, listed_at: Int64Array, rows: Int64Array, n: int) -> int:
    """Put a row and its neighbours into the list of a step unless they are there; return its new length."""
    y = row % ny
    for near in (row, row - (y > 0), row + (y + 1 < ny), row - ny, row + ny):
        if 0 <= near < listed_at.size and listed_at[near] != step:
            listed_at[near] = step
            rows[n] = near
            n += 1
    return n


@compiled
def _advance(
    free: UInt64Array,
    out: UInt64Array,
    now: UInt64Array,
    later: UInt64Array,
    listed: Int64Array,
    ny: int,
    step: int,
    listed_at: Int64Array,
    next_rows: Int64Array,
) -> int:
    """Move one front by a voxel in the rows listed, then make it blank; return how many rows the next step has."""
    n = 0
    for row in listed:
        if _move(free, out, now, later, row, ny):
            n = _list_around(row, ny, step, listed_at, next_rows, n)
    for row in listed:
        now[row] = ZERO
    return n


@compiled
def _move(free: UInt64Array, out: UInt64Array, now: UInt64Array, later: UInt64Array, row: int, ny: int) -> bool:
    """Take the free voxels of a row that the front reaches, and say whether there are any."""
    n_rows, n_words = free.shape
    y = row % ny
    # Missing neighbours are read as the row itself, which takes nothing more: its voxels are not free any longer.
    here, north, south = now[row], now[row - (y > 0)], now[row + (y + 1 < ny)]
    below, above = now[row - ny if row >= ny else row], now[row + ny if row + ny < n_rows else row]
    any_taken = ZERO
    for w in range(n_words):
        if not free[row, w]:
            continue
        west = here[w] << ONE | (here[w - 1] >> SIDE if w > 0 else ZERO)
        east = here[w] >> ONE | (here[w + 1] << SIDE if w + 1 < n_words else ZERO)
        new = (west | east | north[w] | south[w] | below[w] | above[w]) & free[row, w]
        free[row, w] &= ~new
        out[row, w] |= new
        later[row, w] = new
        any_taken |= new
    return bool(any_taken != ZERO)


@compiled
def flood(free: UInt64Array, taken: UInt64Array, fronts: UInt64Array, rows: Int64Array, ny: int) -> None:
    """Let the fronts[1], already taken from what is free, spread until nothing moves.

    free: (n_rows, n_words); taken: of each flood; fronts and rows: of two steps, of each flood; fronts[0] is blank.
    """
    n_floods, n_rows = taken.shape[0], taken.shape[1]
    listed_at = np.full((n_floods, n_rows), -1)
    n_listed = np.zeros((2, n_floods), np.int64)
    for i in range(n_floods):
        n_listed[1, i] = _list_front(fronts[1, i], ny, listed_at[i], rows[1, i])
    step, moved = 0, True
    while moved:
        step, moved = step + 1, False
        now, later = step % 2, 1 - step % 2
        for i in range(n_floods):
            listed = rows[now, i, : n_listed[now, i]]
            n_listed[later, i] = _advance(
                free, taken[i], fronts[now, i], fronts[later, i], listed, ny, step, listed_at[i], rows[later, i]
            )
            moved |= n_listed[later, i] > 0


@compiled
def _see(
    volume: AnyArray, row: int, x: int, nx: int, thresholds: Int64Array, level: int, seen: UInt64Array, row_map: RowMap
) -> int:
    """Mark a voxel as seen; return the threshold whose list it goes into, -1 for none."""
    w, bit = row_start(row_map, row) + (x >> 6), ONE << np.uint64(x & 63)
    if seen[w] & bit:
        return -1
    seen[w] |= bit
    value = np.int64(volume[row * nx + x])
    for own in range(thresholds.size):
        if value < thresholds[own]:
            return max(level, own)
    return -1


@compiled
def _put(entries: Int64Array, n: int, voxel: int, own: int, last: Int64Array, n_put: Int64Array) -> int:
    """Put a voxel into the list of threshold `own`, if not -1, as entry n; return the number of entries."""
    if own < 0:
        return n
    entries[n, 0], entries[n, 1], entries[n, 2] = voxel, own, last[own]
    last[own] = n
    n_put[own] += 1
    return n + 1


@compiled
def _with_room(entries: Int64Array, n: int) -> Int64Array:
    """Return the entries, of which n are used, with room for the neighbours of one voxel."""
    if n + 6 <= entries.shape[0]:
        return entries
    larger = np.empty((2 * entries.shape[0], 3), np.int64)
    larger[:n] = entries[:n]
    return larger


@compiled
def _spread(
    volume: AnyArray,
    shape: Shape3,
    thresholds: Int64Array,
    level: int,
    seen: UInt64Array,
    row_map: RowMap,
    voxel: int,
    entries: Int64Array,
    n: int,
    last: Int64Array,
    n_put: Int64Array,
) -> int:
    """Put the neighbours of a voxel into the lists where they belong; return the number of entries."""
    nz, ny, nx = shape
    row, x = voxel // nx, voxel % nx
    y = row % ny
    for step in (-1, 1):
        if 0 <= x + step < nx:
            own = _see(volume, row, x + step, nx, thresholds, level, seen, row_map)
            n = _put(entries, n, voxel + step, own, last, n_put)
        if 0 <= y + step < ny:
            own = _see(volume, row + step, x, nx, thresholds, level, seen, row_map)
            n = _put(entries, n, voxel + step * nx, own, last, n_put)
        if 0 <= row + step * ny < nz * ny:
            own = _see(volume, row + step * ny, x, nx, thresholds, level, seen, row_map)
            n = _put(entries, n, voxel + step * ny * nx, own, last, n_put)
    return n


@compiled
def grow(
    volume: AnyArray,
    shape: Shape3,
    seeds: UInt64Array,
    seed_map: RowMap,
    thresholds: Int64Array,
    max_voxels: int,
    seen: UInt64Array,
    row_map: RowMap,
) -> tuple[Int64Array, int]:
    """Return entries (voxel, threshold whose region it joins, entry before it in that list), and the last threshold.

    That is the one before the first whose region is larger than max_voxels, -1 for none. What is seen is marked.
    """
    nz, ny, nx = shape
    entries, n, n_joined = np.empty((_FIRST_ROOM, 3), np.int64), 0, 0
    last, n_put = np.full(thresholds.size, -1), np.zeros(thresholds.size, np.int64)
    for row in range(nz * ny):
        for w in range(row_map[2]):
            bits = seeds[row_start(seed_map, row) + w]
            while bits:
                x = 64 * w + lowest_one(bits)
                bits &= bits - ONE
                entries = _with_room(entries, n)
                own = _see(volume, row, x, nx, thresholds, 0, seen, row_map)
                n = _put(entries, n, row * nx + x, own, last, n_put)
    for level in range(thresholds.size):
        while last[level] >= 0:
            if n_joined + n_put[level] > max_voxels:
                return entries[:n], level - 1
            entry = last[level]
            last[level] = entries[entry, 2]
            entries = _with_room(entries, n)
            n = _spread(volume, shape, thresholds, level, seen, row_map, entries[entry, 0], entries, n, last, n_put)
        n_joined += n_put[level]
    return entries[:n], thresholds.size - 1


@compiled
def write(entries: Int64Array, level: int, shape: Shape3, words: UInt64Array, row_map: RowMap) -> None:
    """Set the voxels of the regions up to `level` in a blank mask."""
    nx = shape[2]
    for i in range(entries.shape[0]):
        if entries[i, 1] <= level:
            row, x = entries[i, 0] // nx, entries[i, 0] % nx
            words[row_start(row_map, row) + (x >> 6)] |= ONE << np.uint64(x & 63)
