"""The median of labels by sorting every box."""

from __future__ import annotations

from itertools import product

import numpy as np

from fastgmm._types import Int64Array, Shape3, UInt8Array


def median_filter(labels: UInt8Array, size: Shape3, out: UInt8Array, n_jobs: int) -> None:
    """Gather each voxel's box, one slice at a time, and take the value of rank n // 2."""
    if labels.size == 0:
        return
    near_z, near_y, near_x = (_near(n, s) for n, s in zip(labels.shape, size, strict=True))
    rank = size[0] * size[1] * size[2] // 2
    for z in range(labels.shape[0]):
        box = [labels[near_z[z, i]][np.ix_(near_y[:, j], near_x[:, k])] for i, j, k in product(*map(range, size))]
        out[z] = np.sort(np.stack(box), axis=0)[rank]


def _near(length: int, size: int) -> Int64Array:
    """Return for each index of an axis the `size` indices of its box, reflected about the border: d c b a | a b c d."""
    offsets = np.arange(size) - size // 2
    around = (np.arange(length)[:, None] + offsets) % (2 * length)
    return np.where(around < length, around, 2 * length - 1 - around)
