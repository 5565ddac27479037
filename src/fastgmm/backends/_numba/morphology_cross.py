"""Erosion and dilation with the 6-neighbour cross as a wavefront; as csrc/core/morphology_cross.cpp.

While one slice enters, every step takes the slice that has just become possible, so that the mask is read once and
written once. Rows lie one after another with a blank word between them, and none of the loops knows where a row ends;
in a dilation `valid` clears what enters the blank words. Cost: n_steps word steps per 64 voxels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgmm._types import BoolArray, UInt64Array
from fastgmm.backends._numba.bits import ONE, SIDE, ZERO, low_ones
from fastgmm.backends._numba.compiled import compiled
from fastgmm.backends._numba.rows import RowMap, row_start


@compiled
def _erode(front: UInt64Array, plane: UInt64Array, back: UInt64Array, stride: int, out: UInt64Array) -> Any:
    """Write the words from stride + 1 on, whose number is out.size; return their union."""
    any_set, n = ZERO, out.size
    front, back, mid = front[stride + 1 :], back[stride + 1 :], plane[stride + 1 :]
    north, south, before, after = plane[1:], plane[2 * stride + 1 :], plane[stride:], plane[stride + 2 :]
    for i in range(n):
        along_x = mid[i] & (mid[i] << ONE | before[i] >> SIDE) & (mid[i] >> ONE | after[i] << SIDE)
        word = along_x & north[i] & south[i] & front[i] & back[i]
        out[i] = word
        any_set |= word
    return any_set


@compiled
def _dilate(
    front: UInt64Array, plane: UInt64Array, back: UInt64Array, valid: UInt64Array, stride: int, out: UInt64Array
) -> Any:
    """Write the words from stride + 1 on, whose number is out.size; return their union."""
    any_set, n = ZERO, out.size
    front, back, mid = front[stride + 1 :], back[stride + 1 :], plane[stride + 1 :]
    north, south, before, after = plane[1:], plane[2 * stride + 1 :], plane[stride:], plane[stride + 2 :]
    for i in range(n):
        along_x = mid[i] | mid[i] << ONE | before[i] >> SIDE | mid[i] >> ONE | after[i] << SIDE
        word = (along_x | north[i] | south[i] | front[i] | back[i]) & valid[i]
        out[i] = word
        any_set |= word
    return any_set


@compiled
def _load(words: UInt64Array, row_map: RowMap, z: int, plane: UInt64Array) -> bool:
    """Copy a slice into a plane; return whether a voxel is set."""
    _, ny, n_words = row_map
    any_set = ZERO
    for y in range(ny):
        start, to = row_start(row_map, z * ny + y), 1 + (y + 1) * (n_words + 1)
        for w in range(n_words):
            plane[to + w] = words[start + w]
            any_set |= words[start + w]
    return bool(any_set != ZERO)


@compiled
def _store(plane: UInt64Array, is_set: bool, z: int, out: UInt64Array, out_map: RowMap) -> None:
    """Copy a plane, or blank words, into a slice."""
    _, ny, n_words = out_map
    for y in range(ny):
        start, at = row_start(out_map, z * ny + y), 1 + (y + 1) * (n_words + 1)
        for w in range(n_words):
            out[start + w] = plane[at + w] if is_set else ZERO


@compiled
def _valid_words(nx: int, ny: int, n_words: int) -> UInt64Array:
    valid = np.zeros((ny, n_words + 1), np.uint64)
    for w in range(n_words):
        valid[:, w] = low_ones(nx - 64 * w)
    return valid.reshape(-1)


@compiled
def _take_step(ring: UInt64Array, is_set: BoolArray, step: int, z: int, erodes: bool, valid: UInt64Array) -> bool:
    """Write slice z of a step; return whether a voxel of it is set."""
    front, mid, back = (z - 1) % 3, z % 3, (z + 1) % 3
    n_set = np.int64(is_set[step - 1, 0]) + np.int64(is_set[step - 1, 1]) + np.int64(is_set[step - 1, 2])
    if n_set == 0 or (erodes and n_set < 3):
        return False
    planes = ring[step - 1]
    for slot in range(3):
        if not is_set[step - 1, slot]:
            planes[slot] = ZERO
    stride = (planes.shape[1] - 1 - valid.size) // 2
    out = ring[step, mid, stride + 1 : stride + 1 + valid.size]
    if erodes:
        return bool(_erode(planes[front], planes[mid], planes[back], stride, out) != ZERO)
    return bool(_dilate(planes[front], planes[mid], planes[back], valid, stride, out) != ZERO)


@compiled
def take_steps(
    words: UInt64Array,
    row_map: RowMap,
    nz: int,
    nx: int,
    n_steps: int,
    n_erosions: int,
    z0: int,
    z1: int,
    out: UInt64Array,
    out_map: RowMap,
) -> None:
    """Write slices z0..z1 - 1 after n_steps steps, of which the first n_erosions erode; outside is 0 in all of them.

    ring[step, z % 3]: the last three slices of each step, step 0 the input. What is set says which are not blank.
    """
    _, ny, n_words = row_map
    valid = _valid_words(nx, ny, n_words)
    ring = np.zeros((n_steps + 1, 3, valid.size + 2 * (n_words + 1) + 1), np.uint64)
    is_set = np.zeros((n_steps + 1, 3), np.bool_)
    for entering in range(z0 - n_steps, z1 + n_steps):
        is_set[0, entering % 3] = 0 <= entering < nz and _load(words, row_map, entering, ring[0, entering % 3])
        for step in range(1, n_steps + 1):
            z = entering - step
            inside = 0 <= z < nz
            is_set[step, z % 3] = inside and _take_step(ring, is_set, step, z, step <= n_erosions, valid)
        z = entering - n_steps
        if z >= z0:
            _store(ring[n_steps, z % 3], is_set[n_steps, z % 3], z, out, out_map)
