"""Floods step by step: every front moves by one voxel at a time."""

from __future__ import annotations

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray


def geodesic_flood(mask: PackedMask, seeds: list[PackedMask], n_jobs: int) -> list[PackedMask]:
    """Let the fronts take turns in each step until none finds a free voxel."""
    free = mask.to_array()
    parts: list[BoolArray] = []
    for seed in seeds:
        parts.append(seed.to_array() & free)
        free &= ~parts[-1]
    moved = True
    while moved:
        reached = [_with_neighbours(part) for part in parts]
        moved = False
        for part, near in zip(parts, reached, strict=True):
            new = near & free
            part |= new
            free &= ~new
            moved |= bool(new.any())
    return [PackedMask.from_array(part) for part in parts]


def grow_region(
    volume: AnyArray, seeds: PackedMask, thresholds: list[int], max_voxels: int, n_jobs: int
) -> tuple[PackedMask, int]:
    """Flood from the seeds at each threshold anew."""
    best, level = np.zeros(volume.shape, np.bool_), -1
    for i, threshold in enumerate(thresholds):
        below = PackedMask.from_array(volume.astype(np.int64) < threshold)
        region = geodesic_flood(below, [seeds], n_jobs)[0].to_array()
        if region.sum() > max_voxels:
            break
        best, level = region, i
    return PackedMask.from_array(best), level


def _with_neighbours(part: BoolArray) -> BoolArray:
    """Return the voxels that are set or have a set voxel across a face."""
    grown = part.copy()
    for axis in range(3):
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        grown[tuple(after)] |= part[tuple(before)]
        grown[tuple(before)] |= part[tuple(after)]
    return grown
