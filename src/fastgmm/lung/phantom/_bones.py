"""Ribs, spine, sternum, collar bones and shoulder blades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastgmm.lung.phantom._anatomy import LONG_MM, SIDES, Anatomy
from fastgmm.lung.phantom._grid import Block, Float32Array
from fastgmm.lung.phantom._shapes import Solid, blend, paint
from fastgmm.lung.phantom._tubes import Tubes, draw_tubes, join, path

_CORTEX_HU, _MARROW_HU, _DISC_HU, _CANAL_HU, _CARTILAGE_HU = 650.0, 190.0, 90.0, 25.0, 110.0
_CORTEX_MM = 1.8
_VERTEBRA_MM, _DISC_MM = 23.0, 5.0
_LOWEST_VERTEBRA_MM, _N_VERTEBRAE = -40.0, 18
_N_RIBS = 12


@dataclass(frozen=True)
class Bones:
    """Long bones as tubes and blocks of bone, both with a cortex; cartilage; discs and canal of the spine."""

    long: Tubes
    blocks: tuple[Solid, ...]
    cartilage: Tubes
    discs: Solid
    canal: Solid


def build_bones(anatomy: Anatomy) -> Bones:
    """Place the bones around the chest."""
    long, cartilage = [], []
    for side in SIDES:
        for i in range(_N_RIBS):
            rib, front = _rib(anatomy, side, i)
            long.append(rib)
            cartilage.append(front)
        long.extend(_shoulder(anatomy, side))
    bodies = []
    for i in range(_N_VERTEBRAE):
        body, arch = _vertebra(anatomy, _LOWEST_VERTEBRA_MM + i * _VERTEBRA_MM)
        bodies.append(body)
        long.extend(arch)
    depth = anatomy.chest_depth
    discs = Solid((0, depth - 24, 0), (1, 15, 19), (LONG_MM, 0, 0))
    canal = Solid((0, depth - 1, 0), (1, 8, 10), (LONG_MM, 0, 0))
    return Bones(join(long), (*bodies, *_sternum(anatomy)), join(cartilage), discs, canal)


def paint_bones(hu: Float32Array, bones: Bones, block: Block) -> None:
    """Paint the bones into `hu`, in place."""
    paint(hu, block, [bones.discs], _DISC_HU)
    paint(hu, block, bones.blocks, _CORTEX_HU)
    paint(hu, block, [solid.grown(-_CORTEX_MM) for solid in bones.blocks], _MARROW_HU)
    blend(hu, draw_tubes(bones.cartilage, block)[0], _CARTILAGE_HU)
    blend(hu, draw_tubes(bones.long, block)[0], _CORTEX_HU)
    blend(hu, draw_tubes(bones.long.grown(-_CORTEX_MM), block)[0], _MARROW_HU)
    paint(hu, block, [bones.canal], _CANAL_HU)


def _vertebra(anatomy: Anatomy, z: float) -> tuple[Solid, list[Tubes]]:
    """Return a vertebra's body and its arch with the spinous and the two transverse processes."""
    back = anatomy.chest_depth
    body = Solid((z, back - 24, 0), (4, 16, 20), ((_VERTEBRA_MM - _DISC_MM) / 2 - 4, 0, 0), 3.0)
    arch = [path([(z, back + 8, 0), (z - 14, back + 22, 0)], (4, 3.5))]
    for side in SIDES:
        arch.append(path([(z, back - 6, 12 * side), (z, back + 7, 10 * side), (z, back + 10, 0)], (4, 3.5, 3.5)))
        arch.append(path([(z, back + 2, 12 * side), (z + 2, back + 9, 30 * side)], (4, 3.5)))
    return body, arch


def _rib(anatomy: Anatomy, side: int, i: int) -> tuple[Tubes, Tubes]:
    """Return a rib, falling from the spine to the front, and its cartilage; 0 is the uppermost."""
    back_z = anatomy.apex + 4 - i * (anatomy.apex + 4 - 62) / (_N_RIBS - 1)
    drop = 30 + 7.0 * min(i, 7)
    end = np.radians(78) if i < 7 else np.radians(78 - 22 * (i - 6))
    angles = np.linspace(-np.pi / 2, end, 16)
    points = [_around_chest(anatomy, side, angle, back_z - drop * (angle + np.pi / 2) / np.pi) for angle in angles]
    spine = (back_z + 3, anatomy.chest_depth - 8, 20 * side)
    bone = path([spine, *points], [4.0] + [5.0] * len(points))
    if i >= 10:
        return bone, path([points[-1], points[-1]], (3, 3))
    z, y, x = points[-1]
    sternum_z = max(z + 4.0 * min(i, 6), anatomy.apex - 150)
    middle = _around_chest(anatomy, side, np.pi / 2, (z + sternum_z) / 2)
    tip = (sternum_z, -anatomy.chest_depth - 6, 16 * side)
    return bone, path([(z, y, x), middle, tip], (4.5, 4.5, 4.5))


def _around_chest(anatomy: Anatomy, side: int, angle: float, z: float) -> Sequence[float]:
    """Return the point just outside the chest at an angle, -pi/2 behind and pi/2 in front."""
    chest = anatomy.chest(7)
    p = chest.exponent
    up = min(max(z - anatomy.shoulder, 0) / chest.radii[0], 0.97)
    narrow = (1 - up**p) ** (1 / p)
    y = -narrow * chest.radii[1] * np.sign(angle) * abs(np.sin(angle)) ** (2 / p)
    x = chest.flat[2] + narrow * chest.radii[2] * abs(np.cos(angle)) ** (2 / p)
    return z, float(y), float(side * x)


def _sternum(anatomy: Anatomy) -> tuple[Solid, Solid]:
    """Return the manubrium and the body of the sternum."""
    y, top = -anatomy.chest_depth - 7, anatomy.apex - 30
    return Solid((top - 22, y + 2, 0), (5, 5, 8), (17, 0, 17), 2.5), Solid((top - 95, y, 0), (5, 5, 7), (46, 0, 9), 2.5)


def _shoulder(anatomy: Anatomy, side: int) -> list[Tubes]:
    """Return the collar bone and the shoulder blade of one side."""
    top, depth = anatomy.apex, anatomy.chest_depth
    collar = path(
        [(top - 30, -depth - 4, 22 * side), (top - 8, -depth + 12, 70 * side), (top + 8, -depth + 52, 130 * side)],
        (6, 5, 5.5),
    )
    blade = []
    for k in range(9):
        z = top + 6 - 14 * k
        inner, outer = 62 + 2.5 * k, 118 - 5.0 * k
        xs = np.linspace(inner, max(inner + 6, outer), 5)
        ys = depth + 16 - 22 * ((xs - 62) / 70) ** 2
        blade.append(path([(z, y, side * x) for x, y in zip(xs, ys, strict=True)], (3.6, 2.6, 2.6, 2.6, 4.6)))
    return [collar, *blade, path([(top - 20, depth + 16, 66 * side), (top + 2, depth - 8, 140 * side)], (4, 6))]
