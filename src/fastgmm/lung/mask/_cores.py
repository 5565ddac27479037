"""Steps 6 and 7 of the default preset: which air is right lung, left lung, and gas that is no lung."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import WORD_BITS, PackedMask, count_bits
from fastgmm._types import AnyArray, BoolArray
from fastgmm.lung.mask._shadow import shadow
from fastgmm.lung.mask._thorax import Thorax, n_common, no_voxels
from fastgmm.lung.settings import DefaultMaskSettings
from fastgmm.volume import (
    binary_dilation_ball,
    binary_erosion_ball,
    component_table,
    filter_components,
    geodesic_flood,
    separate_components,
)


@dataclass(frozen=True)
class Core:
    """A piece of the eroded air: its mask, its record of the component table, whether it is as dark as gas."""

    mask: PackedMask
    record: AnyArray
    is_dark: bool

    @property
    def x(self) -> float:
        """The middle of its box."""
        return float(self.record["x0"] + self.record["x1"] - 1) / 2


@dataclass
class Cores:
    """The cores of the lungs at the depth that separates them, the air down to there, and the gas of any depth."""

    gas: PackedMask
    middle: float
    separated: bool = False
    lungs: list[Core] = field(default_factory=list)
    levels: list[PackedMask] = field(default_factory=list)
    has_dark_lung: bool = False

    def forget_masks(self) -> None:
        """Keep no more than what was found out."""
        self.lungs.clear()
        self.levels.clear()


@dataclass(frozen=True)
class DarkAir:
    """Where a volume is darker than lung: masks below the two HU that tell gas."""

    below_median: PackedMask
    below_share: PackedMask


def find_cores(thorax: Thorax, air: PackedMask, dark: DarkAir, middle: float) -> Cores:
    """Erode deeper and deeper: the first depth with two lungs separates them, all depths are searched for gas.

    Without such a depth the cores are those of the deepest that leaves a fair share of the air.
    """
    cores = Cores(no_voxels(air.shape, air), middle)
    least = thorax.numbers.min_core_share * air.count()
    may_hold_gas = _has_dark_clump(thorax, air, dark)
    for depth_mm in thorax.numbers.core_depths_mm:
        if cores.separated and not may_hold_gas:
            break
        eroded = binary_erosion_ball(air, thorax.radius(depth_mm), **thorax.kernels) if depth_mm else air
        lungs = _without_gas(thorax, _cores_of(thorax, eroded, dark), cores)
        if cores.separated or sum(int(core.record["n_voxels"]) for core in lungs) < least:
            continue
        cores.levels.append(eroded)
        cores.lungs = lungs
        cores.separated = _are_two_lungs(lungs, thorax, middle)
    return cores


def _has_dark_clump(thorax: Thorax, air: PackedMask, dark: DarkAir) -> bool:
    """Whether some dark air hangs together; in a core of gas more than half the voxels are dark, so most of them do."""
    numbers = thorax.numbers
    table = component_table(air & dark.below_share, **thorax.kernels)
    least_ml = numbers.min_core_ml * numbers.gas_share / 2
    return bool(table.size and table["n_voxels"].max() * thorax.voxel_ml >= least_ml)


def _cores_of(thorax: Thorax, eroded: PackedMask, dark: DarkAir) -> list[Core]:
    """Return the pieces of some size, the largest first."""
    numbers = thorax.numbers
    records: list[AnyArray] = []

    def large(table: AnyArray) -> BoolArray:
        chosen: BoolArray = table["n_voxels"] * thorax.voxel_ml >= numbers.min_core_ml
        records.append(table[chosen])
        return chosen

    cores = []
    for mask, record in zip(separate_components(eroded, large, **thorax.kernels), records[0], strict=True):
        n_voxels = int(record["n_voxels"])
        is_dark = (
            n_common(mask, dark.below_median) > 0.5 * n_voxels
            and n_common(mask, dark.below_share) > numbers.gas_share * n_voxels
        )
        cores.append(Core(mask, record, is_dark))
    return sorted(cores, key=lambda core: -int(core.record["n_voxels"]))


def _without_gas(thorax: Thorax, found: list[Core], cores: Cores) -> list[Core]:
    """Return the cores that are lung; the others go to the gas."""
    lungs = [core for core in found if not core.is_dark]
    rest = no_voxels(cores.gas.shape, cores.gas)
    for core in lungs:
        np.bitwise_or(rest.words, core.mask.words, out=rest.words)
    for core in found:
        if not core.is_dark:
            continue
        if _is_inside_lung(core.mask, rest, thorax):
            cores.has_dark_lung = True
            lungs.append(core)
        else:
            np.bitwise_or(cores.gas.words, core.mask.words, out=cores.gas.words)
    lungs.sort(key=lambda core: -int(core.record["n_voxels"]))
    return lungs


def _is_inside_lung(core: PackedMask, rest: PackedMask, thorax: Thorax) -> bool:
    """Whether dark air is a bulla or a pneumothorax: above the diaphragm, with lung under it or behind it.

    Gas of stomach and bowel lies under the dome of the diaphragm: it has no lung below, and lung above rather than
    behind.
    """
    numbers = thorax.numbers
    n_voxels = core.count()
    below = shadow(rest.words, axis=0)
    if _share(core, below, n_voxels) >= numbers.gas_max_lung_below:
        return True
    above = shadow(rest.words[::-1], axis=0)[::-1]
    behind = shadow(rest.words[:, ::-1], axis=1)[:, ::-1]
    return _share(core, above, n_voxels) < 0.5 <= _share(core, behind, n_voxels)


def _share(core: PackedMask, words: AnyArray, n_voxels: int) -> float:
    return count_bits(core.words & words) / n_voxels


def _are_two_lungs(lungs: list[Core], thorax: Thorax, middle: float) -> bool:
    """Whether the cores are those of two lungs of like size, side by side.

    None may hold both lungs still; then either the two largest are alike or those of each side together.
    """
    numbers = thorax.numbers
    width = max(int(core.record["x1"]) for core in lungs) - min(int(core.record["x0"]) for core in lungs)
    reach = numbers.max_crossing_share * width
    if any(min(core.record["x1"] - middle, middle - core.record["x0"]) >= reach for core in lungs):
        return False
    sides = [[core for core in lungs if (core.x > middle) == is_left] for is_left in (False, True)]
    return _are_alike(lungs[:1], lungs[1:2], numbers, width) or _are_alike(sides[0], sides[1], numbers, width)


def _are_alike(first: list[Core], second: list[Core], numbers: DefaultMaskSettings, width: int) -> bool:
    """Whether two groups of cores, the largest first in each, are of like size and lie apart in x."""
    if not first or not second:
        return False
    sizes = sorted(sum(int(core.record["n_voxels"]) for core in group) for group in (first, second))
    apart = abs(first[0].x - second[0].x)
    return sizes[0] >= numbers.min_second_lung * sizes[1] and apart >= numbers.min_lateral_share * width


def assign(thorax: Thorax, air: PackedMask, cores: Cores) -> tuple[PackedMask, PackedMask, PackedMask]:
    """Return the air of the right lung, of the left lung, and the gas with a margin.

    From the depth that separates the lungs up to the surface, each voxel of a level goes to the nearest part of the
    level below without leaving the air: so the parts meet at the narrowest place. Pieces without any core go by the
    side of the body they lie on.
    """
    kernels = thorax.kernels
    parts = [*_seeds(thorax, cores), cores.gas]
    for level in (*cores.levels[-2:0:-1], air):
        parts = geodesic_flood(level | cores.gas, parts, **kernels)
    right, left, gas = parts
    for core in _unreached(thorax, air - right - left - gas):
        if core.x > cores.middle:
            left = left | core.mask
        else:
            right = right | core.mask
    if gas.words.any():
        gas = binary_dilation_ball(gas, thorax.radius(thorax.numbers.gas_margin_mm), **kernels)
        right, left = right - gas, left - gas

    def large(table: AnyArray) -> BoolArray:
        chosen: BoolArray = table["n_voxels"] * thorax.voxel_ml >= thorax.numbers.min_core_ml
        return chosen

    return filter_components(right, large, **kernels), filter_components(left, large, **kernels), gas


def _seeds(thorax: Thorax, cores: Cores) -> list[PackedMask]:
    """Return the cores of the right and of the left lung."""
    if not cores.separated:
        return _split(thorax, cores) or _by_side(cores, cores.lungs[:1])
    return _by_side(cores, cores.lungs)


def _by_side(cores: Cores, lungs: list[Core]) -> list[PackedMask]:
    """Give each core to the side it lies on; the two largest, if there are two, to different ones."""
    middle = cores.middle
    if len(lungs) > 1 and (lungs[0].x - middle) * (lungs[1].x - middle) >= 0:
        middle = (lungs[0].x + lungs[1].x) / 2
    seeds = [no_voxels(cores.gas.shape, cores.gas), no_voxels(cores.gas.shape, cores.gas)]
    for core in lungs:
        side = seeds[int(core.x > middle)]
        np.bitwise_or(side.words, (core.mask - cores.gas).words, out=side.words)
    return seeds


def _split(thorax: Thorax, cores: Cores) -> list[PackedMask] | None:
    """Return what lies right and left of a gap in the middle of the body, None unless both sides have enough."""
    gap = thorax.numbers.split_gap_mm / thorax.spacing_mm[2]
    x = np.arange(WORD_BITS * cores.gas.words.shape[2])
    whole = no_voxels(cores.gas.shape, cores.gas)
    for core in cores.lungs:
        np.bitwise_or(whole.words, core.mask.words, out=whole.words)
    halves = []
    for chosen in (x < cores.middle - gap, x > cores.middle + gap):
        half = whole - cores.gas
        half.words &= array_module(half.words).asarray(np.packbits(chosen, bitorder="little").view(np.uint64))
        halves.append(half)
    sizes = sorted(half.count() for half in halves)
    return halves if sizes[0] >= thorax.numbers.min_second_lung * sizes[1] else None


def _unreached(thorax: Thorax, rest: PackedMask) -> list[Core]:
    """Return pieces of air that hold no core, if any of some size."""
    if not rest.words.any():
        return []
    nothing = no_voxels(rest.shape, rest)
    return _cores_of(thorax, rest, DarkAir(nothing, nothing))
