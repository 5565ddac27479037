"""Opening and closing on the device."""

from __future__ import annotations

from typing import Any, NamedTuple

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
# Of ball_window.h, and bytes of shared memory that every device has for a block.
_BALL_ROWS, _BALL_SLICES = 64, 2
_BALL_BYTES = 62 << 10
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
    margin = (radius[0], words_per_row(radius[2]), radius[1])
    back = (-margin[0], -margin[1], -margin[2])
    columns = _columns(mask, _NONE)
    n_slices, n_words, n_rows = (n + 2 * m for n, m in zip(columns.words.shape, margin, strict=True))
    frame = _Columns.empty((n_slices, n_words, n_rows), like=mask.words)
    reach = _Reach(radius, mask.words)
    reach.dilate(columns, frame.words, n_words * WORD_BITS, shift=back, flip=_NONE, marks=frame.marks)
    reach.dilate(frame, out.words.swapaxes(1, 2), mask.shape[2], shift=margin, flip=_ALL)
    return out


def binary_erosion_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate the complement, which is set outside."""
    return _dilated(mask, radius, _ALL)


def binary_dilation_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate."""
    return _dilated(mask, radius, _NONE)


def _dilated(mask: PackedMask, radius: Shape3, flip: np.uint64) -> PackedMask:
    out = PackedMask.empty(mask.shape, like=mask.words)
    _Reach(radius, mask.words).dilate(_columns(mask, flip), out.words.swapaxes(1, 2), mask.shape[2], flip=flip)
    return out


class _Columns(NamedTuple):
    """Words in the order (z, word, y), and which 32 of them have a voxel after they were inverted."""

    words: AnyArray
    marks: AnyArray

    @classmethod
    def empty(cls, shape: Shape3, like: AnyArray) -> _Columns:
        xp: Any = array_module(like)
        return cls(xp.empty(shape, np.uint64), xp.empty((*shape[:2], -(-shape[2] // _WARP)), np.uint8))


def _columns(mask: PackedMask, flip: np.uint64) -> _Columns:
    nz, ny, n_words = mask.words.shape
    columns = _Columns.empty((nz, n_words, ny), like=mask.words)
    turn = kernel(_BALL, "turn_words")
    turn(nz * n_words * -(-ny // turn.threads), mask.words, n_words, ny, flip, columns.words, columns.marks)
    return columns


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
    """A ball as the kernels take it: which places each step along x needs, in parts that fit a block."""

    def __init__(self, radius: Shape3, like: AnyArray) -> None:
        rz, ry, rx = self.radius = radius
        room = _BALL_BYTES // (8 * _BALL_SLICES)
        n_dys = min(2 * ry + 1, room - _BALL_ROWS + 1)
        window = _BALL_ROWS + n_dys - 1
        n_planes = min(rz + 1, room // window)
        n_parts = -(-(rz + 1) // n_planes) * -(-(2 * ry + 1) // n_dys)
        n_quads = -(-n_dys // 4)
        xp: Any = array_module(like)
        places, n_places = xp.empty((n_parts, rx + 1, n_quads, 4), np.int32), xp.empty((n_parts, rx + 1), np.int32)
        measure = kernel(_BALL, "measure_reach")
        n_blocks = -(-n_parts * (rx + 1) * _WARP // measure.threads)
        measure(n_blocks, *radius, n_planes, n_dys, n_quads, places, n_places)
        self.tables = (n_planes, n_dys, places, n_places, n_quads)
        self.shared_bytes = 8 * _BALL_SLICES * n_planes * window

    def dilate(
        self,
        source: _Columns,
        out: AnyArray,
        out_nx: int,
        *,
        flip: np.uint64,
        shift: Shape3 = (0, 0, 0),
        marks: AnyArray | None = None,
    ) -> None:
        """Dilate words inverted by `flip`, and invert them again; out (z, word, y) begins at `shift` in the source."""
        shape = source.words.shape
        nz, n_columns, ny = out.shape[0], max(out.shape[1], shape[1]), out.shape[2]
        before = (max(0, -shift[1]), max(0, shift[1]))  # words of the wider of the two before the other
        if 0 in shape or 0 in out.shape:
            out[...] = 0
            return
        xp: Any = array_module(out)
        sums, edges = xp.empty((nz, n_columns, ny), np.uint64), xp.empty((nz, n_columns, ny, 2), np.uint16)
        grow, join = kernel(_BALL, "grow_ball"), kernel(_BALL, "join_words")
        n_blocks = -(-nz // _BALL_SLICES) * n_columns * -(-ny // _BALL_ROWS)
        sizes = (*shape, shift[0], -before[0], shift[2], nz, n_columns, ny, *self.radius)
        grow(n_blocks, *source, *sizes, *self.tables, flip, sums, edges, shared_bytes=self.shared_bytes)
        n_blocks = nz * out.shape[1] * -(-ny // join.threads)
        steps = (n // out.itemsize for n in out.strides)
        join(n_blocks, sums, edges, n_columns, ny, self.radius[2], flip, before[1], out_nx, *steps, out, marks)
