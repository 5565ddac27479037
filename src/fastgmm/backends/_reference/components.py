"""Connected components by flooding from each voxel that is not yet numbered, in scan order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray, Connectivity, Int64Array, Shape3
from fastgmm.backends._contract import COMPONENT_DTYPE

# Neighbours differ by at most 1 along each axis, and along at most so many axes.
_AXES_CROSSED = {6: 1, 18: 2, 26: 3}


def label_components(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> tuple[AnyArray, int]:
    """Flood from the first free voxel until none is left."""
    free = np.pad(mask.to_array(), 1)
    steps = _steps(connectivity, free.shape)
    labels, n = _flood(free.reshape(-1), steps)
    dtype = np.int32 if n <= np.iinfo(np.int32).max else np.int64
    return labels.reshape(free.shape)[1:-1, 1:-1, 1:-1].astype(dtype), n


def component_table(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> AnyArray:
    """Measure the label volume."""
    labels, n = label_components(mask, connectivity, n_jobs)
    positions = np.nonzero(labels)
    owner = labels[positions] - 1
    table = np.zeros(n, COMPONENT_DTYPE)
    table["label"] = np.arange(1, n + 1)
    np.add.at(table["n_voxels"], owner, 1)
    for axis, along in zip("zyx", positions, strict=True):
        length = labels.shape["zyx".index(axis)]
        table[f"{axis}0"] = length
        np.minimum.at(table[f"{axis}0"], owner, along)
        np.maximum.at(table[f"{axis}1"], owner, along + 1)
        np.add.at(table[f"c_{axis}0"], owner, along == 0)
        np.add.at(table[f"c_{axis}1"], owner, along == length - 1)
    return table


def filter_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> PackedMask:
    """Look every label up in the choice."""
    labels, _ = label_components(mask, connectivity, n_jobs)
    chosen = choose(component_table(mask, connectivity, n_jobs))
    return PackedMask.from_array(np.concatenate([[False], chosen])[labels])


def separate_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> list[PackedMask]:
    """Compare the labels with each number chosen."""
    labels, _ = label_components(mask, connectivity, n_jobs)
    chosen = choose(component_table(mask, connectivity, n_jobs))
    return [PackedMask.from_array(labels == i + 1) for i in np.flatnonzero(chosen)]


def _steps(connectivity: Connectivity, shape: Shape3) -> list[int]:
    """Return the distance to each neighbour in a flattened volume of the shape."""
    _, ny, nx = shape
    crossed = _AXES_CROSSED[connectivity]
    offsets = [d for d in product((-1, 0, 1), repeat=3) if 1 <= sum(map(abs, d)) <= crossed]
    return [(dz * ny + dy) * nx + dx for dz, dy, dx in offsets]


def _flood(free: BoolArray, steps: list[int]) -> tuple[Int64Array, int]:
    """Give the set voxels of a flattened volume, which has a margin of unset ones, their numbers."""
    labels = np.zeros(free.size, np.int64)
    unseen = bytearray(free.tobytes())
    n = 0
    for first in np.flatnonzero(free).tolist():
        if not unseen[first]:
            continue
        n += 1
        unseen[first] = 0
        reached = [first]
        for voxel in reached:
            near = [voxel + step for step in steps if unseen[voxel + step]]
            for neighbour in near:
                unseen[neighbour] = 0
            reached += near
        labels[reached] = n
    return labels, n
