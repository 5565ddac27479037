"""What every step of the default preset needs of a scan, and how millimetres become voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from fastgmm._packed_mask import WORD_BITS, PackedMask, words_per_row
from fastgmm._types import AnyArray, Shape3
from fastgmm.lung.settings import DefaultMaskSettings, radius_voxels
from fastgmm.volume import threshold_below


@dataclass(frozen=True)
class Thorax:
    """A volume in the view (superior, posterior, left), its spacing, the numbers and who computes."""

    volume: AnyArray
    spacing_mm: tuple[float, float, float]
    air_below_hu: int
    numbers: DefaultMaskSettings
    kernels: dict[str, Any]
    _air: list[PackedMask] = field(default_factory=list, repr=False)

    @property
    def voxel_ml(self) -> float:
        """The volume of a voxel in ml."""
        return math.prod(self.spacing_mm) / 1000

    def below(self, hu: int) -> PackedMask:
        """Return the voxels below a HU; not to be written to, since those of air are found once and kept."""
        if hu != self.air_below_hu:
            return threshold_below(self.volume, hu, **self.kernels)
        if not self._air:
            self.give_air(threshold_below(self.volume, hu, **self.kernels))
        return self._air[0]

    def give_air(self, mask: PackedMask) -> None:
        """Take the voxels below `air_below_hu` that are known already."""
        self._air.append(mask)

    def radius(self, mm: float) -> Shape3:
        """Return a length in voxels along each axis."""
        return radius_voxels(mm, self.spacing_mm)


@dataclass(frozen=True)
class Box:
    """Part of a volume, as wide in x as the words that hold it; ends exclusive."""

    z: slice
    y: slice
    words: slice
    shape: Shape3
    whole: Shape3

    @classmethod
    def around(cls, table: AnyArray, whole: Shape3) -> Box:
        """Return the box around the components of a table."""
        z0, y0, x0 = (int(table[name].min()) for name in ("z0", "y0", "x0"))
        z1, y1, x1 = (int(table[name].max()) for name in ("z1", "y1", "x1"))
        w0, w1 = x0 // WORD_BITS, words_per_row(x1)
        nx = min(whole[2], w1 * WORD_BITS) - w0 * WORD_BITS
        return cls(slice(z0, z1), slice(y0, y1), slice(w0, w1), (z1 - z0, y1 - y0, nx), whole)

    def cut(self, mask: PackedMask) -> PackedMask:
        """Return the part of a mask of the whole volume."""
        part = PackedMask.empty(self.shape, mask.words)
        part.words[...] = mask.words[self.z, self.y, self.words]
        return part

    def paste(self, part: PackedMask) -> PackedMask:
        """Return a mask of the whole volume that is empty outside the box."""
        mask = no_voxels(self.whole, part)
        mask.words[self.z, self.y, self.words] = part.words
        return mask


def no_voxels(shape: Shape3, like: PackedMask) -> PackedMask:
    """Return an empty mask in the memory of another."""
    mask = PackedMask.empty(shape, like.words)
    mask.words[...] = 0
    return mask


def n_common(a: PackedMask, b: PackedMask) -> int:
    """Return how many voxels two masks share."""
    return (a & b).count()
