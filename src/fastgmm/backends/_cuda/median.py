"""The median of labels on the device."""

from __future__ import annotations

from fastgmm._types import Shape3, UInt8Array
from fastgmm.backends._cuda._device import Variant, kernel

_MEDIAN = Variant("cuda/median.cu")
VARIANTS = (_MEDIAN,)
# Of median.cu.
_TILE = (16, 16, 56)


def median_filter(labels: UInt8Array, size: Shape3, out: UInt8Array, n_jobs: int) -> None:
    """Count in bit slices, a block per tile."""
    n_blocks = 1
    for n, tile in zip(labels.shape, _TILE, strict=True):
        n_blocks *= -(-n // tile)
    kernel(_MEDIAN, "median_filter")(n_blocks, labels, *labels.shape, *size, out)
