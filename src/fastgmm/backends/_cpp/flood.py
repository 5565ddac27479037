"""Floods on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray


def geodesic_flood(mask: PackedMask, seeds: list[PackedMask], n_jobs: int) -> list[PackedMask]:
    """Move all fronts together, a row of words at a time; one thread."""
    parts = [PackedMask.empty(mask.shape) for _ in seeds]
    _core.geodesic_flood(mask.words, [s.words for s in seeds], [p.words for p in parts], nx=mask.shape[2])
    return parts


def grow_region(
    volume: AnyArray, seeds: PackedMask, thresholds: list[int], max_voxels: int, n_jobs: int
) -> tuple[PackedMask, int]:
    """Take whole runs below each threshold, from the region of the one before; one thread."""
    region = PackedMask.empty(seeds.shape)
    level = _core.grow_region(volume, seeds.words, thresholds=thresholds, max_voxels=max_voxels, out_words=region.words)
    return region, level
