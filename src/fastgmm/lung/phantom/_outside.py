"""What lies outside the skin: air, the table and clothing."""

from __future__ import annotations

import numpy as np

from fastgmm.lung.phantom._anatomy import Anatomy
from fastgmm.lung.phantom._grid import BLUR_MM, Block, Float32Array
from fastgmm.lung.phantom._shapes import blend, coverage, depth_of

AIR_HU = -1000.0
_CLOTH_HU, _TABLE_HU = -420.0, -60.0
_CLOTH_MM, _CLOTH_AWAY_MM = 1.6, 5.0
# The two shells of the table: how far behind the back, and half their thickness; half the table's width; its curvature.
_SHELLS_MM = ((11.0, 2.0), (34.0, 1.6))
_TABLE_HALF_WIDTH_MM = 215.0
_TABLE_BOW_PER_MM = 2.2e-4


def paint_outside(hu: Float32Array, anatomy: Anatomy, block: Block) -> None:
    """Fill `hu` with air and paint the table, whose shells are open at the sides, and the cloth, in place.

    Nothing here changes along z.
    """
    hu[...] = AIR_HU
    _, y, x = block.axes
    skin = anatomy.skin()
    resolution = np.float32(BLUR_MM[1])
    folds = 1.6 * np.sin(x / 17) + 1.4 * np.sin(y / 23)
    away = depth_of(skin.grown(_CLOTH_AWAY_MM), block) * resolution + folds
    blend(hu, coverage((np.float32(_CLOTH_MM / 2) - np.abs(away)) / resolution), _CLOTH_HU)
    back = skin.center[1] + skin.radii[1]
    for behind, half in _SHELLS_MM:
        middle = np.float32(back + behind) - np.float32(_TABLE_BOW_PER_MM) * x * x
        shell = np.float32(half) - np.abs(y - middle)
        np.minimum(shell, np.float32(_TABLE_HALF_WIDTH_MM) - np.abs(x), out=shell)
        blend(hu, coverage(shell / resolution), _TABLE_HU)
