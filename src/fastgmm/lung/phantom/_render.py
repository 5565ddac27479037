"""One person, and the painting of a slab of slices with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastgmm._types import BoolArray, Shape3, UInt8Array
from fastgmm.lung.phantom._airways import BRONCHUS_WALL, LUMEN_HU, VESSEL_HU, WALL_HU, Tree, build_tree
from fastgmm.lung.phantom._anatomy import Anatomy, draw_anatomy
from fastgmm.lung.phantom._body import paint_organs, paint_wall
from fastgmm.lung.phantom._bones import Bones, build_bones, paint_bones
from fastgmm.lung.phantom._gas import Gas, build_gas, paint_gas
from fastgmm.lung.phantom._grid import Block, Float32Array, Window
from fastgmm.lung.phantom._lungs import left_of_junction, lung_depth, points_in_lungs
from fastgmm.lung.phantom._outside import paint_outside
from fastgmm.lung.phantom._shapes import blend, coverage
from fastgmm.lung.phantom._tissue import AIR, OTHER, Parenchyma, build_parenchyma, draw_parenchyma
from fastgmm.lung.phantom._tubes import draw_tubes

RIGHT_LUNG, LEFT_LUNG = np.uint8(1), np.uint8(2)


@dataclass(frozen=True)
class ThoraxTruth:
    """What every voxel's centre lies in, set by geometry.

    Attributes
    ----------
    lungs : ndarray of shape (nz, ny, nx), dtype uint8
        1 right lung, 2 left lung, with their vessels, bronchi and lesions; 0 elsewhere.
    airways : ndarray of shape (nz, ny, nx), dtype bool
        Lumen of trachea and main bronchi, not part of the lungs.
    gas : ndarray of shape (nz, ny, nx), dtype bool
        Gas in stomach, bowel and oesophagus.
    tissue : ndarray of shape (nz, ny, nx), dtype uint8
        In the lungs 1 air, 2 healthy, 3 ground glass, 4 consolidation, 5 other dense tissue; 0 elsewhere.
    """

    lungs: UInt8Array
    airways: BoolArray
    gas: BoolArray
    tissue: UInt8Array

    @classmethod
    def empty(cls, shape: Shape3) -> ThoraxTruth:
        """Return a truth of nothing at all."""
        lungs, tissue = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        return cls(lungs, np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), tissue)

    def part(self, where: slice | Window) -> ThoraxTruth:
        """Return views of a part."""
        return ThoraxTruth(self.lungs[where], self.airways[where], self.gas[where], self.tissue[where])


@dataclass(frozen=True)
class Person:
    """Everything that is drawn from the seed before the first voxel."""

    anatomy: Anatomy
    bones: Bones
    gas: Gas
    tree: Tree
    parenchyma: Parenchyma


def draw_person(seed: int) -> Person:
    """Draw one person."""
    body, belly, tree, tissue = np.random.default_rng(seed).spawn(4)
    anatomy = draw_anatomy(body)
    points = points_in_lungs(anatomy, body)
    return Person(
        anatomy,
        build_bones(anatomy),
        build_gas(anatomy, belly),
        build_tree(anatomy, points, tree),
        build_parenchyma(anatomy, points, tissue),
    )


def paint_slab(person: Person, slab: Block, truth: ThoraxTruth) -> Float32Array:
    """Return the noiseless slab in HU and fill its truth, which comes zeroed."""
    anatomy = person.anatomy
    slice_ = Block(slab.z[:1], slab.y, slab.x, slab.spacing_mm)
    same = np.empty(slice_.shape, np.float32)
    paint_outside(same, anatomy, slice_)
    paint_wall(same, anatomy, slice_)
    hu = np.repeat(same, slab.z.size, axis=0)
    skin = anatomy.skin()
    body, where = slab.window(skin.low(), skin.high())
    if 0 in body.shape:
        return hu
    inner, truth = hu[where], truth.part(where)
    paint_organs(inner, anatomy, person.gas.stomach, body)
    paint_bones(inner, person.bones, body)
    chest = anatomy.chest()
    lungs, at = body.window(chest.low(), chest.high())
    if 0 not in lungs.shape:
        _paint_lungs(inner[at], person, lungs, truth.part(at))
    _paint_airways(inner, person.tree, body, truth)
    truth.gas[...] = paint_gas(inner, person.gas, anatomy, body)
    return hu


def _paint_lungs(hu: Float32Array, person: Person, block: Block, truth: ThoraxTruth) -> None:
    anatomy, tree = person.anatomy, person.tree
    depth = lung_depth(anatomy, block)
    parenchyma_hu, tissue = draw_parenchyma(person.parenchyma, block)
    lung_covered = coverage(depth)
    blend(hu, lung_covered, parenchyma_hu)
    covered, inside = draw_tubes(tree.vessels, block)
    blend(hu, covered, VESSEL_HU)
    tissue[inside] = OTHER
    # Bronchi stay in the lungs, whatever lies on their way: vessels may cross the mediastinum, air may not.
    for tubes, value, label in (
        (tree.bronchi.scaled(1 + BRONCHUS_WALL), WALL_HU, OTHER),
        (tree.bronchi, LUMEN_HU, AIR),
    ):
        covered, inside = draw_tubes(tubes, block)
        blend(hu, covered * lung_covered, value)
        tissue[inside] = label
    lung = depth > 0
    truth.lungs[...] = lung * np.where(left_of_junction(anatomy, block) > 0, LEFT_LUNG, RIGHT_LUNG)
    truth.tissue[...] = lung * tissue


def _paint_airways(hu: Float32Array, tree: Tree, block: Block, truth: ThoraxTruth) -> None:
    low, high = tree.main_wall.boxes()
    block, where = block.window(low.min(axis=0), high.max(axis=0))
    if 0 in block.shape:
        return
    hu, truth = hu[where], truth.part(where)
    covered, inside = draw_tubes(tree.main_wall, block)
    blend(hu, covered, WALL_HU)
    truth.tissue[inside & (truth.lungs > 0)] = OTHER
    covered, inside = draw_tubes(tree.main_lumen, block)
    blend(hu, covered, LUMEN_HU)
    truth.airways[...] = inside
    truth.lungs[inside] = 0
    truth.tissue[inside] = 0
