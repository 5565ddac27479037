"""Trachea and main bronchi, open towards the lungs, the bronchi inside them, and the pulmonary vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastgmm.lung.phantom._anatomy import RIGHT, SIDES, Anatomy
from fastgmm.lung.phantom._grid import Float32Array
from fastgmm.lung.phantom._trees import grow_tree
from fastgmm.lung.phantom._tubes import Tubes, join, path

LUMEN_HU, WALL_HU, VESSEL_HU = -995.0, 10.0, 45.0
MAIN_WALL_MM = 1.5
# The wall of a bronchus inside the lung, as a fraction of its lumen's radius.
BRONCHUS_WALL = 0.3
_N_ARTERIES, _N_VEINS = 520, 360
_ARTERY_MM, _VEIN_MM, _BRONCHUS_MM = 6.5, 6.0, 4.6
_POINTS_PER_BRONCHUS = 14


@dataclass(frozen=True)
class Tree:
    """Lumen and outer wall of the main airways, lumen of the bronchi in the lungs, and the vessels."""

    main_lumen: Tubes
    main_wall: Tubes
    bronchi: Tubes
    vessels: Tubes


def build_tree(anatomy: Anatomy, points: Float32Array, rng: np.random.Generator) -> Tree:
    """Grow airways and vessels towards some of the `points` (n, 3) that lie in the lungs."""
    z, y, x = anatomy.carina
    main, walls, bronchi, vessels = [], [], [], []
    trachea = path([(z + 160, y - 14, x - 1), (z + 60, y - 3, x), (z, y, x)], (8.5, 8.5, 8.5))
    main.append(trachea)
    walls.append(trachea)
    for side in SIDES:
        lumen, wall, ends = _main_bronchi(anatomy, side)
        main.append(lumen)
        walls.append(wall)
        cloud = points[points[:, 2] * side > 0]
        arteries = rng.choice(cloud, _N_ARTERIES)
        nearest = np.argmin([np.linalg.norm(arteries - end, axis=1) for end in ends], axis=0)
        for k, end in enumerate(ends):
            if (nearest == k).any():
                bronchi.append(grow_tree(end, arteries[nearest == k], _BRONCHUS_MM, _POINTS_PER_BRONCHUS))
        vessels.append(grow_tree((z - 16, y - 12, 36 * side), arteries, _ARTERY_MM))
        vessels.append(grow_tree((z - 44, y - 8, 30 * side), rng.choice(cloud, _N_VEINS), _VEIN_MM))
    return Tree(join(main), join(walls).grown(MAIN_WALL_MM), join(bronchi), join(vessels))


def _main_bronchi(anatomy: Anatomy, side: int) -> tuple[Tubes, Tubes, Float32Array]:
    """Return lumen and wall axis of one side's main bronchi, and where they end in the lung."""
    z, y, x = anatomy.carina
    if side == RIGHT:
        fork = (z - 16, y + 2, x - 24)
        ends = np.array([(z + 2, y - 2, x - 56), (z - 42, y + 4, x - 56)], np.float32)
    else:
        fork = (z - 26, y + 4, x + 36)
        ends = np.array([(z - 12, y - 8, x + 60), (z - 48, y + 8, x + 60)], np.float32)
    stem = path([(z, y, x), fork], (7.5, 6.5))
    branches = [path([fork, end], (6.2, 5.4)) for end in ends]
    # The wall ends before the lumen does: here the airway opens into the lung.
    walled = [path([fork, 0.75 * end + 0.25 * np.asarray(fork)], (6.2, 5.6)) for end in ends]
    return join([stem, *branches]), join([stem, *walled]), ends
