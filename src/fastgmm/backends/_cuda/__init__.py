"""The CUDA backend: makes outputs on the device and launches the kernels of `csrc/cuda`; one file per family."""

from fastgmm.backends._cuda._device import require_device

require_device()

from fastgmm.backends._cuda.em import (  # noqa: E402
    em_assign,
    em_histogram,
    em_histogram_batch,
    em_moments,
    em_step,
)
from fastgmm.backends._cuda.histogram import threshold_below  # noqa: E402

__all__ = ["em_assign", "em_histogram", "em_histogram_batch", "em_moments", "em_step", "threshold_below"]
