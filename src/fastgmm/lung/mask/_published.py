"""The lung mask of the published scripts, voxel for voxel, with what their code does beside the paper's text.

Quirks kept, each with a test: the component with the highest number is never looked at; the box around the lungs loses
its last slice, row and column; the script stops where the grown box leaves the image.
"""

from __future__ import annotations

import numpy as np

from fastgmm._packed_mask import WORD_BITS, PackedMask, words_per_row
from fastgmm._types import AnyArray, BoolArray
from fastgmm.errors import LungNotFoundError
from fastgmm.lung.mask._not_found import describe_components, not_found, too_small_for
from fastgmm.lung.settings import LungSettings, PublishedMaskSettings
from fastgmm.volume import binary_closing_ball, binary_opening, filter_components, threshold_below


def published_mask(
    volume: AnyArray,
    spacing_mm: tuple[float, float, float],
    settings: LungSettings,
    air: PackedMask | None,
    *,
    backend: str,
    n_jobs: int | None,
) -> tuple[PackedMask, tuple[str, ...]]:
    """Return the mask and the warnings; arguments as for `segment_lungs`, checked."""
    numbers = settings.mask
    assert isinstance(numbers, PublishedMaskSettings)
    if air is None:
        air = threshold_below(volume, settings.air_below_hu, backend=backend, n_jobs=n_jobs)
    opened = binary_opening(air, numbers.opening_iterations, backend=backend, n_jobs=n_jobs)
    rules = _Rules(numbers)
    lungs = filter_components(opened, rules, backend=backend, n_jobs=n_jobs)
    if not rules.kept.size:
        if not rules.table.size:
            raise too_small_for(air, settings.air_below_hu, numbers.opening_iterations)
        raise not_found(describe_components(rules.table, rules.dropped_by, spacing_mm))
    box = _box(rules.kept)
    _check_margin(box, volume.shape, numbers.box_margin_voxels)
    closed = _close_in_box(lungs, box, numbers, backend, n_jobs)
    n_closed = closed.count()
    if n_closed <= numbers.min_closed_voxels:
        raise LungNotFoundError(
            f"the closed lung mask must have more than {numbers.min_closed_voxels} voxels, got {n_closed}: the lungs "
            f"are in {box[1][0] - box[0][0]} of {volume.shape[0]} slices and the published preset loses the last one; "
            "give it a whole-thorax scan"
        )
    return closed, _spacing_warning(spacing_mm[0], numbers)


class _Rules:
    """Which components are lung; keeps the table and the answer for error texts and for the box."""

    def __init__(self, numbers: PublishedMaskSettings) -> None:
        self.numbers = numbers
        self.table: AnyArray = np.empty(0)
        self.kept: AnyArray = np.empty(0)
        self.dropped_by: list[tuple[str, BoolArray]] = []

    def __call__(self, table: AnyArray) -> BoolArray:
        self.table = table
        small = table["n_voxels"] < self.numbers.min_component_voxels
        at_border = (table["c_y0"] + table["c_y1"] + table["c_x0"] + table["c_x1"]) > 0
        # The script's loop runs over range(n) although labels go up to n.
        last = np.arange(1, table.size + 1) == table.size
        self.dropped_by = [
            (f"smaller than {self.numbers.min_component_voxels} voxels", small),
            ("touches the image border in y or x", at_border),
            ("has the highest component number, which the published script never looks at", last),
        ]
        keep: BoolArray = ~(small | at_border | last)
        self.kept = table[keep]
        return keep


Box = tuple[tuple[int, int, int], tuple[int, int, int]]


def _box(kept: AnyArray) -> Box:
    """Return the first voxel and the exclusive end of the box around all components kept."""
    first = tuple(int(kept[name].min()) for name in ("z0", "y0", "x0"))
    end = tuple(int(kept[name].max()) for name in ("z1", "y1", "x1"))
    return (first[0], first[1], first[2]), (end[0], end[1], end[2])


def _check_margin(box: Box, shape: tuple[int, ...], margin: int) -> None:
    """Raise where the script's assertion fails: the grown box leaves the image."""
    for axis, name in ((1, "y"), (2, "x")):
        before, after = box[0][axis], shape[axis] - box[1][axis]
        if min(before, after) < margin:
            raise LungNotFoundError(
                f"the lungs must stay {margin} voxels or more from the image border in y and x for the published "
                f"preset, got {before} before and {after} after them along {name}, where the published script stops; "
                "give it a scan with more room around the lungs"
            )


def _close_in_box(
    lungs: PackedMask, box: Box, numbers: PublishedMaskSettings, backend: str, n_jobs: int | None
) -> PackedMask:
    """Close the part of the mask that the script's crop keeps.

    The crop's ends are the last indices of the grown box, taken as exclusive. In z, where the box is not grown, that
    cuts the last slice of the lungs. In y and x it cuts an empty row and column: a closing with a ball never leaves the
    box of what it closes, so the margin does not matter and is not looked at here.
    """
    (z0, y0, x0), (z1, y1, x1) = box
    part = _crop(lungs, (z0, y0, x0), (z1 - 1, y1, x1))
    for radius in numbers.closing_radii_voxels:
        part = binary_closing_ball(part, radius, backend=backend, n_jobs=n_jobs)
    closed = PackedMask.empty(lungs.shape, lungs.words)
    closed.words[...] = 0
    w0 = x0 // WORD_BITS
    closed.words[z0 : z1 - 1, y0:y1, w0 : w0 + part.words.shape[2]] = part.words
    return closed


def _crop(mask: PackedMask, first: tuple[int, int, int], end: tuple[int, int, int]) -> PackedMask:
    """Return the voxels of a box that is widened in x to whole words."""
    (z0, y0, x0), (z1, y1, x1) = first, end
    w0, w1 = x0 // WORD_BITS, words_per_row(x1)
    nx = min(mask.shape[2], w1 * WORD_BITS) - w0 * WORD_BITS
    part = PackedMask.empty((z1 - z0, y1 - y0, nx), mask.words)
    part.words[...] = mask.words[z0:z1, y0:y1, w0:w1]
    return part


def _spacing_warning(slice_spacing_mm: float, numbers: PublishedMaskSettings) -> tuple[str, ...]:
    low, high = numbers.slice_spacing_mm
    # Headers carry rounding: 1.0 mm may be stored as 1.0000001.
    if low * 0.999 <= slice_spacing_mm <= high * 1.001:
        return ()
    return (
        f"slice_spacing: slices are {slice_spacing_mm:g} mm apart, the published preset's sizes in voxels were meant "
        f"for {low:g}-{high:g} mm",
    )
