"""The judge: every kernel in plain Python and NumPy, written from its definition and from nothing else."""

from fastgmm.backends._reference.components import (
    component_table,
    filter_components,
    label_components,
    separate_components,
)
from fastgmm.backends._reference.em import em_assign, em_histogram, em_histogram_batch, em_moments, em_step
from fastgmm.backends._reference.em_starts import (
    em_label_moments,
    kmeans_approach,
    kmeans_potentials,
    kmeans_step,
)
from fastgmm.backends._reference.flood import geodesic_flood, grow_region
from fastgmm.backends._reference.histogram import apply_table, histogram, label_values, threshold_below
from fastgmm.backends._reference.labels import keep_within, number_masks
from fastgmm.backends._reference.median import median_filter
from fastgmm.backends._reference.morphology import (
    binary_closing_ball,
    binary_dilation_ball,
    binary_erosion_ball,
    binary_opening,
    binary_opening_ball,
)

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
    "threshold_below",
]
