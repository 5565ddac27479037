"""One row of numbers per scan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from fastgmm._checks import check_mask, check_volume
from fastgmm._histogram import Histogram, PhasedHistogram
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray, Int64Array, UInt8Array
from fastgmm.lung.settings import (
    AIR_BELOW_HU,
    DENSITY_FLOOR_HU,
    LOW_ATTENUATION_BELOW_HU,
    N_CLASSES,
    PERCENTILE,
    LungSettings,
    PublishedMaskSettings,
    check_spacing,
)
from fastgmm.lung.tissue import CLASSES
from fastgmm.volume import histogram

Value = str | int | float | None
LIFormula = Literal["default", "sum"]

# What the column li_formula says for each choice.
LI_FORMULAS = {"default": "(ggo+consolidation)/(100-other)*100", "sum": "ggo+consolidation"}

MEASURE_COLUMNS = (
    "case",
    "lung_volume_ml",
    "aerated_volume_ml",
    *(f"{c.key}_{unit}" for c in CLASSES for unit in ("voxels", "ml", "percent")),
    "lung_involvement_percent",
    "li_formula",
    "mean_density_hu_mask",
    "mean_density_hu_aerated",
    "perc15_hu_aerated",
    "laa950_percent_aerated",
    "slice_thickness_mm",
    "kernel",
    "warnings",
    "reasons",
)
# What is also measured of the right and of the left lung where they are told apart, with "right_" or "left_" in front.
LUNG_COLUMNS = (
    "lung_volume_ml",
    "aerated_volume_ml",
    *(f"{c.key}_percent" for c in CLASSES),
    "lung_involvement_percent",
    "mean_density_hu_aerated",
    "perc15_hu_aerated",
    "laa950_percent_aerated",
)
SIDE_COLUMNS = tuple(f"{side}_{column}" for side in ("right", "left") for column in LUNG_COLUMNS)


def measure_columns(settings: LungSettings) -> tuple[str, ...]:
    """Return the columns that a run with these settings has: with those of each lung if it tells them apart."""
    if isinstance(settings.mask, PublishedMaskSettings):
        return MEASURE_COLUMNS
    return MEASURE_COLUMNS + SIDE_COLUMNS


def measure(
    volume: AnyArray,
    mask: PackedMask | BoolArray,
    labels: UInt8Array,
    *,
    spacing_mm: tuple[float, float, float],
    case: str,
    kernel: str | None = None,
    slice_thickness_mm: float | None = None,
    li_formula: LIFormula = "default",
    warnings: Sequence[str] = (),
    right: PackedMask | BoolArray | None = None,
    left: PackedMask | BoolArray | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> dict[str, Value]:
    """Measure the lungs of one scan.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), integers
        HU. Not modified.
    mask : PackedMask or bool ndarray of the same shape
        The lungs.
    labels : ndarray of the same shape, dtype uint8
        Tissue labels of the voxels (not their median map), 1..5 wherever the mask is set.
    spacing_mm : tuple of 3 floats
        Distance of voxel centres along (z, y, x) in mm.
    case : str
        Name of the scan.
    kernel : str, optional
        Reconstruction kernel, where the file states it.
    slice_thickness_mm : float, optional
        Where the file states it; else the distance of the slices is reported.
    li_formula : {"default", "sum"}
        Lung involvement from the shares in percent: "default" is (ggo + consolidation) / (100 - other) * 100, the share
        of lung tissue proper; "sum" is ggo + consolidation. The paper does not print its formula.
    warnings : sequence of str
        Passed on, joined by "; ".
    right, left : PackedMask or bool ndarray of the same shape, optional
        The right and the left lung, where they are told apart.

    Returns
    -------
    dict
        Keys `MEASURE_COLUMNS` in this order, then `SIDE_COLUMNS` if `right` and `left` are given. None where a value
        cannot be measured; `reasons` then says why, as "column:code" joined by "; ".

    Notes
    -----
    "aerated" are the voxels of the mask below -155 HU. Densities come from HU clamped only below -1024. LAA-950 is the
    share strictly below -950 HU; Perc15 the smallest HU whose cumulative share reaches 15 %.
    """
    volume = check_volume(volume)
    step_mm = check_spacing(spacing_mm)
    if li_formula not in LI_FORMULAS:
        raise ValueError(f"li_formula must be one of {', '.join(LI_FORMULAS)}, got {li_formula!r}")
    voxel_ml = math.prod(step_mm) / 1000
    whole = _measure_part(volume, mask, labels, voxel_ml, li_formula, backend, n_jobs)
    distance = step_mm[0] if volume.shape[0] > 1 else None
    row = _Row({"case": case})
    for column in MEASURE_COLUMNS[1:-4]:
        row.add(column, *whole[column])
    row.add("slice_thickness_mm", distance if slice_thickness_mm is None else float(slice_thickness_mm), "one_slice")
    row.add("kernel", kernel or None, "not_in_file")
    row.add("warnings", "; ".join(warnings))
    row.values["reasons"] = ""
    for side, part in (("right", right), ("left", left)):
        if part is not None:
            values = _measure_part(volume, part, labels, voxel_ml, li_formula, backend, n_jobs)
            for column in LUNG_COLUMNS:
                row.add(f"{side}_{column}", *values[column])
    row.values["reasons"] = "; ".join(row.reasons)
    return row.values


def _measure_part(
    volume: AnyArray,
    mask: PackedMask | BoolArray,
    labels: UInt8Array,
    voxel_ml: float,
    li_formula: str,
    backend: str,
    n_jobs: int | None,
) -> dict[str, tuple[Value, str]]:
    """Return the values of the lungs or of one of them, each with the reason if it is None."""
    packed = check_mask(mask, shape=volume.shape)
    hu = _Density(_plain(histogram(volume, packed, backend=backend, n_jobs=n_jobs)))
    n_voxels = _count_labels(labels, packed, backend, n_jobs)
    return {
        "lung_volume_ml": (hu.n * voxel_ml, ""),
        "aerated_volume_ml": (hu.n_aerated * voxel_ml, ""),
        **_tissue(n_voxels, voxel_ml, li_formula),
        "mean_density_hu_mask": (hu.mean(), "empty_mask"),
        "mean_density_hu_aerated": (hu.mean_aerated(), "no_aerated_voxel"),
        "perc15_hu_aerated": (hu.percentile_aerated(), "no_aerated_voxel"),
        "laa950_percent_aerated": (hu.low_attenuation_percent(), "no_aerated_voxel"),
    }


class _Row:
    """The values so far, and why some are None."""

    def __init__(self, values: dict[str, Value]) -> None:
        self.values = values
        self.reasons: list[str] = []

    def add(self, column: str, value: Value, reason_if_none: str = "") -> None:
        self.values[column] = value
        if value is None:
            self.reasons.append(f"{column}:{reason_if_none}")


class _Density:
    """Densitometry from the histogram of the mask."""

    def __init__(self, counted: Histogram) -> None:
        self.values = np.maximum(counted.values, DENSITY_FLOOR_HU)
        self.counts = counted.counts
        self.aerated = self.values < AIR_BELOW_HU
        self.n = int(self.counts.sum())
        self.n_aerated = int(self.counts[self.aerated].sum())

    def mean(self) -> float | None:
        return _mean(self.values, self.counts)

    def mean_aerated(self) -> float | None:
        return _mean(self.values[self.aerated], self.counts[self.aerated])

    def percentile_aerated(self) -> int | None:
        if not self.n_aerated:
            return None
        reached = 100 * np.cumsum(self.counts[self.aerated]) >= PERCENTILE * self.n_aerated
        return int(self.values[self.aerated][np.argmax(reached)])

    def low_attenuation_percent(self) -> float | None:
        if not self.n_aerated:
            return None
        return 100 * int(self.counts[self.values < LOW_ATTENUATION_BELOW_HU].sum()) / self.n_aerated


def _mean(values: Int64Array, counts: Int64Array) -> float | None:
    n = int(counts.sum())
    return int((values * counts).sum()) / n if n else None


def _count_labels(labels: UInt8Array, mask: PackedMask, backend: str, n_jobs: int | None) -> list[int]:
    """Return how many voxels of the mask have each of the labels 1..5."""
    counted = _plain(histogram(labels, mask, backend=backend, n_jobs=n_jobs))
    wrong = [int(value) for value in counted.values if not 1 <= value <= N_CLASSES]
    if wrong:
        raise ValueError(
            f"labels must be 1..{N_CLASSES} wherever the mask is set, got {wrong[0]}; make them with label_tissue from "
            "the same mask"
        )
    n_voxels = dict(zip(counted.values.tolist(), counted.counts.tolist(), strict=True))
    return [n_voxels.get(c.label, 0) for c in CLASSES]


def _tissue(n_voxels: list[int], voxel_ml: float, li_formula: str) -> dict[str, tuple[Value, str]]:
    total = sum(n_voxels)
    values: dict[str, tuple[Value, str]] = {}
    for tissue, n in zip(CLASSES, n_voxels, strict=True):
        values[f"{tissue.key}_voxels"] = n, ""
        values[f"{tissue.key}_ml"] = n * voxel_ml, ""
        values[f"{tissue.key}_percent"] = 100 * n / total if total else None, "empty_mask"
    _, _, ggo, consolidation, other = n_voxels
    whole = total if li_formula == "sum" else total - other
    involvement = 100 * (ggo + consolidation) / whole if whole else None
    values["lung_involvement_percent"] = involvement, "only_other_tissue" if total else "empty_mask"
    values["li_formula"] = LI_FORMULAS[li_formula], ""
    return values


def _plain(counted: Histogram | PhasedHistogram) -> Histogram:
    return counted.total() if isinstance(counted, PhasedHistogram) else counted
