"""Counting and looking up, straight from the definition."""

from __future__ import annotations

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Int16Array, Int64Array, UInt8Array


def histogram(volume: AnyArray, mask: PackedMask | None, phases: int, n_jobs: int) -> tuple[Int64Array, Int64Array]:
    """Count each distinct value by the phase of its running index."""
    inside = volume.reshape(-1) if mask is None else volume[mask.to_array()]
    values, which = np.unique(inside, return_inverse=True)
    counts = np.zeros((phases, values.size), np.int64)
    np.add.at(counts, (np.arange(inside.size) % phases, which), 1)
    return values.astype(np.int64), counts


def apply_table(volume: Int16Array, table: UInt8Array, mask: PackedMask | None, out: UInt8Array, n_jobs: int) -> None:
    """Look every value up; 0 outside the mask."""
    out[...] = table[volume.astype(np.int64) + 32768]
    if mask is not None:
        out[~mask.to_array()] = 0


def label_values(values: AnyArray, first: int, table: UInt8Array, out: AnyArray, n_jobs: int) -> bool:
    """Look every value up by itself."""
    entries = dict(enumerate(table.tolist(), start=first))
    labels = [entries.get(value) for value in values.tolist()]
    out[...] = [0 if label is None else label for label in labels]
    return None not in labels


def threshold_below(volume: AnyArray, value: int, n_jobs: int) -> PackedMask:
    """Compare every voxel, wide enough for any value."""
    return PackedMask.from_array(volume.astype(np.int64) < value)
