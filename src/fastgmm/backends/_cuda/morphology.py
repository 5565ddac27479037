"""Opening and closing on the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import WORD_BITS, PackedMask, words_per_row
from fastgmm._types import AnyArray, Shape3
from fastgmm.backends._cuda._device import Variant, kernel, n_processors

# The erosions and dilations of one launch.
_CROSS = {
    steps: Variant("cuda/morphology_cross.cu", (("FG_EROSIONS", str(steps[0])), ("FG_DILATIONS", str(steps[1]))))
    for steps in ((3, 3), (1, 0), (0, 1))
}
_BALL = Variant("cuda/morphology_ball.cu")
VARIANTS = (*_CROSS.values(), _BALL)

# Of morphology_cross.cu: rows and words of a tile with its rim, blocks at a time on a processor.
_CROSS_ROWS, _CROSS_WORDS, _CROSS_BLOCKS = 64, 8, 2
_WARP = 32
# Planes of one slab of slices: they stay in the L2 cache of large devices.
_SLAB_BYTES = 32 << 20
_ALL = np.uint64(2**64 - 1)
_NONE = np.uint64(0)


def binary_opening(mask: PackedMask, iterations: int, n_jobs: int) -> PackedMask:
    """Open by three in one launch; what is left are single steps before and after."""
    n_single = iterations - 3 if iterations >= 3 else iterations
    for _ in range(n_single):
        mask = _cross_steps(mask, 1, 0)
    if iterations >= 3:
        mask = _cross_steps(mask, 3, 3)
    for _ in range(n_single):
        mask = _cross_steps(mask, 0, 1)
    return mask


def binary_opening_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Erode and dilate."""
    return binary_dilation_ball(binary_erosion_ball(mask, radius, n_jobs), radius, n_jobs)


def binary_closing_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate into a frame with a margin as wide as the ball, of whole words along x, and erode back."""
    out = PackedMask.empty(mask.shape, like=mask.words)
    margin = (radius[0], radius[1], words_per_row(radius[2]))
    frame = tuple(n + 2 * m for n, m in zip(mask.words.shape, margin, strict=True))
    dilated = array_module(mask.words).empty(frame, np.uint64)
    back = (-margin[0], -margin[1], -margin[2])
    reach = _Reach(radius, mask.words)
    reach.dilate(mask.words, dilated, frame[2] * WORD_BITS, shift=back, flip=_NONE)
    reach.dilate(dilated, out.words, mask.shape[2], shift=margin, flip=_ALL)
    return out


def binary_erosion_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate the complement, which is set outside."""
    out = PackedMask.empty(mask.shape, like=mask.words)
    _Reach(radius, mask.words).dilate(mask.words, out.words, mask.shape[2], flip=_ALL)
    return out


def binary_dilation_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate."""
    out = PackedMask.empty(mask.shape, like=mask.words)
    _Reach(radius, mask.words).dilate(mask.words, out.words, mask.shape[2], flip=_NONE)
    return out


def _cross_steps(mask: PackedMask, n_erosions: int, n_dilations: int) -> PackedMask:
    out = PackedMask.empty(mask.shape, like=mask.words)
    nz, ny, n_words = mask.words.shape
    rows = _CROSS_ROWS - 2 * (n_erosions + n_dilations)
    words = _CROSS_WORDS if n_words <= _CROSS_WORDS else _CROSS_WORDS - 2
    n_tiles = -(-ny // rows) * -(-n_words // words)
    # As many chunks of slices as run at the same time: each begins and ends with slices of its neighbours.
    n_chunks = max(n_processors() * _CROSS_BLOCKS // max(n_tiles, 1), 1)
    chunk = max(-(-nz // n_chunks), 1)
    steps = kernel(_CROSS[n_erosions, n_dilations], "cross_steps")
    steps(n_tiles * -(-nz // chunk), mask.words, *mask.shape, n_tiles, chunk, out.words)
    return out


class _Reach:
    """A ball as the kernels take it: which planes each step along x needs."""

    def __init__(self, radius: Shape3, like: AnyArray) -> None:
        self.radius = radius
        rz, ry, rx = radius
        xp: Any = array_module(like)
        self.reaches = xp.empty((rx + 1, ry + 1, 2), np.int32)
        self.n_reaches = xp.empty(rx + 1, np.int32)
        measure = kernel(_BALL, "measure_reach")
        measure(-(-(rx + 1) // measure.threads), rz, ry, rx, self.reaches, self.n_reaches)

    def dilate(
        self, source: AnyArray, out: AnyArray, out_nx: int, *, flip: np.uint64, shift: Shape3 = (0, 0, 0)
    ) -> None:
        """Dilate words inverted by `flip`, and invert them again; out begins at `shift` in the source."""
        rz, ry, rx = self.radius
        nz, ny, n_columns = *out.shape[:2], max(out.shape[2], source.shape[2])
        before = (max(0, -shift[2]), max(0, shift[2]))  # words of the wider of the two before the other
        plane_words = (ny + 2 * ry) * n_columns
        if 0 in source.shape or 0 in out.shape:
            out[...] = 0
            return
        slab = min(max(_SLAB_BYTES // (8 * (rz + 1) * plane_words), 1), nz)
        planes = array_module(source).empty((slab, rz + 1, plane_words), np.uint64)
        join, grow = kernel(_BALL, "join_slices"), kernel(_BALL, "grow_ball")
        n_warps_a_slice = _n_warps(ny, n_columns, rx)
        for z in range(0, nz, slab):
            n = min(slab, nz - z)
            corner = (z + shift[0], shift[1] - ry, before[0])
            sizes = (n, ny + 2 * ry, n_columns)
            n_blocks = -(-n * plane_words // join.threads)
            join(n_blocks, source, *source.shape, *corner, *sizes, rz, flip, planes)
            n_blocks = -(-n * n_warps_a_slice * _WARP // grow.threads)
            tables = (planes, self.reaches, self.n_reaches)
            grow(n_blocks, *tables, n, ny, n_columns, *self.radius, flip, before[1], out_nx, out[z:])


def _n_warps(n_rows: int, n_words: int, rx: int) -> int:
    """Return how many warps one slice takes, as `Lanes` of morphology_ball.cu deals it out."""
    if n_words <= _WARP:
        return -(-n_rows // (_WARP // n_words))
    return n_rows * -(-n_words // (_WARP - 2 * words_per_row(rx)))
