"""The default preset: lungs on any whole-thorax CT, in millimetres and whatever the orientation.

The steps are numbered as in docs/method.md; each has its file. All masks are packed bits; the volume is read for
thresholds only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastgmm._arrays import to_host
from fastgmm._packed_mask import WORD_BITS, PackedMask
from fastgmm._types import AnyArray, BoolArray
from fastgmm.lung.mask._airway import find_airway
from fastgmm.lung.mask._candidates import find_candidates, refusal
from fastgmm.lung.mask._cores import Cores, DarkAir, assign, find_cores
from fastgmm.lung.mask._quality import Found, quality_warnings
from fastgmm.lung.mask._thorax import Box, Thorax, no_voxels
from fastgmm.lung.mask._view import view_of
from fastgmm.lung.settings import LungSettings
from fastgmm.volume import (
    binary_closing_ball,
    binary_dilation_ball,
    binary_erosion_ball,
    component_table,
    fill_holes,
)


class DefaultLungs(NamedTuple):
    """Both lungs, the right and the left one, and the airway as masks in the stored order, and the warnings."""

    lungs: PackedMask
    right: PackedMask
    left: PackedMask
    airway: PackedMask
    warnings: tuple[str, ...]


def default_lungs(
    volume: AnyArray,
    spacing_mm: tuple[float, float, float],
    settings: LungSettings,
    direction: AnyArray,
    stored_air: PackedMask | None,
    kernels: dict[str, Any],
) -> DefaultLungs:
    """Find the lungs; arguments as for `segment_lungs`, checked."""
    view = view_of(direction)
    thorax = Thorax(
        view.turn(volume), view.turn_triple(spacing_mm), settings.air_below_hu, settings.default_mask(), kernels
    )
    if stored_air is not None and view.is_stored_order:
        thorax.give_air(stored_air)
    steps = _find(thorax)
    right, left = steps.box.paste(steps.right), steps.box.paste(steps.left)
    lungs = right | left
    airways = no_voxels(right.shape, right) if steps.airway is None else steps.airway - lungs
    warnings = quality_warnings(
        thorax,
        Found(lungs, right, left, steps.cores, steps.touch_border, steps.airway is not None, view.obliquity_degrees),
    )
    lungs, right, left, airways = map(view.turn_back, (lungs, right, left, airways))
    return DefaultLungs(lungs, right, left, airways, warnings)


class _Steps(NamedTuple):
    """The lungs in their box, and what the steps before them found; all other masks are out of memory by then."""

    box: Box
    right: PackedMask
    left: PackedMask
    airway: PackedMask | None
    cores: Cores
    touch_border: bool


def _find(thorax: Thorax) -> _Steps:
    """Take steps 2 to 9."""
    candidates = find_candidates(thorax)
    air = candidates.mask
    airway = find_airway(thorax, air)
    box = Box.around(candidates.table, air.shape)
    wall = no_voxels(box.shape, air) if airway is None else box.cut(airway)
    inside = box.cut(air) - wall
    middle = _middle(thorax, airway) - WORD_BITS * int(box.words.start)
    cores = find_cores(thorax, inside, _dark_air(thorax, box), middle)
    if not cores.lungs:
        raise refusal(candidates, thorax, "as dark as gas, with no lung above the diaphragm")
    touch_border = candidates.touch_border
    del candidates  # their masks are of the whole volume
    right, left = _grown(thorax, inside, cores, wall)
    rim = _rim(thorax, right | left, box)
    return _Steps(box, right - rim, left - rim, airway, cores, touch_border)


def _dark_air(thorax: Thorax, box: Box) -> DarkAir:
    """Return where the volume is as dark as gas."""
    numbers = thorax.numbers
    return DarkAir(
        box.cut(thorax.below(numbers.gas_median_below_hu)), box.cut(thorax.below(numbers.gas_share_below_hu))
    )


def _middle(thorax: Thorax, airway: PackedMask | None) -> float:
    """Return the mean x of the airway or, without one, of what is not air in some slices."""
    if airway is not None:
        box = Box.around(component_table(airway, **thorax.kernels), airway.shape)
        return _mean_x(box.cut(airway).to_array()) + WORD_BITS * int(box.words.start)
    step = max(1, thorax.volume.shape[0] // 16)
    return _mean_x(thorax.volume[::step] >= thorax.air_below_hu)


def _mean_x(inside: BoolArray) -> float:
    """Return the mean x of the voxels that are set, the middle if there are none."""
    per_column = to_host(inside.sum(axis=(0, 1), dtype=np.int64))
    total, nx = int(per_column.sum()), per_column.size
    return float((per_column * np.arange(nx)).sum() / total) if total else (nx - 1) / 2


def _grown(thorax: Thorax, inside: PackedMask, cores: Cores, wall: PackedMask) -> tuple[PackedMask, PackedMask]:
    """Return right and left lung, closed and apart from each other, from airway and gas."""
    right, left, gas = assign(thorax, inside, cores)
    cores.forget_masks()
    closed_right = _closed(thorax, right) - wall - gas - left
    closed_left = _closed(thorax, left) - wall - gas - right
    return closed_right, closed_left - closed_right


def _closed(thorax: Thorax, lung: PackedMask) -> PackedMask:
    """Close within the lung's box, which a closing never leaves, and fill holes."""
    table = component_table(lung, **thorax.kernels)
    if not table.size:
        return lung
    box = Box.around(table, lung.shape)
    closed = binary_closing_ball(box.cut(lung), thorax.radius(thorax.numbers.closing_mm), **thorax.kernels)
    return box.paste(fill_holes(closed, **thorax.kernels))


def _rim(thorax: Thorax, lungs: PackedMask, box: Box) -> PackedMask:
    """Return the air at the surface of the lungs that they fill to less than half, to a depth of some millimetres.

    With it the lungs are too large by half a voxel all around: an eighth of their volume at voxels of 4 mm. Only what
    touches aerated lung is taken for half filled, so that dense disease at the pleura stays.
    """
    numbers = thorax.numbers
    width = thorax.radius(numbers.rim_mm)
    half_filled = box.cut(thorax.below(thorax.air_below_hu)) - box.cut(thorax.below(numbers.half_filled_hu))
    aerated = lungs & box.cut(thorax.below(numbers.aerated_below_hu))
    inner = binary_erosion_ball(lungs, width, **thorax.kernels)
    rim: PackedMask = (half_filled - inner) & binary_dilation_ball(aerated, width, **thorax.kernels)
    return rim
