"""Labels from masks, and labels kept within others, in Numba."""

from __future__ import annotations

from fastgmm._packed_mask import PackedMask
from fastgmm._types import UInt8Array
from fastgmm.backends._numba import labels_rows as kernels
from fastgmm.backends._numba.rows import pieces_of, read_only, run_pieces, words_of


def number_masks(masks: list[PackedMask], out: UInt8Array, n_jobs: int) -> None:
    """Write the numbers of one mask after the other, the last one first."""
    flat, (nz, ny, nx) = out.reshape(-1), out.shape
    words = [words_of(mask) for mask in masks]

    def number(begin: int, end: int) -> None:
        flat[begin * nx : end * nx] = 0
        for i in reversed(range(len(masks))):
            kernels.number_rows(*words[i], nx, i + 1, flat, begin, end)

    if out.size:
        run_pieces(number, pieces_of(nz * ny, n_jobs), n_jobs)


def keep_within(labels: UInt8Array, out: UInt8Array, n_jobs: int) -> None:
    """Compare voxel by voxel."""
    given, flat = read_only(labels.reshape(-1)), out.reshape(-1)
    run_pieces(lambda begin, end: kernels.keep(given, flat, begin, end), pieces_of(flat.size, n_jobs), n_jobs)
