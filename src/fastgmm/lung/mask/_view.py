"""The volume seen as a person lies: axes (superior, posterior, left), whatever order and sense they are stored in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Shape3

# Row of a direction matrix (left, posterior, superior) that each axis of the view follows.
_ROWS = (2, 1, 0)


@dataclass(frozen=True)
class View:
    """A permutation and flips of the stored axes.

    Attributes
    ----------
    axes : tuple of 3 ints
        The stored axis that the view's axis follows.
    flipped : tuple of 3 bools
        Whether the view's axis runs against the stored one.
    obliquity_degrees : float
        The largest angle between an axis of the view and the one of the body that it stands for.
    """

    axes: Shape3
    flipped: tuple[bool, bool, bool]
    obliquity_degrees: float = 0.0

    @property
    def is_stored_order(self) -> bool:
        """Whether there is nothing to turn."""
        return self.axes == (0, 1, 2) and not any(self.flipped)

    def turn(self, array: AnyArray) -> AnyArray:
        """Return a stored array in the view; a copy, unless nothing is to turn."""
        if self.is_stored_order:
            return array
        turned: AnyArray = array_module(array).ascontiguousarray(array.transpose(self.axes)[self._senses()])
        return turned

    def turn_triple(self, triple: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return three numbers of the stored axes in the view's order."""
        z, y, x = self.axes
        return triple[z], triple[y], triple[x]

    def turn_back(self, mask: PackedMask) -> PackedMask:
        """Return a mask of the view in the stored order."""
        if self.is_stored_order:
            return mask
        array = mask.to_array()[self._senses()]
        return PackedMask.from_array(array.transpose(np.argsort(self.axes).tolist()))

    def _senses(self) -> tuple[slice, slice, slice]:
        z, y, x = (slice(None, None, -1) if flipped else slice(None) for flipped in self.flipped)
        return z, y, x


def view_of(direction: AnyArray) -> View:
    """Return the view for a direction matrix, whose columns are the stored axes in (left, posterior, superior)."""
    columns = direction / np.linalg.norm(direction, axis=0)
    axes = max(permutations(range(3)), key=lambda order: _fit(columns, order))
    along = [float(columns[row, axis]) for row, axis in zip(_ROWS, axes, strict=True)]
    angle = math.degrees(math.acos(min(1.0, min(abs(c) for c in along))))
    z, y, x = axes
    return View((z, y, x), (along[0] < 0, along[1] < 0, along[2] < 0), angle)


def _fit(columns: AnyArray, order: Any) -> float:
    return float(sum(abs(columns[row, axis]) for row, axis in zip(_ROWS, order, strict=True)))
