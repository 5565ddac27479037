"""Floods in Numba; as csrc/core/flood.cpp. One thread each."""

from __future__ import annotations

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray
from fastgmm.backends._numba import flood_rows as kernels
from fastgmm.backends._numba.rows import clear_of_words, new_mask, read_only, words_of


def geodesic_flood(mask: PackedMask, seeds: list[PackedMask], n_jobs: int) -> list[PackedMask]:
    """Move all fronts together, a row of words at a time."""
    nz, ny, _ = mask.shape
    if mask.words.size == 0 or not seeds:
        return [clear_of_words(mask.shape) for _ in seeds]
    n_rows, n_words = nz * ny, mask.words.shape[2]
    free = np.array(mask.words, order="C").reshape(n_rows, n_words)
    taken = np.empty((len(seeds), n_rows, n_words), np.uint64)
    for part, seed in zip(taken, seeds, strict=True):
        np.bitwise_and(free, seed.words.reshape(n_rows, n_words), out=part)
        free &= ~part
    fronts = np.zeros((2, len(seeds), n_rows, n_words), np.uint64)
    fronts[1] = taken
    rows = np.empty((2, len(seeds), n_rows), np.int64)
    kernels.flood(free, taken, fronts, rows, ny)
    return [PackedMask(part.reshape(mask.words.shape), mask.shape) for part in taken]


def grow_region(
    volume: AnyArray, seeds: PackedMask, thresholds: list[int], max_voxels: int, n_jobs: int
) -> tuple[PackedMask, int]:
    """See each voxel once, in queues by threshold."""
    region, words, row_map = new_mask(volume.shape)
    region.words[...] = 0
    if volume.size == 0:
        return region, len(thresholds) - 1
    given = read_only(volume.reshape(-1)), volume.shape, *words_of(seeds), np.array(thresholds, np.int64)
    entries, level = kernels.grow(*given, max_voxels, words, row_map)
    region.words[...] = 0
    kernels.write(entries, level, volume.shape, words, row_map)
    return region, int(level)
