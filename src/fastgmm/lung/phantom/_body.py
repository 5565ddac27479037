"""What surrounds the lungs inside the skin: fat, muscle, the organs of the chest and those below the diaphragm."""

from __future__ import annotations

import numpy as np

from fastgmm.lung.phantom._anatomy import LEFT, LONG_MM, RIGHT, SIDES, Anatomy
from fastgmm.lung.phantom._grid import BLUR_MM, Block, Float32Array
from fastgmm.lung.phantom._lungs import diaphragm
from fastgmm.lung.phantom._shapes import Solid, blend, coverage, depth_of, paint

_FAT_HU, _MUSCLE_HU, _SKIN_HU, _BLOOD_HU = -95.0, 55.0, 20.0, 42.0
_OESOPHAGUS_HU, _THYROID_HU = 35.0, 80.0
_LIVER_HU, _SPLEEN_HU, _STOMACH_HU = 60.0, 50.0, 15.0
_DIAPHRAGM_MM = 3.0


def paint_wall(hu: Float32Array, anatomy: Anatomy, block: Block) -> None:
    """Paint skin, fat and muscle, which do not change along z, into `hu`, in place."""
    skin = anatomy.skin()
    paint(hu, block, [skin], _SKIN_HU)
    paint(hu, block, [skin.grown(-2)], _FAT_HU)
    z, y, x = skin.radii
    paint(hu, block, [Solid((0, 2, 0), (z, y - 9, x - 15), skin.flat, skin.exponent)], _MUSCLE_HU)


def paint_organs(hu: Float32Array, anatomy: Anatomy, stomach: Solid, block: Block) -> None:
    """Paint what lies inside the wall, but for bones, lungs, airways and gas, into `hu`, in place."""
    for side in SIDES:  # fat between the muscles of the shoulder girdle
        paint(hu, block, [Solid((anatomy.apex - 15, 40, 128 * side), (70, 46, 5))], _FAT_HU)
        paint(hu, block, [Solid((anatomy.apex - 70, -anatomy.chest_depth - 11, 66 * side), (60, 2.2, 44))], _FAT_HU)
    paint(hu, block, [anatomy.chest(3)], _FAT_HU)
    _paint_above_diaphragm(hu, anatomy, block)
    if block.z[0] < max(anatomy.dome_top) + 2 * BLUR_MM[0]:
        _paint_below_diaphragm(hu, anatomy, stomach, block)


def _paint_above_diaphragm(hu: Float32Array, anatomy: Anatomy, block: Block) -> None:
    carina_z = anatomy.carina[0]
    back, top = anatomy.chest_depth, anatomy.apex
    vessels = (
        anatomy.heart,
        Solid((carina_z - 15, -24, 6), (38, 15, 15)),  # ascending aorta and pulmonary trunk
        Solid((carina_z - 14, -6, 2), (11, 12, 36)),  # pulmonary arteries
        Solid((carina_z + 12, 12, 14), (12, 38, 11)),  # arch of the aorta
        Solid((carina_z - LONG_MM + 10, 48, 17), (14, 12, 12), (LONG_MM, 0, 0)),  # descending aorta
        Solid((carina_z + 15, -20, -15), (46, 8, 8)),  # superior vena cava
        Solid((top, -16, -15), (60, 7, 7)),  # vessels of the neck
        Solid((top, -18, 16), (60, 6, 6)),
        Solid((top, 8, 17), (60, 5, 5)),
    )
    paint(hu, block, [Solid((0, back + 4, 0), (1, 26, 46), (LONG_MM, 0, 0))], _MUSCLE_HU)  # along the spine
    paint(hu, block, [Solid((0, 36, anatomy.carina[2] + 3), (1, 6.5, 8), (LONG_MM, 0, 0))], _OESOPHAGUS_HU)
    paint(hu, block, vessels, _BLOOD_HU)
    paint(hu, block, [Solid((top + 5, -4, 0), (28, 22, 30))], _THYROID_HU)


def _paint_below_diaphragm(hu: Float32Array, anatomy: Anatomy, stomach: Solid, block: Block) -> None:
    surface = diaphragm(anatomy, block)
    cavity = depth_of(anatomy.chest(2), block)
    blend(hu, coverage(np.minimum(-surface.above_mm / surface.blur_mm, cavity)), _MUSCLE_HU)
    under = np.minimum((-surface.above_mm - np.float32(_DIAPHRAGM_MM)) / surface.blur_mm, cavity)
    blend(hu, coverage(under), _FAT_HU)
    right_top, left_top = anatomy.dome_top
    organs = (
        (Solid((right_top - 70, -8, 62 * RIGHT), (75, 78, 92)), _LIVER_HU),
        (Solid((left_top - 62, 42, 80 * LEFT), (46, 36, 38)), _SPLEEN_HU),
        (stomach.grown(4), _MUSCLE_HU),
        (stomach, _STOMACH_HU),
    )
    for organ, value in organs:
        part, where = block.window(organ.low(), organ.high())
        if 0 not in part.shape:
            blend(hu[where], coverage(np.minimum(under[where], depth_of(organ, part))), value)
    aorta = Solid((0, anatomy.chest_depth - 38, 14), (1, 11, 11), (LONG_MM, 0, 0))
    paint(hu, block, [aorta], _BLOOD_HU)
