"""Step 10 of the default preset: what a reader should know before trusting the lungs."""

from __future__ import annotations

from typing import NamedTuple

from fastgmm._packed_mask import PackedMask
from fastgmm.lung.mask._cores import Cores
from fastgmm.lung.mask._thorax import Thorax, n_common


class Found(NamedTuple):
    """The lungs in the view of the thorax, together and apart, and how they were found."""

    lungs: PackedMask
    right: PackedMask
    left: PackedMask
    cores: Cores
    touch_border: bool
    has_airway: bool
    obliquity_degrees: float


def quality_warnings(thorax: Thorax, found: Found) -> tuple[str, ...]:
    """Return one sentence, with a code in front, for each thing that is out of the ordinary."""
    numbers = thorax.numbers
    right_ml, left_ml = (lung.count() * thorax.voxel_ml for lung in (found.right, found.left))
    total_ml = right_ml + left_ml
    dense = 1 - n_common(found.lungs, thorax.below(thorax.air_below_hu)) * (thorax.voxel_ml / total_ml)
    notes = [
        (
            found.obliquity_degrees > numbers.max_obliquity_degrees,
            f"oblique: the axes lie {found.obliquity_degrees:.0f} degrees off those of the body",
        ),
        (found.touch_border, "lung_cut_by_field_of_view: air of the lungs touches the border of the field of view"),
        (not found.has_airway, "no_airway_found: no trachea was seen, so airways may be part of the mask"),
        (
            found.cores.has_dark_lung,
            "dark_air_in_lung: air as dark as gas within the lungs (bulla or pneumothorax) is part of the mask",
        ),
    ]
    notes += _side_notes(right_ml, left_ml, found, numbers.left_right_ratio)
    low, high = numbers.total_litres
    notes += [
        (
            not low <= total_ml / 1000 <= high,
            f"lung_volume: the lungs have {total_ml / 1000:.2f} l, usual is {low:g}-{high:g} l",
        ),
        (
            dense > numbers.max_dense_share,
            f"dense_mask: {100 * dense:.0f} % of the mask is {thorax.air_below_hu} HU or more",
        ),
        (
            any(bool(lung.words[end].any()) for lung in (found.right, found.left) for end in (0, -1)),
            "lung_touches_end: the lungs reach the first or the last slice, so the scan may not hold all of them",
        ),
    ]
    return tuple(text for applies, text in notes if applies)


def _side_notes(
    right_ml: float, left_ml: float, found: Found, usual_ratio: tuple[float, float]
) -> list[tuple[bool, str]]:
    """Return what is to be said of the two sides, each with whether it applies."""
    if min(right_ml, left_ml) == 0:
        return [(True, f"one_lung: only a {'left' if right_ml == 0 else 'right'} lung was found")]
    ratio = left_ml / right_ml
    low, high = usual_ratio
    return [
        (not found.cores.separated, "lungs_not_separated: right and left were told apart by position only"),
        (not low <= ratio <= high, f"left_right_ratio: left to right lung is {ratio:.2f}, usual is {low:g}-{high:g}"),
    ]
