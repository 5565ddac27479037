"""Labels from masks, and labels kept within others, on the device."""

from __future__ import annotations

import math

from fastgmm._packed_mask import PackedMask
from fastgmm._types import UInt8Array
from fastgmm.backends._cuda._device import Variant, blocks_for, kernel

_LABELS = Variant("cuda/labels.cu")
VARIANTS = (_LABELS,)


def number_masks(masks: list[PackedMask], out: UInt8Array, n_jobs: int) -> None:
    """Write the masks' numbers, the last mask first."""
    out.fill(0)
    number = kernel(_LABELS, "number_mask")
    n_rows = math.prod(out.shape[:2])
    for i in reversed(range(len(masks))):
        number(blocks_for(n_rows * 32, number.threads), masks[i].words, n_rows, out.shape[2], i + 1, out)


def keep_within(labels: UInt8Array, out: UInt8Array, n_jobs: int) -> None:
    """Look at eight voxels a thread."""
    keep = kernel(_LABELS, "keep_within")
    keep(blocks_for(-(-labels.size // 8), keep.threads), labels, labels.size, out)
