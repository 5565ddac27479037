"""The compiled backend: makes outputs and calls `fastgmm._core`; one file per family."""

from __future__ import annotations

from fastgmm import _core
from fastgmm.backends._cpp.components import component_table, filter_components, label_components
from fastgmm.backends._cpp.em import em_assign, em_histogram, em_moments, em_step

simd_level = _core.simd_level

__all__ = [
    "component_table",
    "em_assign",
    "em_histogram",
    "em_moments",
    "em_step",
    "filter_components",
    "label_components",
    "simd_level",
]
