"""The two lungs: the chest above the diaphragm, on either side of the mediastinum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgmm.lung.phantom._anatomy import LONG_MM, SIDES, Anatomy
from fastgmm.lung.phantom._grid import BLUR_MM, HEIGHT_MM, Block, Float32Array, make_grid
from fastgmm.lung.phantom._shapes import Solid, depth_of, union_depth

# The diaphragm: its dome lies at this distance from the midline, and these are its half-axes to where it has fallen by
# `dome_drop`, towards the front (where it stays higher) and towards the back.
_DOME_X_MM, _DOME_Y_MM = 52.0, -8.0
_DOME_WIDTH_MM, _DOME_FRONT_MM, _DOME_BACK_MM = 84.0, 118.0, 92.0
_DOME_POWER = 1.15
_POINTS_MM = 5.0


def lung_depth(anatomy: Anatomy, block: Block) -> Float32Array:
    """Return the depth below the surface of both lungs together."""
    surface = diaphragm(anatomy, block)
    depth = surface.above_mm / surface.blur_mm
    np.minimum(depth, depth_of(anatomy.chest(), block), out=depth)
    np.minimum(depth, -union_depth(mediastinum(anatomy), block), out=depth)
    beside = np.abs(left_of_junction(anatomy, block)) - np.float32(anatomy.junction_mm / 2)
    np.minimum(depth, beside / np.float32(BLUR_MM[2]), out=depth)
    return depth


def left_of_junction(anatomy: Anatomy, block: Block) -> Float32Array:
    """Return how far (mm) each voxel lies to the left of the plane between the lungs, broadcastable to the block."""
    z, _, x = block.axes
    return x - np.float32(anatomy.junction_x) - np.float32(anatomy.junction_tilt) * (z - np.float32(anatomy.shoulder))


def points_in_lungs(anatomy: Anatomy, rng: np.random.Generator) -> Float32Array:
    """Return points (z, y, x) of shape (n, 3), one per cell of a coarse grid, at least about 4 mm inside the lungs."""
    _, high_y, high_x = anatomy.chest().high()
    shape = int(HEIGHT_MM / _POINTS_MM), int(2 * high_y / _POINTS_MM), int(2 * high_x / _POINTS_MM)
    grid = make_grid(shape, (_POINTS_MM,) * 3, (HEIGHT_MM / 2, 0.0, 0.0))
    index = np.argwhere(lung_depth(anatomy, grid) * np.float32(min(BLUR_MM)) > 4)
    points = np.stack([grid.z[index[:, 0]], grid.y[index[:, 1]], grid.x[index[:, 2]]], axis=1)
    return points + rng.uniform(-_POINTS_MM / 2, _POINTS_MM / 2, points.shape).astype(np.float32)


class Diaphragm(NamedTuple):
    """Where voxels lie relative to the upper surface of the diaphragm, arrays of the block's shape.

    Attributes
    ----------
    above_mm : ndarray
        Height above the surface, not perpendicular to it.
    blur_mm : ndarray
        Height over which the scanner's blur mixes both sides.
    step_mm : ndarray
        The most that `above_mm` changes from a voxel to one of its six neighbours.
    """

    above_mm: Float32Array
    blur_mm: Float32Array
    step_mm: Float32Array


def diaphragm(anatomy: Anatomy, block: Block) -> Diaphragm:
    """Return how the block lies relative to the diaphragm."""
    z, y, x = block.axes
    right_top, left_top = (np.float32(top) for top in anatomy.dome_top)
    across = (np.abs(x) - np.float32(_DOME_X_MM)) / np.float32(_DOME_WIDTH_MM)
    reach: Float32Array = np.where(y < _DOME_Y_MM, np.float32(_DOME_FRONT_MM), np.float32(_DOME_BACK_MM))
    along = (y - np.float32(_DOME_Y_MM)) / reach
    q = across**2 + along**2
    dome: Float32Array = np.where(x < 0, right_top, left_top)
    height = dome - np.float32(anatomy.dome_drop) * q ** np.float32(_DOME_POWER)
    fall = np.float32(2 * anatomy.dome_drop * _DOME_POWER) * q ** np.float32(_DOME_POWER - 1)
    slope_x, slope_y = np.abs(fall * across) / np.float32(_DOME_WIDTH_MM), np.abs(fall * along) / reach
    bz, by, bx = (np.float32(b) for b in BLUR_MM)
    sz, sy, sx = (np.float32(s) for s in block.spacing_mm)
    blur = np.sqrt(bz**2 + (slope_x * bx) ** 2 + (slope_y * by) ** 2)
    return Diaphragm(z - height, blur, np.maximum(sz, np.maximum(slope_x * sx, slope_y * sy)))


def mediastinum(anatomy: Anatomy) -> list[Solid]:
    """Return the solids that keep the lungs apart, from the spine to the sternum."""
    carina_z, _, carina_x = anatomy.carina
    depth = anatomy.chest_depth
    heart = anatomy.heart
    solids = [
        Solid((0, depth, 0), (1, 53, 34), (LONG_MM, 0, 0)),  # spine and the muscle beside it
        Solid((0, 25, carina_x + 3), (1, 24, 17), (LONG_MM, 0, 0)),  # trachea, oesophagus, azygos vein
        Solid((carina_z - 10, -21, 2), (30, 45, 34), (120, 0, 0)),  # great vessels, heart's root
        Solid((carina_z + 100, -40, 0), (56, 60, 36)),  # behind the manubrium
        heart.grown(3),
        Solid((heart.center[0] - 13, -depth + 4, 8), (66, 34, 36)),  # fat between heart and sternum
        Solid((carina_z + 10, 22, 14), (24, 30, 20)),  # aortic arch
        Solid((carina_z - LONG_MM + 10, 48, 18), (20, 15, 15), (LONG_MM, 0, 0)),  # descending aorta
    ]
    for side in SIDES:
        solids.append(Solid((carina_z - 20, 12, 26 * side), (24, 18, 16)))  # hilum
    return solids
