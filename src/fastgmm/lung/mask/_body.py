"""Which air lies inside the body: a table and its padding can hold air as dark as lung."""

from __future__ import annotations

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import PackedMask, count_bits
from fastgmm._types import AnyArray, BoolArray
from fastgmm.lung.mask._shadow import shadow
from fastgmm.lung.mask._thorax import Thorax, no_voxels
from fastgmm.volume import binary_opening_ball, filter_components, threshold_below


class Body:
    """The body in some slices, and what has it in front and behind."""

    def __init__(self, thorax: Thorax, table: AnyArray) -> None:
        first, last = int(table["z0"].min()), int(table["z1"].max()) - 1
        slices = np.linspace(first, last, thorax.numbers.body_slices).astype(np.int64)
        # Not np.unique: its first call imports numpy.ma, which scans that begin in two threads at once meet half made.
        slices = slices[np.diff(slices, prepend=-1) > 0]
        self._slices = array_module(thorax.volume).asarray(slices)
        body = _largest_in_each_slice(thorax, self._slices)
        self._in_front = shadow(body, axis=1)
        self._behind = shadow(body[:, ::-1], axis=1)[:, ::-1]

    def enclosed_share(self, piece: PackedMask) -> float:
        """Return the share of a piece with the body in front, or that with the body behind, whichever is less."""
        words = piece.words[self._slices]
        n_voxels = count_bits(words)
        if n_voxels == 0:
            return 1.0
        return min(count_bits(words & self._in_front), count_bits(words & self._behind)) / n_voxels


def _largest_in_each_slice(thorax: Thorax, slices: AnyArray) -> AnyArray:
    """Return the words of the largest piece of tissue in each slice, thin shells taken off before."""
    part = array_module(thorax.volume).ascontiguousarray(thorax.volume[slices])
    tissue = ~threshold_below(part, thorax.air_below_hu, **thorax.kernels)
    _, ry, rx = thorax.radius(thorax.numbers.opening_mm)
    solid = binary_opening_ball(tissue, (0, ry, rx), **thorax.kernels)
    # An empty slice after each makes components those of slices.
    apart = no_voxels((2 * slices.size, *solid.shape[1:]), solid)
    apart.words[::2] = solid.words
    body: PackedMask = filter_components(apart, _is_largest_of_slice, **thorax.kernels)
    return body.words[::2]


def _is_largest_of_slice(table: AnyArray) -> BoolArray:
    chosen = np.zeros(table.size, np.bool_)
    # Sorted by slice and then by size, the last of each slice is its largest.
    order = np.lexsort((table["n_voxels"], table["z0"]))
    if order.size:
        chosen[order[np.flatnonzero(np.diff(table["z0"][order], append=-1))]] = True
    return chosen
