"""Labels from masks, and labels kept within others, straight from the definition."""

from __future__ import annotations

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import UInt8Array


def number_masks(masks: list[PackedMask], out: UInt8Array, n_jobs: int) -> None:
    """Choose the first mask that is set."""
    set_in = [mask.to_array() for mask in masks]
    out[...] = np.select(set_in, [np.uint8(i + 1) for i in range(len(masks))], np.uint8(0)) if masks else 0


def keep_within(labels: UInt8Array, out: UInt8Array, n_jobs: int) -> None:
    """Choose by the labels first."""
    out[...] = np.where(labels == 0, 0, np.where(out == 0, labels, out))
