"""Counting, looking up and comparing on the device."""

from __future__ import annotations

import math

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray
from fastgmm.backends._cuda._device import Variant, blocks_for, kernel

VOXEL_TYPES = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
}
_THRESHOLD = {name: Variant("cuda/threshold.cu", (("FG_VOXEL", text),)) for name, text in VOXEL_TYPES.items()}
VARIANTS = tuple(_THRESHOLD.values())


def threshold_below(volume: AnyArray, value: int, n_jobs: int) -> PackedMask:
    """Compare and pack in one pass, a warp per row."""
    mask = PackedMask.empty(volume.shape, like=volume)
    compare = kernel(_THRESHOLD[volume.dtype.name], "threshold_below")
    n_rows = math.prod(volume.shape[:2])
    compare(blocks_for(n_rows * 32, compare.threads), volume, n_rows, volume.shape[2], value, mask.words)
    return mask
