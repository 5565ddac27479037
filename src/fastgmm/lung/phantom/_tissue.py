"""The five tissues of the lungs: healthy parenchyma with regions of emphysema, ground glass and consolidation in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastgmm._types import UInt8Array
from fastgmm.lung.phantom._anatomy import SIDES, Anatomy
from fastgmm.lung.phantom._field import SmoothField
from fastgmm.lung.phantom._grid import Block, Float32Array, Vector3
from fastgmm.lung.phantom._shapes import Solid, blend, coverage

AIR, HEALTHY, GROUND_GLASS, CONSOLIDATION, OTHER = 1, 2, 3, 4, 5
# Healthy lung of a patient on the back is denser there by about 50 HU; texture is what the finest vessels leave.
_HEALTHY_HU, _BACK_HU_PER_MM, _TEXTURE_HU = -838.0, 0.28, 12.0
_OUTLINE_LIMIT = 1.6
_MASS_HU = 20.0
_MASS_RADIUS_MM = 17.5
_MASS_INSIDE_MM = 13.0


@dataclass(frozen=True)
class Region:
    """A region of one tissue: an ellipsoid with a ragged outline that fades over `border_mm`."""

    tissue: int
    solid: Solid
    hu: float
    raggedness: float
    border_mm: float

    def reach(self) -> Solid:
        """Return an ellipsoid that holds the whole region."""
        grow = max(self.solid.radii) * self.raggedness * _OUTLINE_LIMIT + self.border_mm
        return self.solid.grown(grow)

    def depth_mm(self, block: Block, outline: Float32Array) -> Float32Array:
        """Return about how deep in mm the block's voxels lie in the region."""
        squares = [
            ((axis - np.float32(c)) / np.float32(r)) ** 2
            for axis, c, r in zip(block.axes, self.solid.center, self.solid.radii, strict=True)
        ]
        depth: Float32Array = squares[0] + squares[1] + squares[2]
        np.sqrt(depth, out=depth)
        np.subtract(1, depth, out=depth)
        depth += np.float32(self.raggedness) * outline
        depth *= np.float32(min(self.solid.radii))
        return depth


@dataclass(frozen=True)
class Parenchyma:
    """All regions, later ones over earlier ones, and the fields that shape them."""

    regions: tuple[Region, ...]
    outline: SmoothField
    texture: SmoothField


def mass_center(anatomy: Anatomy) -> Vector3:
    """Return the centre of the ball of dense consolidation that touches the chest wall."""
    chest = anatomy.chest()
    p = chest.exponent
    c, s = np.cos(anatomy.mass_angle), np.sin(anatomy.mass_angle)
    y, x = chest.radii[1] * s ** (2 / p), chest.flat[2] + chest.radii[2] * c ** (2 / p)
    normal = np.array([(s ** (2 / p)) ** (p - 1) / chest.radii[1], (c ** (2 / p)) ** (p - 1) / chest.radii[2]])
    y, x = np.array([y, x]) - _MASS_INSIDE_MM * normal / np.linalg.norm(normal)
    return anatomy.mass_z, float(y), float(x * anatomy.mass_side)


def build_parenchyma(anatomy: Anatomy, points: Float32Array, rng: np.random.Generator) -> Parenchyma:
    """Place the regions at some of the `points` (n, 3) that lie in the lungs."""
    mass = mass_center(anatomy)
    points = points[np.linalg.norm(points - np.asarray(mass), axis=1) > 60]
    regions = []
    for side in SIDES:
        cloud = points[points[:, 2] * side > 0]
        height, back = cloud[:, 0], cloud[:, 1]
        upper = cloud[height > np.quantile(height, 0.6)]
        lower = cloud[(height < np.quantile(height, 0.7)) & (back > -10)]
        for center in rng.choice(upper, 4):
            regions.append(_region(rng, AIR, center, (16, 30), (-968, -945), 0.25, 4.0))
        for center in rng.choice(lower, 4):
            hu = float(rng.uniform(-650, -550))
            glass = _region(rng, GROUND_GLASS, center, (18, 38), (hu, hu), 0.25, 5.0)
            regions.append(glass)
        for center in rng.choice(lower, 2):
            regions.append(_region(rng, GROUND_GLASS, center, (26, 34), (-610, -590), 0.25, 5.0))
            regions.append(_region(rng, CONSOLIDATION, center, (15, 22), (-390, -300), 0.25, 4.0))
    radii = (_MASS_RADIUS_MM,) * 3
    regions.sort(key=lambda region: region.tissue)
    regions.append(Region(CONSOLIDATION, Solid(mass, radii), _MASS_HU, 0.0, 1.5))
    return Parenchyma(tuple(regions), SmoothField(rng, 16.0), SmoothField(rng, 4.5))


def draw_parenchyma(parenchyma: Parenchyma, block: Block) -> tuple[Float32Array, UInt8Array]:
    """Return intensities and classes 1..4 of the block, as if all of it were lung."""
    gravity = np.float32(_HEALTHY_HU) + np.float32(_BACK_HU_PER_MM) * block.axes[1]
    hu = gravity + np.float32(_TEXTURE_HU) * parenchyma.texture(block)
    tissue = np.full(block.shape, HEALTHY, np.uint8)
    outline = parenchyma.outline(block)
    np.clip(outline, -_OUTLINE_LIMIT, _OUTLINE_LIMIT, out=outline)
    for region in parenchyma.regions:
        reach = region.reach()
        part, where = block.window(reach.low(), reach.high())
        if 0 not in part.shape:
            inside_mm = region.depth_mm(part, outline[where])
            tissue[where][inside_mm > 0] = region.tissue
            blend(hu[where], coverage(inside_mm / np.float32(region.border_mm)), region.hu)
    return hu, tissue


def _region(
    rng: np.random.Generator,
    tissue: int,
    center: Sequence[float],
    radii_mm: tuple[float, float],
    hu: tuple[float, float],
    raggedness: float,
    border_mm: float,
) -> Region:
    z, y, x = rng.uniform(*radii_mm, size=3)
    solid = Solid((float(center[0]), float(center[1]), float(center[2])), (float(z), float(y), float(x)))
    return Region(tissue, solid, float(rng.uniform(*hu)), raggedness, border_mm)
