"""Floods in Numba, a row of words at a time; one thread each."""

from __future__ import annotations

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, UInt64Array
from fastgmm.backends._numba.flood_rows import flood
from fastgmm.backends._numba.histogram import threshold_below
from fastgmm.backends._numba.rows import clear_of_words


def geodesic_flood(mask: PackedMask, seeds: list[PackedMask], n_jobs: int) -> list[PackedMask]:
    """Move all fronts together."""
    if mask.words.size == 0 or not seeds:
        return [clear_of_words(mask.shape) for _ in seeds]
    free = _row_words(mask)
    taken = np.empty((len(seeds), *free.shape), np.uint64)
    for part, seed in zip(taken, seeds, strict=True):
        np.bitwise_and(free, _row_words(seed), out=part)
        free &= ~part
    _spread(free, taken, mask.shape[1])
    return [PackedMask(part.reshape(mask.words.shape), mask.shape) for part in taken]


def grow_region(
    volume: AnyArray, seeds: PackedMask, thresholds: list[int], max_voxels: int, n_jobs: int
) -> tuple[PackedMask, int]:
    """Flood the voxels below each threshold from the region of the one before, which is a part of the next."""
    if volume.size == 0:
        return clear_of_words(seeds.shape), len(thresholds) - 1
    all_seeds = _row_words(seeds)
    region = np.zeros_like(all_seeds)
    level = -1
    for threshold in thresholds:
        free = _row_words(threshold_below(volume, threshold, n_jobs))
        taken = free & (all_seeds | region)
        free &= ~taken
        _spread(free, taken[np.newaxis], volume.shape[1])
        if np.bitwise_count(taken).sum(dtype=np.int64) > max_voxels:
            break
        region, level = taken, level + 1
    return PackedMask(region.reshape(seeds.words.shape), seeds.shape), level


def _row_words(mask: PackedMask) -> UInt64Array:
    """Return a copy of the words, of shape (nz * ny, n_words)."""
    nz, ny, _ = mask.shape
    return np.array(mask.words, order="C").reshape(nz * ny, -1)


def _spread(free: UInt64Array, taken: UInt64Array, ny: int) -> None:
    """Let each flood in `taken`, whose voxels are free no longer, spread through what is."""
    fronts = np.zeros((2, *taken.shape), np.uint64)
    fronts[1] = taken
    flood(free, taken, fronts, np.empty((2, *taken.shape[:2]), np.int64), ny)
