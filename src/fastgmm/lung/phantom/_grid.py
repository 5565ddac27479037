"""Where the voxels lie: millimetres of the thorax, sampled on a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastgmm._types import Shape3

Float32Array = NDArray[np.float32]
Vector3 = tuple[float, float, float]
Window = tuple[slice, slice, slice]

# The standard image: what it shows of the thorax, from below the domes of the diaphragm to above the apices.
HEIGHT_MM = 300.0
FIELD_MM = 360.0
# Widths over which the scanner averages along (z, y, x), however far apart the voxels are: thin slices, a sharp kernel.
BLUR_MM = (1.2, 0.8, 0.8)


@dataclass(frozen=True)
class Block:
    """A box of voxels: the coordinates of its centres in mm along each axis, and the spacing.

    Coordinates: z from the feet to the head, 0 at the lowest slice of the standard image; y from the front to the
    back and x from the patient's right to the left, 0 in the middle of the chest.
    """

    z: Float32Array
    y: Float32Array
    x: Float32Array
    spacing_mm: Vector3

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x)."""
        return self.z.size, self.y.size, self.x.size

    @property
    def axes(self) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Coordinates shaped to be broadcast against each other."""
        return self.z[:, None, None], self.y[None, :, None], self.x[None, None, :]

    def window(self, low: Sequence[float], high: Sequence[float], margin: float = 1.5) -> tuple[Block, Window]:
        """Return the part in the box low..high (mm), grown by the margin (widths of the blur), and where it lies."""
        parts = []
        for coordinates, first, last, step in zip((self.z, self.y, self.x), low, high, BLUR_MM, strict=True):
            start = np.searchsorted(coordinates, first - margin * step)
            stop = np.searchsorted(coordinates, last + margin * step, side="right")
            parts.append(slice(int(start), max(int(start), int(stop))))
        cz, cy, cx = parts
        return Block(self.z[cz], self.y[cy], self.x[cx], self.spacing_mm), (cz, cy, cx)


def make_grid(shape: Shape3, spacing_mm: Vector3, center_mm: Vector3) -> Block:
    """Return the block of a whole image around a centre."""
    z, y, x = (
        (center + (np.arange(n) - (n - 1) / 2) * step).astype(np.float32)
        for n, step, center in zip(shape, spacing_mm, center_mm, strict=True)
    )
    return Block(z, y, x, spacing_mm)


def slabs(grid: Block, max_voxels: int) -> Iterator[tuple[slice, Block]]:
    """Yield blocks of consecutive slices with at most `max_voxels` voxels each, but at least one slice."""
    nz, ny, nx = grid.shape
    depth = max(1, max_voxels // max(1, ny * nx))
    for start in range(0, nz, depth):
        part = slice(start, min(nz, start + depth))
        yield part, Block(grid.z[part], grid.y, grid.x, grid.spacing_mm)
