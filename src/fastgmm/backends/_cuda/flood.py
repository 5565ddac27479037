"""Floods on the device."""

from __future__ import annotations

import bisect

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray
from fastgmm.backends._cuda._device import Variant, kernel
from fastgmm.backends._cuda.components import ComponentRuns
from fastgmm.backends._cuda.histogram import threshold_below

_FLOOD = Variant("cuda/flood.cu")
VARIANTS = (_FLOOD,)
# Steps between two questions whether anything still moves: a question waits for the device, some 0.02 ms, as a step.
_STEPS_AT_ONCE = 16


def geodesic_flood(mask: PackedMask, seeds: list[PackedMask], n_jobs: int) -> list[PackedMask]:
    """Move all fronts together; one seed alone reaches what it touches."""
    if not seeds or not mask.words.size:
        return [PackedMask.empty(mask.shape, like=mask.words) for _ in seeds]
    if len(seeds) == 1:
        return [_reached(mask, seeds[0])]
    xp = array_module(mask.words)
    free = mask.words.copy()
    parts = xp.empty((len(seeds), *free.shape), np.uint64)
    take_seed = kernel(_FLOOD, "take_seed")
    for seed, part in zip(seeds, parts, strict=True):
        take_seed(-(-free.size // take_seed.threads), seed.words, free.size, free, part)
    _move(free, parts)
    return [PackedMask(part, mask.shape) for part in parts]


def grow_region(
    volume: AnyArray, seeds: PackedMask, thresholds: list[int], max_voxels: int, n_jobs: int
) -> tuple[PackedMask, int]:
    """Halve the thresholds: their regions lie one within the next."""
    found: dict[int, PackedMask] = {-1: seeds - seeds}

    def size(level: int) -> int:
        found[level] = _reached(threshold_below(volume, thresholds[level], n_jobs), seeds)
        return found[level].count()

    level = bisect.bisect_right(range(len(thresholds)), max_voxels, key=size) - 1
    return found[level], level


def _reached(mask: PackedMask, seed: PackedMask) -> PackedMask:
    """Return the components of the mask that the seed touches."""
    runs = ComponentRuns(mask, 6)
    return runs.select(runs.touched_by(seed))


def _move(free: AnyArray, parts: AnyArray) -> None:
    """Take steps until none changes anything; more of them do no harm."""
    xp = array_module(free)
    proposals = xp.empty(parts.shape, np.uint64)
    propose, take = kernel(_FLOOD, "propose"), kernel(_FLOOD, "take")
    n_blocks, n_floods = -(-free.size // propose.threads), len(parts)
    moved = xp.ones(1, np.int32)
    while moved[0]:
        moved[...] = 0
        for step in range(_STEPS_AT_ONCE):
            propose(n_blocks, free, parts, *free.shape, n_floods, proposals)
            is_last = step == _STEPS_AT_ONCE - 1
            take(n_blocks, proposals, free.size, n_floods, free, parts, moved if is_last else None)
