"""Exact kernels on 3-D arrays: masks as bits, components, morphology, medians, counts and look-up."""

from fastgmm._packed_mask import PackedMask
from fastgmm.volume._components import (
    component_table,
    filter_components,
    keep_components,
    label_components,
    separate_components,
)
from fastgmm.volume._flood import fill_holes, geodesic_flood, grow_region
from fastgmm.volume._histogram import apply_table, histogram, threshold_below
from fastgmm.volume._labels import number_masks
from fastgmm.volume._median import median_filter
from fastgmm.volume._morphology import (
    binary_closing_ball,
    binary_dilation_ball,
    binary_erosion_ball,
    binary_opening,
    binary_opening_ball,
)

__all__ = [
    "PackedMask",
    "apply_table",
    "binary_closing_ball",
    "binary_dilation_ball",
    "binary_erosion_ball",
    "binary_opening",
    "binary_opening_ball",
    "component_table",
    "fill_holes",
    "filter_components",
    "geodesic_flood",
    "grow_region",
    "histogram",
    "keep_components",
    "label_components",
    "median_filter",
    "number_masks",
    "separate_components",
    "threshold_below",
]
