"""The CUDA backend: makes outputs on the device and launches the kernels of `csrc/cuda`; one file per family.

Results are CuPy arrays, except tables of components and counts of values, which are small and NumPy's.
"""

import sys

from fastgmm.backends._cuda._device import compile_all, require_device

require_device()
_FAMILIES = ("components", "em", "flood", "histogram", "kmeans", "labels", "median", "morphology")

from fastgmm.backends._cuda.components import (  # noqa: E402
    component_table,
    filter_components,
    label_components,
    separate_components,
)
from fastgmm.backends._cuda.em import (  # noqa: E402
    em_assign,
    em_histogram,
    em_histogram_batch,
    em_label_moments,
    em_moments,
    em_step,
)
from fastgmm.backends._cuda.flood import geodesic_flood, grow_region  # noqa: E402
from fastgmm.backends._cuda.histogram import apply_table, histogram, label_values, threshold_below  # noqa: E402
from fastgmm.backends._cuda.kmeans import kmeans_approach, kmeans_potentials, kmeans_step  # noqa: E402
from fastgmm.backends._cuda.labels import keep_within, number_masks  # noqa: E402
from fastgmm.backends._cuda.median import median_filter  # noqa: E402
from fastgmm.backends._cuda.morphology import (  # noqa: E402
    binary_closing_ball,
    binary_dilation_ball,
    binary_erosion_ball,
    binary_opening,
    binary_opening_ball,
)

# Every compilation of every kernel.
VARIANTS = tuple(variant for family in _FAMILIES for variant in sys.modules[f"{__name__}.{family}"].VARIANTS)


def warm_up() -> None:
    """Compile all kernels for the current device."""
    compile_all(VARIANTS)


__all__ = [
    "VARIANTS",
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
    "warm_up",
]
