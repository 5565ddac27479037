"""From the slices of a series to a volume's geometry: order by position, and refuse what is no regular stack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fastgmm._types import Float64Array, Int64Array
from fastgmm.io._dicom_slices import DicomSlice
from fastgmm.io._geometry import MAX_TILT_DEGREES, STRAIGHTEN, Placement, placement_xyz
from fastgmm.io._problems import scan_error

# Slice distances may differ from their median by this share of it without a word, and with a warning.
_SILENT_DEVIATION, _LARGEST_DEVIATION = 0.01, 0.10
# Slices nearer than this share of the largest step are at the same place.
_SAME_PLACE = 0.01
# How far the decimal strings of one series may differ: direction cosines, and pixel spacing relative.
_SAME_ORIENTATION, _SAME_SPACING = 1e-3, 1e-4
_MOST_NAMED = 4


@np.errstate(all="ignore")  # what is not finite in the end is refused as such
def stack_slices(path: Path, slices: Sequence[DicomSlice]) -> tuple[list[DicomSlice], Placement, tuple[str, ...]]:
    """Return the slices in rising order along their normal, the place of the volume, and warnings.

    Parameters
    ----------
    path : Path
        Folder, for the text of errors.
    slices : sequence of DicomSlice
        Of one series, in any order.
    """
    _check_alike(path, slices)
    axes = np.reshape(slices[0].orientation, (2, 3))
    x_axis, y_axis = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    normal = np.cross(x_axis, y_axis)
    positions = np.array([one.position for one in slices])
    along = positions @ normal
    order = np.lexsort((np.arange(len(slices)), along))
    ordered = [slices[i] for i in order]
    step, warnings = _step(path, ordered, along[order])
    _check_tilt(path, ordered, positions[order], normal)
    spacing = np.array([*slices[0].pixel_spacing_mm[::-1], step])
    direction = np.stack([x_axis, y_axis, normal], axis=1)
    return ordered, placement_xyz(path, spacing, direction, positions[order[0]]), warnings


def _check_alike(path: Path, slices: Sequence[DicomSlice]) -> None:
    """Raise if the slices differ in matrix, orientation or pixel spacing."""
    first = slices[0]
    for what, differs in (
        ("matrix size", lambda one: one.shape != first.shape),
        ("orientation", lambda one: _apart(one.orientation, first.orientation) > _SAME_ORIENTATION),
        (
            "pixel spacing",
            lambda one: (
                _apart(one.pixel_spacing_mm, first.pixel_spacing_mm) > _SAME_SPACING * max(first.pixel_spacing_mm)
            ),
        ),
    ):
        others = [one for one in slices if differs(one)]
        if others:
            got = f"{len(others)} of {len(slices)} slices unlike {first.name}: {_names(others)}"
            raise scan_error(
                path, f"one {what} in a series", got, "put the slices that belong together into one folder"
            )


def _step(path: Path, ordered: Sequence[DicomSlice], along: Float64Array) -> tuple[float, tuple[str, ...]]:
    """Return the median distance of neighbouring slices, and a warning where distances vary."""
    if len(ordered) == 1:
        step = ordered[0].slice_distance_mm or ordered[0].thickness_mm
        if not step:
            raise scan_error(path, "at least two slices", "one without SliceThickness", "give the whole series")
        return step, ()
    steps = np.diff(along)
    _check_no_duplicates(path, ordered, steps)
    median = float(np.median(steps))
    deviation = np.abs(steps - median) / median
    worst = float(deviation.max())
    if worst > _LARGEST_DEVIATION:
        wrong = np.flatnonzero(deviation > _LARGEST_DEVIATION)
        kind = "a gap" if steps[wrong].max() > median else "slices too near each other"
        got = f"{kind}: {_pairs(ordered, wrong, steps)}"
        raise scan_error(
            path, f"slices {median:.4g} mm apart", got, "complete the series, or give its parts one by one"
        )
    if worst > _SILENT_DEVIATION + 1e-9:
        return median, (f"slice distances vary by up to {worst:.1%} around {median:.4g} mm",)
    return median, ()


def _check_no_duplicates(path: Path, ordered: Sequence[DicomSlice], steps: Float64Array) -> None:
    same = np.flatnonzero(steps <= _SAME_PLACE * steps.max())
    if same.size:
        got = f"duplicates: {_pairs(ordered, same, steps)}"
        way_out = "remove copies, or put each phase of the examination into its own folder"
        raise scan_error(path, "one slice at each place", got, way_out)


def _check_tilt(path: Path, ordered: Sequence[DicomSlice], positions: Float64Array, normal: Float64Array) -> None:
    """Raise if the stack leans: it goes up along the table, while the slices lie across a tilted gantry."""
    tilt = max(abs(one.tilt_degrees) for one in ordered)
    if len(ordered) > 1:
        way = positions[-1] - positions[0]
        height = float(way @ normal)
        tilt = max(tilt, math.degrees(math.atan2(float(np.linalg.norm(way - height * normal)), height)))
        line = positions[0] + ((positions - positions[0]) @ normal / height)[:, None] * way
        aside = np.linalg.norm(positions - line, axis=1)
        if tilt <= MAX_TILT_DEGREES and aside.max() > min(ordered[0].pixel_spacing_mm) / 2:
            got = f"{ordered[int(aside.argmax())].name} {aside.max():.3g} mm aside"
            raise scan_error(path, "slices straight above each other", got, STRAIGHTEN)
    if tilt > MAX_TILT_DEGREES:
        raise scan_error(path, f"a gantry tilt of at most {MAX_TILT_DEGREES} degrees", f"{tilt:.2f}", STRAIGHTEN)


def _apart(first: Sequence[float], second: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def _names(slices: Sequence[DicomSlice]) -> str:
    shown = ", ".join(one.name for one in slices[:_MOST_NAMED])
    return shown + (f" and {len(slices) - _MOST_NAMED} more" if len(slices) > _MOST_NAMED else "")


def _pairs(ordered: Sequence[DicomSlice], indices: Int64Array, steps: Float64Array) -> str:
    """Name the two slices around each of the given steps."""
    shown = [f"{ordered[i].name} and {ordered[i + 1].name} ({steps[i]:.4g} mm)" for i in indices[:_MOST_NAMED]]
    more = f" and {len(indices) - _MOST_NAMED} more" if len(indices) > _MOST_NAMED else ""
    return "between " + ", ".join(shown) + more
