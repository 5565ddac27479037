"""Erosion and dilation as the intersection and the union of shifted copies."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import BoolArray, Shape3

_CROSS = [(0, 0, 0), (-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]


def binary_opening(mask: PackedMask, iterations: int, n_jobs: int) -> PackedMask:
    """Take the steps one by one."""
    opened = mask.to_array()
    for _ in range(iterations):
        opened = ~_dilate_offsets(~opened, _CROSS, outside=True)
    for _ in range(iterations):
        opened = _dilate_offsets(opened, _CROSS, outside=False)
    return PackedMask.from_array(opened)


def binary_opening_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Erode, with a set outside of the complement, then dilate."""
    eroded = ~_dilate_ball(~mask.to_array(), radius, outside=True)
    return PackedMask.from_array(_dilate_ball(eroded, radius, outside=False))


def binary_closing_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Work on a margin as wide as the ball, so that the border of the volume does not matter."""
    padded = np.pad(mask.to_array(), [(r, r) for r in radius])
    closed = ~_dilate_ball(~_dilate_ball(padded, radius, outside=False), radius, outside=True)
    inner = tuple(slice(r, n - r) for r, n in zip(radius, closed.shape, strict=True))
    return PackedMask.from_array(closed[inner])


def binary_erosion_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate the complement, which is set outside."""
    return PackedMask.from_array(~_dilate_ball(~mask.to_array(), radius, outside=True))


def binary_dilation_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate."""
    return PackedMask.from_array(_dilate_ball(mask.to_array(), radius, outside=False))


def _dilate_offsets(voxels: BoolArray, offsets: Iterable[Shape3], *, outside: bool) -> BoolArray:
    """Return the union of the copies shifted by each offset; voxels beyond the volume count as `outside`."""
    offsets = list(offsets)
    margin = [max(abs(d[axis]) for d in offsets) for axis in range(3)]
    padded = np.pad(voxels, [(m, m) for m in margin], constant_values=outside)
    grown = np.zeros_like(voxels)
    for d in offsets:
        window = tuple(slice(m + o, m + o + n) for m, o, n in zip(margin, d, voxels.shape, strict=True))
        grown |= padded[window]
    return grown


def _dilate_ball(voxels: BoolArray, radius: Shape3, *, outside: bool) -> BoolArray:
    """Return the union over the ball: its rows along x, widened first, are shifted along z and y."""
    rz, ry, _ = radius
    rows: dict[int, list[Shape3]] = {}
    for dz, dy in product(range(-rz, rz + 1), range(-ry, ry + 1)):
        half = _half_row(dz, dy, radius)
        if half >= 0:
            rows.setdefault(half, []).append((dz, dy, 0))
    grown = np.zeros_like(voxels)
    for half, shifts in rows.items():
        widened = _dilate_offsets(voxels, [(0, 0, dx) for dx in range(-half, half + 1)], outside=outside)
        grown |= _dilate_offsets(widened, shifts, outside=outside)
    return grown


def _half_row(dz: int, dy: int, radius: Shape3) -> int:
    """Return the largest dx with (dz, dy, dx) in the ball, -1 if there is none.

    The condition sum of (d / (r + 1/2))^2 <= 1, multiplied by the squares of all 2 r + 1, is one on whole numbers.
    """
    az, ay, ax = ((2 * r + 1) ** 2 for r in radius)
    room = az * ay * ax - 4 * (dz * dz * ay * ax + dy * dy * az * ax)
    return max((dx for dx in range(radius[2] + 1) if 4 * dx * dx * az * ay <= room), default=-1)
