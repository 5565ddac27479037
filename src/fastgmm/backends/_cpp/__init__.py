"""The compiled backend: makes outputs and calls `fastgmm._core`; one file per family."""

from __future__ import annotations

from fastgmm import _core
from fastgmm.backends._cpp.components import (
    component_table,
    filter_components,
    label_components,
    separate_components,
)
from fastgmm.backends._cpp.em import (
    em_assign,
    em_histogram,
    em_histogram_batch,
    em_label_moments,
    em_moments,
    em_step,
    kmeans_approach,
    kmeans_potentials,
    kmeans_step,
)
from fastgmm.backends._cpp.flood import geodesic_flood, grow_region
from fastgmm.backends._cpp.histogram import apply_table, histogram, label_values, threshold_below
from fastgmm.backends._cpp.labels import keep_within, number_masks
from fastgmm.backends._cpp.median import median_filter
from fastgmm.backends._cpp.morphology import (
    binary_closing_ball,
    binary_dilation_ball,
    binary_erosion_ball,
    binary_opening,
    binary_opening_ball,
)

simd_level = _core.simd_level

__all__ = [
    "apply_table",
    "binary_closing_ball",
    "binary_dilation_ball",
    "binary_erosion_ball",
    "binary_opening",
    "binary_opening_ball",
    "component_table",
    "em_assign",
    "em_histogram",
    "em_histogram_batch",
    "em_label_moments",
    "em_moments",
    "em_step",
    "filter_components",
    "geodesic_flood",
    "grow_region",
    "histogram",
    "keep_within",
    "kmeans_approach",
    "kmeans_potentials",
    "kmeans_step",
    "label_components",
    "label_values",
    "median_filter",
    "number_masks",
    "separate_components",
    "simd_level",
    "threshold_below",
]
