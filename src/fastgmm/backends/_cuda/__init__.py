"""The CUDA backend: makes outputs on the device and launches the kernels of `csrc/cuda`; one file per family."""

from fastgmm.backends._cuda._device import require_device

require_device()

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
    em_moments,
    em_step,
)
from fastgmm.backends._cuda.flood import geodesic_flood, grow_region  # noqa: E402
from fastgmm.backends._cuda.histogram import threshold_below  # noqa: E402
from fastgmm.backends._cuda.median import median_filter  # noqa: E402
from fastgmm.backends._cuda.morphology import (  # noqa: E402
    binary_closing_ball,
    binary_dilation_ball,
    binary_erosion_ball,
    binary_opening,
    binary_opening_ball,
)

__all__ = [
    "binary_closing_ball",
    "binary_dilation_ball",
    "binary_erosion_ball",
    "binary_opening",
    "binary_opening_ball",
    "component_table",
    "em_assign",
    "em_histogram",
    "em_histogram_batch",
    "em_moments",
    "em_step",
    "filter_components",
    "geodesic_flood",
    "grow_region",
    "label_components",
    "median_filter",
    "separate_components",
    "threshold_below",
]
