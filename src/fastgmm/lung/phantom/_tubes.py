"""Tubes: chains of cones with round ends, drawn by the box around each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fastgmm._types import BoolArray
from fastgmm.lung.phantom._grid import BLUR_MM, Block, Float32Array
from fastgmm.lung.phantom._shapes import coverage


@dataclass(frozen=True)
class Tubes:
    """Pieces of tube, `start` and `end` of shape (n, 3) in mm (z, y, x), with the radii at both ends of shape (n,)."""

    start: Float32Array
    end: Float32Array
    start_radius: Float32Array
    end_radius: Float32Array

    def __len__(self) -> int:
        return self.start_radius.size

    def boxes(self) -> tuple[Float32Array, Float32Array]:
        """Return the lower and the upper corner of the box around each piece, each of shape (n, 3)."""
        radius = np.maximum(self.start_radius, self.end_radius)[:, None]
        return np.minimum(self.start, self.end) - radius, np.maximum(self.start, self.end) + radius

    def grown(self, mm: float) -> Tubes:
        """Return the tubes with radii larger by `mm`; pieces that vanish stay, with radius 0."""
        first, last = (np.maximum(r + np.float32(mm), 0) for r in (self.start_radius, self.end_radius))
        return Tubes(self.start, self.end, first, last)

    def scaled(self, factor: float) -> Tubes:
        """Return the tubes with radii `factor` times as large."""
        first, last = (r * np.float32(factor) for r in (self.start_radius, self.end_radius))
        return Tubes(self.start, self.end, first, last)


def path(points: Sequence[Sequence[float]], radii: Sequence[float]) -> Tubes:
    """Return the tube through points (z, y, x) with a radius at each."""
    p, r = np.asarray(points, np.float32), np.asarray(radii, np.float32)
    return Tubes(p[:-1], p[1:], r[:-1], r[1:])


def join(parts: Iterable[Tubes]) -> Tubes:
    """Return all tubes as one set."""
    parts = list(parts)
    start, end = (np.concatenate([getattr(t, name) for t in parts]).reshape(-1, 3) for name in ("start", "end"))
    first, last = (np.concatenate([getattr(t, name) for t in parts]) for name in ("start_radius", "end_radius"))
    return Tubes(start, end, first, last)


def draw_tubes(tubes: Tubes, block: Block) -> tuple[Float32Array, BoolArray]:
    """Return the fraction of each voxel that the tubes fill and whether its centre lies inside one."""
    covered = np.zeros(block.shape, np.float32)
    inside = np.zeros(block.shape, np.bool_)
    low, high = tubes.boxes()
    reach = 1.5 * np.float32(BLUR_MM[0])
    near = (low[:, 0] <= block.z[-1] + reach) & (high[:, 0] >= block.z[0] - reach)
    for i in np.flatnonzero(near):
        part, where = block.window(low[i], high[i])
        if 0 not in part.shape:
            _draw(tubes, int(i), part, covered[where], inside[where])
    return covered, inside


def _draw(tubes: Tubes, i: int, part: Block, covered: Float32Array, inside: BoolArray) -> None:
    """Add piece i to `covered` and `inside`, in place."""
    start = tubes.start[i]
    first, last = tubes.start_radius[i], tubes.end_radius[i]
    axis = tubes.end[i] - start
    direction = axis / max(np.float32(1e-6), np.float32(axis @ axis))
    z, y, x = (coordinates - c for coordinates, c in zip(part.axes, start, strict=True))
    along = (z * direction[0] + y * direction[1]) + x * direction[2]
    np.clip(along, 0, 1, out=along)
    distance = (z - along * axis[0]) ** 2
    distance += (y - along * axis[1]) ** 2
    distance += (x - along * axis[2]) ** 2
    np.sqrt(distance, out=distance)
    along *= last - first
    along += first
    depth = np.subtract(along, distance, out=along)
    inside |= depth > 0
    width = _width_across(axis)
    # A tube thinner than the blur fills no more of a voxel than its cross-section does.
    most = min(np.float32(1), np.float32(np.pi) * (max(first, last) / width) ** 2)
    depth *= 1 / width
    np.maximum(covered, np.minimum(coverage(depth), most), out=covered)


def _width_across(axis: Float32Array) -> np.float32:
    """Return the root mean square width of the blur perpendicular to an axis."""
    length2 = float(axis @ axis)
    blur2 = np.square(BLUR_MM)
    if length2 == 0.0:
        return np.float32(np.sqrt(blur2.mean()))
    return np.float32(np.sqrt((blur2.sum() - blur2 @ np.square(axis) / length2) / 2))
