"""Labels from masks, and labels kept within others, on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._packed_mask import PackedMask
from fastgmm._types import UInt8Array


def number_masks(masks: list[PackedMask], out: UInt8Array, n_jobs: int) -> None:
    """Turn 64 bits to 64 labels at a time."""
    _core.number_masks([mask.words for mask in masks], out, n_jobs=n_jobs)


def keep_within(labels: UInt8Array, out: UInt8Array, n_jobs: int) -> None:
    """Compare in vectors of bytes."""
    _core.keep_within(labels, out, n_jobs=n_jobs)
