"""Gas that is not lung: in the stomach under the left dome, in the bowel and in the oesophagus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastgmm._types import BoolArray
from fastgmm.lung.phantom._anatomy import Anatomy
from fastgmm.lung.phantom._grid import BLUR_MM, Block, Float32Array
from fastgmm.lung.phantom._lungs import diaphragm
from fastgmm.lung.phantom._shapes import Solid, blend, coverage, depth_of, union_depth

GAS_HU = -985.0
_WALL_HU = 50.0
# One step and a little, since the diaphragm is not straight over the width of a voxel.
_WALL_STEPS = np.float32(1.03)


@dataclass(frozen=True)
class Gas:
    """The stomach with the height (y, mm) of the level that its gas stands on, and the other bubbles."""

    stomach: Solid
    level_mm: float
    bubbles: tuple[Solid, ...]


def build_gas(anatomy: Anatomy, rng: np.random.Generator) -> Gas:
    """Draw the stomach and the bubbles."""
    top = anatomy.dome_top[1]
    stomach = Solid((top - 18 + rng.uniform(-2, 2), -24.0, 70 + rng.uniform(-4, 4)), (26.0, 38.0, 32.0))
    bubbles = [Solid((anatomy.apex - 16, 36.0, anatomy.carina[2] + 3), (8.0, 5.5, 6.5))]
    for x in np.linspace(-70, 74, 7):
        center = (float(rng.uniform(8, 22)), float(rng.uniform(-58, -46)), float(x + rng.uniform(-4, 4)))
        bubbles.append(Solid(center, tuple(rng.uniform(8, 15, 3))))
    bubbles.append(Solid((14.0, 22.0, 108.0), (13.0, 12.0, 10.0)))
    return Gas(stomach, float(rng.uniform(-20, -14)), tuple(bubbles))


def paint_gas(hu: Float32Array, gas: Gas, anatomy: Anatomy, block: Block) -> BoolArray:
    """Paint the gas into `hu`, in place, and return where it is.

    Between the gas of the stomach and the lung stands a wall of one voxel, without partial volume: the voxels under
    the diaphragm that have a neighbour above it.
    """
    bubbles = union_depth(gas.bubbles, block)
    blend(hu, coverage(bubbles), GAS_HU)
    inside = bubbles > 0
    roof = gas.stomach.grown(max(block.spacing_mm) + max(BLUR_MM))
    part, where = block.window(roof.low(), roof.high())
    if 0 not in part.shape:
        inside[where] |= _paint_stomach_gas(hu[where], gas, roof, anatomy, part)
    return inside


def _paint_stomach_gas(hu: Float32Array, gas: Gas, roof: Solid, anatomy: Anatomy, part: Block) -> BoolArray:
    surface = diaphragm(anatomy, part)
    steps = surface.above_mm / surface.step_mm
    above_level = np.float32(gas.level_mm) - part.axes[1]
    stomach = np.minimum(depth_of(gas.stomach, part), above_level / np.float32(BLUR_MM[1]))
    below_wall = steps < -_WALL_STEPS
    blend(hu, coverage(stomach) * below_wall, GAS_HU)
    over_gas = (depth_of(roof, part) > 0) & (above_level > -np.float32(part.spacing_mm[1] + BLUR_MM[1]))
    hu[over_gas & ~below_wall & (steps <= 0)] = _WALL_HU
    inside: BoolArray = (stomach > 0) & below_wall
    return inside
