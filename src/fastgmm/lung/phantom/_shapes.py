"""Solid shapes as depth below their surface: what partial volume and truth are both made of.

The depth of a point is f / |(f_z b_z, f_y b_y, f_x b_x)| for a function f that is positive inside and the widths b of
the scanner's blur: to first order the distance to the surface in units of the blur along the normal. A voxel whose
centre has depth > 0 is inside; the fraction of what the scanner averages there that is inside is about depth + 1/2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fastgmm.lung.phantom._grid import BLUR_MM, Block, Float32Array, Vector3

FAR = np.float32(1e3)
_SMALL = np.float32(1e-12)


@dataclass(frozen=True)
class Solid:
    """A superellipsoid: sum of (max(|p - center| - flat, 0) / radii)^exponent < 1.

    `flat` (mm) is the half-length of a straight middle part along each axis; it makes stadiums and cylinders.
    """

    center: Vector3
    radii: Vector3
    flat: Vector3 = (0.0, 0.0, 0.0)
    exponent: float = 2.0

    def low(self) -> Vector3:
        """Lower corner of the bounding box."""
        z, y, x = (c - f - r for c, f, r in zip(self.center, self.flat, self.radii, strict=True))
        return z, y, x

    def high(self) -> Vector3:
        """Upper corner of the bounding box."""
        z, y, x = (c + f + r for c, f, r in zip(self.center, self.flat, self.radii, strict=True))
        return z, y, x

    def grown(self, mm: float) -> Solid:
        """Return the solid with its radii larger by `mm`."""
        z, y, x = (r + mm for r in self.radii)
        return Solid(self.center, (z, y, x), self.flat, self.exponent)


def depth_of(solid: Solid, block: Block) -> Float32Array:
    """Return the depth below the solid's surface; the shape is the block's, with 1 for axes that change nothing."""
    p = solid.exponent
    total: list[Float32Array] = []
    slopes: list[Float32Array] = []
    for axis, center, radius, flat, step in zip(
        block.axes, solid.center, solid.radii, solid.flat, BLUR_MM, strict=True
    ):
        u = np.maximum(np.abs(axis - np.float32(center)) - np.float32(flat), 0) / np.float32(radius)
        if not u.any():
            u = np.zeros((1, 1, 1), np.float32)
        total.append(u**p)
        slopes.append((u ** (p - 1) * np.float32(p * step / radius)) ** 2)
    depth = (1 - total[0] - total[1]) - total[2]
    slope = (slopes[0] + slopes[1] + _SMALL) + slopes[2]
    np.sqrt(slope, out=slope)
    np.divide(depth, slope, out=depth)
    return depth


def union_depth(solids: Iterable[Solid], block: Block) -> Float32Array:
    """Return the depth below the surface of the union, -FAR away from all of them."""
    out = np.full(block.shape, -FAR, np.float32)
    for solid in solids:
        part, where = block.window(solid.low(), solid.high())
        if 0 not in part.shape:
            np.maximum(out[where], depth_of(solid, part), out=out[where])
    return out


def coverage(depth: Float32Array) -> Float32Array:
    """Return the fraction of each voxel that is inside."""
    covered = depth + np.float32(0.5)
    np.clip(covered, 0, 1, out=covered)
    return covered


def blend(hu: Float32Array, covered: Float32Array, value: float | Float32Array) -> None:
    """Replace the covered fraction of each voxel of `hu`, in place."""
    hu += covered * (np.float32(value) - hu)


def paint(hu: Float32Array, block: Block, solids: Iterable[Solid], value: float) -> None:
    """Paint solids of one intensity into `hu`, in place."""
    for solid in solids:
        part, where = block.window(solid.low(), solid.high())
        if 0 not in part.shape:
            blend(hu[where], coverage(depth_of(solid, part)), value)
