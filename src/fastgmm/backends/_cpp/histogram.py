"""Counting, looking up and comparing on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Int16Array, Int64Array, UInt8Array


def histogram(volume: AnyArray, mask: PackedMask | None, phases: int, n_jobs: int) -> tuple[Int64Array, Int64Array]:
    """Count in tables; values of a wide range are sorted."""
    return _core.histogram(volume, None if mask is None else mask.words, phases=phases, n_jobs=n_jobs)


def apply_table(volume: Int16Array, table: UInt8Array, mask: PackedMask | None, out: UInt8Array, n_jobs: int) -> None:
    """Write the labels under the mask, 0 elsewhere."""
    _core.apply_table(volume, table, None if mask is None else mask.words, out, n_jobs=n_jobs)


def label_values(values: AnyArray, first: int, table: UInt8Array, out: AnyArray, n_jobs: int) -> bool:
    """Look up in vectors; signed integers go as unsigned ones of their width."""
    unsigned, labels = (array.view(f"u{array.itemsize}") for array in (values, out))
    return _core.label_values(unsigned, first % (1 << 8 * values.itemsize), table, labels, n_jobs=n_jobs)


def threshold_below(volume: AnyArray, value: int, n_jobs: int) -> PackedMask:
    """Compare and pack in one pass."""
    mask = PackedMask.empty(volume.shape)
    _core.threshold_below(volume, value, mask.words, n_jobs=n_jobs)
    return mask
