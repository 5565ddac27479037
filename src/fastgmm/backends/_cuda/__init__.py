"""The CUDA backend: makes outputs on the device and launches the kernels of `csrc/cuda`; one file per family."""

from fastgmm.backends._cuda._device import require_device

require_device()

from fastgmm.backends._cuda.histogram import threshold_below  # noqa: E402

__all__ = ["threshold_below"]
