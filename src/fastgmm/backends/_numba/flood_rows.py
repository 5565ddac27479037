"""Floods across the faces of voxels: the loops.

The front of each flood moves by one voxel in all six directions at once, a word at a time, in the rows only that have a
front beside them.
"""

from __future__ import annotations

import numpy as np

from fastgmm._types import Int64Array, UInt64Array
from fastgmm.backends._numba.bits import ONE, SIDE, ZERO
from fastgmm.backends._numba.compiled import compiled


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
