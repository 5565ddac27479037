"""Counting, looking up and comparing in Numba: the pieces of rows, the threads, and the outputs."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, Int16Array, Int64Array, UInt8Array, UInt64Array
from fastgmm.backends._numba import histogram_rows as kernels
from fastgmm.backends._numba.rows import NO_WORDS, RowMap, new_mask, pieces_of, read_only, run_pieces, words_of

_MAX_TABLE = 1 << 22  # counters of one piece
_ALL_TABLES = 1 << 26  # counters of all pieces
_MAX_PIECE = 1 << 31  # voxels whose counts 32 bits hold
_SORTED_PIECE = 1 << 22  # voxels sorted at a time
_LINE = 1 << 16  # voxels of a "row" where there is no mask
_MAX_JUMPS = 12  # a table that changes more often is read voxel by voxel


class _Source:
    """The voxels of a volume under a mask, or all of them, as rows."""

    def __init__(self, volume: AnyArray, mask: PackedMask | None, n_jobs: int) -> None:
        self.voxels = read_only(volume.reshape(-1))
        self.n_jobs = n_jobs
        if mask is None:
            self.nx, self.words, self.row_map = _LINE, read_only(NO_WORDS), (0, 1, 0)
        else:
            self.nx, (self.words, self.row_map) = volume.shape[2], words_of(mask)
        self.n_rows = -(-volume.size // self.nx) if volume.size else 0

    def arguments(self, begin: int, end: int) -> tuple[AnyArray, int, UInt64Array, RowMap, int, int]:
        return self.voxels, self.nx, self.words, self.row_map, begin, end

    def pieces(self, n_voxels: int, most: int) -> list[tuple[int, int]]:
        """Cut into as many pieces as there are threads, `most` of them, but none of more than n_voxels."""
        least = -(-self.voxels.size // n_voxels)
        n_pieces = max(1, min(self.n_rows, max(least, min(self.n_jobs, most))))
        return list(pairwise(i * self.n_rows // n_pieces for i in range(n_pieces + 1)))

    def starts(self, pieces: list[tuple[int, int]]) -> dict[int, int]:
        """Return the running index of the first voxel of each piece, by its first row."""
        counts = run_pieces(
            lambda begin, end: int(kernels.count_voxels(*self.arguments(begin, end))), pieces, self.n_jobs
        )
        return {first: n for (first, _), n in zip(pieces, accumulate(counts, initial=0), strict=False)}

    def span(self) -> tuple[int, int]:
        """Return the least and the largest value; the least is larger if there is none."""
        ends = run_pieces(
            lambda begin, end: kernels.find_span(*self.arguments(begin, end)),
            pieces_of(self.n_rows, self.n_jobs),
            self.n_jobs,
        )
        return int(min(low for low, _ in ends)), int(max(high for _, high in ends))


def histogram(volume: AnyArray, mask: PackedMask | None, phases: int, n_jobs: int) -> tuple[Int64Array, Int64Array]:
    """Count in tables; values of a wide range are sorted."""
    source = _Source(volume, mask, n_jobs)
    low, high = np.iinfo(volume.dtype).min, np.iinfo(volume.dtype).max
    if (high - low + 1) * phases > _MAX_TABLE:
        low, high = source.span()
    if volume.size == 0 or low > high:
        return np.empty(0, np.int64), np.empty((phases, 0), np.int64)
    if (high - low + 1) * phases > _MAX_TABLE:
        return _count_sorted(source, low, phases)
    return _count_in_tables(source, low, high - low + 1, phases)


def _count_in_tables(source: _Source, low: int, n_bins: int, phases: int) -> tuple[Int64Array, Int64Array]:
    n_lanes = 4 if 4 % phases == 0 and n_bins * 4 <= _MAX_TABLE else phases
    pieces = source.pieces(_MAX_PIECE, _ALL_TABLES // (n_bins * n_lanes))
    starts = source.starts(pieces) if phases > 1 else dict.fromkeys((first for first, _ in pieces), 0)

    def count(begin: int, end: int) -> AnyArray:
        counters = np.zeros((n_bins, n_lanes), np.uint32)
        kernels.count(*source.arguments(begin, end), low, starts[begin] % n_lanes, counters)
        return counters

    totals = np.zeros((n_bins, n_lanes), np.int64)
    for counters in run_pieces(count, pieces, source.n_jobs):
        totals += counters
    by_phase = totals.reshape(n_bins, n_lanes // phases, phases).sum(axis=1)
    found = np.flatnonzero(by_phase.any(axis=1))
    return found + low, np.ascontiguousarray(by_phase[found].T)


def _count_sorted(source: _Source, low: int, phases: int) -> tuple[Int64Array, Int64Array]:
    """Sort keys of value and phase, piece by piece, and add up equal ones."""
    pieces = source.pieces(_SORTED_PIECE, source.n_jobs)
    starts = source.starts(pieces)

    def count(begin: int, end: int) -> tuple[Int64Array, Int64Array]:
        keys = np.empty(kernels.count_voxels(*source.arguments(begin, end)), np.int64)
        kernels.gather_keys(*source.arguments(begin, end), low, starts[begin] % phases, phases, keys)
        return np.unique(keys, return_counts=True)

    keys, counts = (np.concatenate(part) for part in zip(*run_pieces(count, pieces, source.n_jobs), strict=True))
    values, which = np.unique(keys // phases, return_inverse=True)
    by_phase = np.zeros((phases, values.size), np.int64)
    np.add.at(by_phase, (keys % phases, which), counts)
    return values + low, by_phase


def apply_table(volume: Int16Array, table: UInt8Array, mask: PackedMask | None, out: UInt8Array, n_jobs: int) -> None:
    """Compare with the values where the table changes, or read it where it changes often."""
    source = _Source(volume, mask, n_jobs)
    changes = np.flatnonzero(table[1:] != table[:-1]) + 1
    few = changes.size <= _MAX_JUMPS
    jumps_at = (changes[: changes.size * few] - 32768).astype(np.int16)
    jumps_by = np.diff(table)[changes[: jumps_at.size] - 1]
    labels, flat = read_only(table), out.reshape(-1)

    def look_up(begin: int, end: int) -> None:
        kernels.look_up(*source.arguments(begin, end), labels, few, jumps_at, jumps_by, flat)

    run_pieces(look_up, pieces_of(source.n_rows, n_jobs), n_jobs)


def label_values(values: AnyArray, first: int, table: UInt8Array, out: AnyArray, n_jobs: int) -> bool:
    """Read the table value by value."""
    unsigned, labels = read_only(values.view(f"u{values.itemsize}")), read_only(table)
    start = np.uint64(first % (1 << 8 * values.itemsize))
    width = np.uint64((1 << 8 * values.itemsize) - 1)

    def label(begin: int, end: int) -> bool:
        return bool(kernels.label(unsigned[begin:end], start, width, labels, out[begin:end]))

    return all(run_pieces(label, pieces_of(values.size, n_jobs, _LINE), n_jobs))


def threshold_below(volume: AnyArray, value: int, n_jobs: int) -> PackedMask:
    """Compare 64 voxels at a time."""
    mask, words, row_map = new_mask(volume.shape)
    ends = np.iinfo(volume.dtype)
    if value > ends.max or volume.size == 0:
        mask.words[...] = 0
        return ~mask if value > ends.max else mask
    voxels, limit = read_only(volume.reshape(-1)), volume.dtype.type(max(value, int(ends.min)))

    def compare(begin: int, end: int) -> None:
        kernels.compare(voxels, volume.shape[2], limit, words, row_map, begin, end)

    run_pieces(compare, pieces_of(volume.shape[0] * volume.shape[1], n_jobs), n_jobs)
    return mask
