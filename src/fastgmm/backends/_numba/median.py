"""The median of labels in Numba: the labels that occur, the blocks and the threads."""

from __future__ import annotations

import numpy as np

from fastgmm._types import Int64Array, Shape3, UInt8Array
from fastgmm.backends._numba import median_rows as kernels
from fastgmm.backends._numba.rows import pieces_of, read_only, run_pieces

_FEW = 8  # labels below this may all occur; of others it is looked up which do
_BLOCK_ROWS = 64


def median_filter(labels: UInt8Array, size: Shape3, out: UInt8Array, n_jobs: int) -> None:
    """Count the labels above each level in every box."""
    if labels.size == 0:
        return
    nz, ny, nx = labels.shape
    rows = read_only(labels.reshape(nz * ny, nx))
    largest = np.empty(nz * ny, np.uint8)
    pieces = pieces_of(nz * ny, n_jobs)
    run_pieces(lambda begin, end: kernels.largest_of_rows(rows, begin, end, largest), pieces, n_jobs)
    top = int(largest.max())
    if top < _FEW:
        occurring = np.arange(top + 1)
    else:
        found = run_pieces(lambda begin, end: kernels.occurring(rows, begin, end), pieces, n_jobs)
        occurring = np.flatnonzero(np.logical_or.reduce(found))
    # Levels of a label: how many of the thresholds it is above.
    levels = np.searchsorted(occurring, largest.reshape(nz, ny)).astype(np.uint8)
    steps = np.diff(occurring).astype(np.uint8)
    n = size[0] * size[1] * size[2]
    sums = np.uint8 if n <= np.iinfo(np.uint8).max else np.uint16
    near_z, near_y, near_x = (_near(*axis) for axis in zip(labels.shape, size, strict=True))

    def filter_planes(begin: int, end: int) -> None:
        line = np.empty(nx + size[2], sums)
        for y in range(0, ny, _BLOCK_ROWS):
            kernels.filter_block(
                rows,
                out.reshape(nz * ny, nx),
                (begin, end, y, min(ny, y + _BLOCK_ROWS)),
                (near_z, near_y, near_x),
                levels,
                occurring.astype(np.uint8),
                steps,
                n - n // 2,
                line,
            )

    run_pieces(filter_planes, pieces_of(nz, n_jobs), n_jobs)


def _near(length: int, size: int) -> Int64Array:
    """Return which index stands at -(size // 2) .. length + size - 2 - size // 2, reflected about the border."""
    place = (np.arange(length + size - 1) - size // 2) % (2 * length)
    return np.where(place < length, place, 2 * length - 1 - place)
