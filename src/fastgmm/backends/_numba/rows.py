"""The rows of masks and volumes as the kernels take them, and the threads that share them out.

A kernel gets all words of a mask as one line and (plane, ny, n_words): the words from one plane to the next, rows of a
plane, words of a row. Rows are numbered through all planes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, UInt64Array
from fastgmm.backends._numba.compiled import compiled

T = TypeVar("T")
RowMap = tuple[int, int, int]
_PIECES_PER_THREAD = 4
NO_WORDS: UInt64Array = np.empty(0, np.uint64)


@compiled
def row_start(row_map: RowMap, row: int) -> int:
    """Return the index of a row's first word."""
    plane, ny, n_words = row_map
    return row // ny * plane + row % ny * n_words


def words_of(mask: PackedMask) -> tuple[UInt64Array, RowMap]:
    """Return the words of a mask that is only read, and where its rows are."""
    words = mask.words
    if words.strides[0] < words.shape[1] * words.shape[2] * 8:  # planes in reverse, or all the same memory
        words = words.copy()
    line, row_map = _line(words)
    return read_only(line), row_map


def new_mask(shape: tuple[int, int, int]) -> tuple[PackedMask, UInt64Array, RowMap]:
    """Return a mask whose bits are not set to anything, with its words and where its rows are."""
    mask = PackedMask.empty(shape)
    return mask, *_line(mask.words)


def read_only(array: AnyArray) -> AnyArray:
    """Return a view of an array that is only read, so that Numba sees one type of it."""
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return view


def pieces_of(n: int, n_jobs: int, smallest: int = 1, per_thread: int = _PIECES_PER_THREAD) -> list[tuple[int, int]]:
    """Cut 0..n - 1 into equal pieces, some per thread, none of fewer than `smallest` if it can be helped."""
    wanted = 1 if n_jobs == 1 else per_thread * n_jobs
    n_pieces = max(1, min(wanted, n // smallest))
    return list(pairwise(i * n // n_pieces for i in range(n_pieces + 1)))


def run_pieces(work: Callable[[int, int], T], pieces: Sequence[tuple[int, int]], n_jobs: int) -> list[T]:
    """Return work(begin, end) of each piece, in order; the pieces run at the same time."""
    if min(n_jobs, len(pieces)) == 1:
        return [work(*piece) for piece in pieces]
    with ThreadPoolExecutor(min(n_jobs, len(pieces))) as pool:
        return list(pool.map(lambda piece: work(*piece), pieces))


def clear_of_words(shape: tuple[int, int, int]) -> PackedMask:
    """Return a mask of the shape with no voxel set."""
    mask = PackedMask.empty(shape)
    mask.words[...] = 0
    return mask


def _line(words: UInt64Array) -> tuple[UInt64Array, RowMap]:
    nz, ny, n_words = words.shape
    if words.size == 0:
        return np.empty(0, np.uint64), (0, 1, n_words)
    plane = words.strides[0] // 8 if nz > 1 else ny * n_words
    line = np.lib.stride_tricks.as_strided(
        words, ((nz - 1) * plane + ny * n_words,), (8,), writeable=words.flags.writeable
    )
    return line, (plane, ny, n_words)
