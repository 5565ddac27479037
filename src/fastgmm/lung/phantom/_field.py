"""Smooth random fields: what gives tissue its texture and lesions their ragged outline."""

from __future__ import annotations

import numpy as np

from fastgmm.lung.phantom._grid import FIELD_MM, HEIGHT_MM, Block, Float32Array

# The fields are drawn over the standard image and this much around it; beyond, their border values go on.
_AROUND_MM = 60.0


class SmoothField:
    """Random values of mean 0 and variance about 1: a cubic B-spline with random coefficients every `cell_mm`."""

    def __init__(self, rng: np.random.Generator, cell_mm: float) -> None:
        self._cell_mm = cell_mm
        self._first = (-_AROUND_MM, -FIELD_MM / 2, -FIELD_MM / 2 - _AROUND_MM)
        last = (HEIGHT_MM + _AROUND_MM, FIELD_MM / 2, FIELD_MM / 2 + _AROUND_MM)
        n = [int((b - a) / cell_mm) + 4 for a, b in zip(self._first, last, strict=True)]
        # A B-spline averages its coefficients: by 0.479 per axis in the mean square, so 0.479**-1.5 makes up for it.
        self._coefficients = rng.standard_normal(n, dtype=np.float32) * np.float32(0.479**-1.5)

    def __call__(self, block: Block) -> Float32Array:
        """Return the field at the block's voxels."""
        field: Float32Array = self._coefficients
        # Along y last: there whole rows are gathered.
        for axis, coordinates in ((0, block.z), (2, block.x), (1, block.y)):
            position = (coordinates - np.float32(self._first[axis])) / np.float32(self._cell_mm)
            field = _interpolate(field, position, axis)
        return field


def _interpolate(field: Float32Array, position: Float32Array, axis: int) -> Float32Array:
    """Evaluate cubic B-splines along one axis at positions in cells."""
    position = np.clip(position, 0, field.shape[axis] - 4)
    cell = np.minimum(position.astype(np.intp), field.shape[axis] - 4)
    t = (position - cell).astype(np.float32)
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    along = [-1 if a == axis else 1 for a in range(3)]
    out: Float32Array = np.take(field, cell, axis) * (weights[0] / 6).reshape(along)
    for k in (1, 2, 3):
        term = np.take(field, cell + k, axis)
        term *= (weights[k] / 6).reshape(along)
        out += term
    return out
