"""Connected components in Numba: runs counted, labelled in slabs of rows, joined at the seams, then numbered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray, Connectivity, Int64Array
from fastgmm.backends._contract import COMPONENT_DTYPE
from fastgmm.backends._numba import components_rows as kernels
from fastgmm.backends._numba.rows import new_mask, pieces_of, read_only, run_pieces, words_of

# Rows met earlier in scan order whose runs may touch those of a row: dz, dy, and whether also one step aside in x.
_NEIGHBOURS = {
    6: [(0, -1, 0), (-1, 0, 0)],
    18: [(0, -1, 1), (-1, 0, 1), (-1, -1, 0), (-1, 1, 0)],
    26: [(0, -1, 1), (-1, 0, 1), (-1, -1, 1), (-1, 1, 1)],
}
_MOST_NARROW = np.iinfo(np.int32).max  # runs and components numbered in 32 bits
_MIN_SLAB_PLANES = 4
_MIN_SLAB_ROWS = 64
_SMALL_TABLE = 1 << 15  # components whose records fit a cache, so that every slab may fill a table of its own


class _Runs:
    """The number of the component of every run; runs and components are numbered in scan order from 0."""

    def __init__(self, mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> None:
        self.shape, self.n_jobs = mask.shape, n_jobs
        nz, ny, _ = mask.shape
        self.words, self.row_map = words_of(mask)
        n_rows = nz * ny if mask.words.size else 0
        smallest = _MIN_SLAB_PLANES * (ny + 1) if nz > 1 else _MIN_SLAB_ROWS
        self.slabs = pieces_of(n_rows, n_jobs, smallest)
        first_run = np.zeros(n_rows + 1, np.int64)
        self.each_slab(lambda begin, end: kernels.count_runs(self.words, self.row_map, begin, end, first_run))
        self.first_run: Int64Array = np.cumsum(first_run)
        n_runs = int(self.first_run[-1])
        self.component = np.empty(n_runs, np.int32 if n_runs <= _MOST_NARROW else np.int64)
        neighbours = np.array(_NEIGHBOURS[connectivity], np.int64)
        shared = self.words, self.row_map
        self.each_slab(
            lambda begin, end: kernels.label_rows(*shared, begin, end, neighbours, self.first_run, self.component)
        )
        for (begin, middle), (_, end) in pairwise(self.slabs):
            last = min(end, middle + ny + 1)
            kernels.join_rows_above(*shared, middle, last, begin, middle, neighbours, self.first_run, self.component)
        self.n_components = int(kernels.number_sets(self.component))

    def each_slab(self, work: Callable[[int, int], None]) -> None:
        run_pieces(work, self.slabs, self.n_jobs)

    def table(self) -> AnyArray:
        """Return a record per component."""
        nz, _, nx = self.shape
        n_columns = COMPONENT_DTYPE.itemsize // 8

        def tally(begin: int, end: int) -> Int64Array:
            records = np.empty((self.n_components, n_columns), np.int64)
            kernels.tally(self.words, self.row_map, nz, nx, begin, end, self.first_run, self.component, records)
            return records

        whole = [(self.slabs[0][0], self.slabs[-1][1])]
        parts = run_pieces(tally, self.slabs if self.n_components <= _SMALL_TABLE else whole, self.n_jobs)
        total = parts[0]
        for part in parts[1:]:
            total[:, 1] += part[:, 1]
            np.minimum(total[:, 2:5], part[:, 2:5], out=total[:, 2:5])
            np.maximum(total[:, 5:8], part[:, 5:8], out=total[:, 5:8])
            total[:, 8:] += part[:, 8:]
        total[:, 0] = np.arange(1, self.n_components + 1)
        table: AnyArray = total.view(COMPONENT_DTYPE)[:, 0]
        return table

    def select(self, keep: BoolArray) -> PackedMask:
        """Return the voxels of the components that are kept."""
        mask, words, row_map = new_mask(self.shape)
        kept = read_only(np.ascontiguousarray(keep))
        self.each_slab(
            lambda begin, end: kernels.select(
                self.words, self.row_map, begin, end, self.first_run, self.component, kept, words, row_map
            )
        )
        return mask


def label_components(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> tuple[AnyArray, int]:
    """Find the runs' components, then write their numbers."""
    runs = _Runs(mask, connectivity, n_jobs)
    labels = np.empty(mask.shape, np.int32 if runs.n_components <= _MOST_NARROW else np.int64)
    flat = labels.reshape(-1)
    runs.each_slab(
        lambda begin, end: kernels.write_labels(
            runs.words, runs.row_map, mask.shape[2], begin, end, runs.first_run, runs.component, flat
        )
    )
    return labels, runs.n_components


def component_table(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> AnyArray:
    """Measure the runs' components."""
    return _Runs(mask, connectivity, n_jobs).table()


def filter_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> PackedMask:
    """Find the components once, show their table, and write the runs of those chosen."""
    runs = _Runs(mask, connectivity, n_jobs)
    return runs.select(choose(runs.table()))


def separate_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> list[PackedMask]:
    """Find the components once and write the runs of each one chosen."""
    runs = _Runs(mask, connectivity, n_jobs)
    chosen = np.flatnonzero(choose(runs.table()))
    return [runs.select(np.arange(runs.n_components) == i) for i in chosen]
