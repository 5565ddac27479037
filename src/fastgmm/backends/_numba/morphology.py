"""Opening and closing in Numba: passes of the cross, and dilations by a ball within the mask's box."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import Shape3, UInt64Array
from fastgmm.backends._numba import morphology_ball as ball
from fastgmm.backends._numba import morphology_cross as cross
from fastgmm.backends._numba.rows import clear_of_words, new_mask, pieces_of, run_pieces, words_of

_STEPS_PER_PASS = 8
_MIN_SLICES = 16
_ALL = np.uint64(2**64 - 1)


def binary_opening(mask: PackedMask, iterations: int, n_jobs: int) -> PackedMask:
    """Take up to eight steps in one pass over the slices."""
    if min(mask.shape) < 2 * iterations + 1:
        return clear_of_words(mask.shape)  # nothing survives erosion
    n_erosions = iterations
    for n_left in range(2 * iterations, 0, -_STEPS_PER_PASS):
        n_steps = min(n_left, _STEPS_PER_PASS)
        mask = _pass_of_cross(mask, n_steps, min(n_steps, n_erosions), n_jobs)
        n_erosions = max(0, n_erosions - n_steps)
    return mask


def _pass_of_cross(mask: PackedMask, n_steps: int, n_erosions: int, n_jobs: int) -> PackedMask:
    nz, _, nx = mask.shape
    given = *words_of(mask), nz, nx, n_steps, n_erosions
    out, *target = new_mask(mask.shape)
    run_pieces(lambda *slab: cross.take_steps(*given, *slab, *target), pieces_of(nz, n_jobs, _MIN_SLICES, 1), n_jobs)
    return out


def binary_opening_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Erode and dilate within the mask's box."""
    box = _Box.of(mask, n_jobs)
    return box.paste(_dilate(_erode(mask, box, radius, n_jobs), radius, n_jobs), mask.shape, (1, 1, 1))


def binary_closing_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate into the mask's box grown by the ball, and erode within the box, which no closing leaves."""
    box = _Box.of(mask, n_jobs)
    dilated = _dilate(box.cut(mask, radius), radius, n_jobs)
    return box.paste(_flipped(_dilate(_flipped(dilated), radius, n_jobs)), mask.shape, radius)


def binary_erosion_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Erode within the mask's box."""
    box = _Box.of(mask, n_jobs)
    return box.paste(_erode(mask, box, radius, n_jobs), mask.shape, (1, 1, 1))


def binary_dilation_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate into the mask's box grown by the ball, or by as much as there is room for in the volume."""
    box = _Box.of(mask, n_jobs)
    room = (max(low, n - high) for (low, high), n in zip(box.spans, mask.shape, strict=True))
    margin = min(radius[0], next(room)), min(radius[1], next(room)), min(radius[2], next(room))
    grown = _Box(tuple((low - m, high + m) for (low, high), m in zip(box.spans, margin, strict=True)))
    return grown.paste(_dilate(box.cut(mask, margin), radius, n_jobs), mask.shape, (0, 0, 0))


class _Box(NamedTuple):
    """A box of voxels as ends along (z, y, x); words of it and a margin have shape (nz, ny, words and a blank one)."""

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, mask: PackedMask, n_jobs: int) -> _Box:
        """Return the box of the voxels that are set."""
        nz, ny, _ = mask.shape
        words, row_map = words_of(mask)
        is_set = np.zeros(nz * ny, np.bool_)
        parts = run_pieces(
            lambda begin, end: ball.mark_rows(words, row_map, begin, end, is_set),
            pieces_of(nz * ny if mask.words.size else 0, n_jobs),
            n_jobs,
        )
        if not is_set.any():
            return cls(((0, 0),) * 3)
        columns = np.bitwise_or.reduce(parts)
        x_set = np.unpackbits(columns.view(np.uint8), bitorder="little")
        planes = is_set.reshape(nz, ny)
        along = (np.flatnonzero(line) for line in (planes.any(axis=1), planes.any(axis=0), x_set))
        return cls(tuple((int(places[0]), int(places[-1]) + 1) for places in along))

    def frame(self, margin: Shape3) -> tuple[Shape3, Shape3]:
        """Return the first slice, row and word of the box with a margin, which may lie outside, and how many."""
        (z0, z1), (y0, y1), (x0, x1) = ((a - m, b + m) for (a, b), m in zip(self.spans, margin, strict=True))
        return (z0, y0, x0 // 64), (z1 - z0, y1 - y0, -(-x1 // 64) - x0 // 64)

    def cut(self, mask: PackedMask, margin: Shape3) -> UInt64Array:
        """Return the mask's words in the box and a margin; what lies outside the volume is unset."""
        first, size = self.frame(margin)
        words = np.zeros((size[0], size[1], size[2] + 1), np.uint64)
        theirs, ours = _overlap(first, size, mask.words.shape)
        words[ours] = mask.words[theirs]
        return words

    def paste(self, words: UInt64Array, shape: Shape3, margin: Shape3) -> PackedMask:
        """Return a mask of the shape with what the words of the box and a margin hold within the box."""
        mask = clear_of_words(shape)
        first, size = self.frame(margin)
        (z0, z1), (y0, y1), (x0, x1) = self.spans
        inner = (z0, y0, first[2]), (z1 - z0, y1 - y0, size[2])
        theirs, ours = _overlap(*inner, mask.words.shape)
        shifted = ours[0], ours[1], ours[2]
        mask.words[theirs] = words[margin[0] :, margin[1] :][shifted]
        places = np.arange(64 * mask.words.shape[2])
        inside = (places >= x0) & (places < min(x1, shape[2]))
        mask.words &= np.packbits(inside, bitorder="little").view(np.uint64)
        return mask


def _overlap(first: Shape3, size: Shape3, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the part of a volume of the shape that a box covers, and the part of the box that is in the volume."""
    spans = [
        (f, max(f, 0), max(min(f + n, length), max(f, 0))) for f, n, length in zip(first, size, shape, strict=True)
    ]
    return tuple(slice(a, b) for _, a, b in spans), tuple(slice(a - f, b - f) for f, a, b in spans)


def _flipped(words: UInt64Array) -> UInt64Array:
    """Turn all words round in place, the blank one of each row excepted."""
    words[:, :, :-1] ^= _ALL
    return words


def _erode(mask: PackedMask, box: _Box, radius: Shape3, n_jobs: int) -> UInt64Array:
    """Return the erosion in the mask's box and a margin of one voxel, which has an unset one near any further out."""
    return _flipped(_dilate(_flipped(box.cut(mask, (1, 1, 1))), radius, n_jobs))


def _dilate(source: UInt64Array, radius: Shape3, n_jobs: int) -> UInt64Array:
    """Return the dilation of words (nz, ny, words and a blank one); outside is unset."""
    nz, ny, _ = source.shape
    target = np.empty_like(source)
    reaches = ball.reach_table(radius)
    n_chunks = -(-ny // ball.CHUNK_ROWS)

    def dilate(begin: int, end: int) -> None:
        ball.dilate_chunk(source, radius, reaches, begin % n_chunks * ball.CHUNK_ROWS, begin // n_chunks, target)

    tasks = [(i, i + 1) for i in range(n_chunks * -(-nz // ball.SLICES_PER_TASK))]
    if tasks:
        run_pieces(dilate, tasks, n_jobs)
    return target
