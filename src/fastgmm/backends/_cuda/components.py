"""Connected components on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import WORD_BITS, PackedMask
from fastgmm._types import AnyArray, BoolArray, Connectivity
from fastgmm.backends._contract import COMPONENT_DTYPE
from fastgmm.backends._cuda._device import Variant, kernel

_C_TYPES = {"int32": "int", "int64": "long long"}
_FIND = {name: Variant("cuda/components.cu", (("FG_INDEX", text),)) for name, text in _C_TYPES.items()}
_USE = {
    (index, label): Variant("cuda/component_runs.cu", (("FG_INDEX", _C_TYPES[index]), ("FG_LABEL", _C_TYPES[label])))
    for index, label in (("int32", "int32"), ("int64", "int32"), ("int64", "int64"))
}
VARIANTS = (*_FIND.values(), *_USE.values())
# Where there may be more runs, or are more components, their numbers are int64.
_MOST_INT32 = 2**31 - 1
_WARP = 32
# Components measured before it is known how many there are: 29 kB to move, and rarely more.
_FIRST_RECORDS = 256


def label_components(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> tuple[AnyArray, int]:
    """Find the runs' components, then write their numbers."""
    runs = ComponentRuns(mask, connectivity)
    return runs.labels(), runs.n_components


def component_table(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> AnyArray:
    """Measure the runs' components; the table is a NumPy array."""
    return ComponentRuns(mask, connectivity).table()


def filter_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> PackedMask:
    """Find the components once, show their table, and write the runs of those chosen."""
    runs = ComponentRuns(mask, connectivity)
    return runs.select(runs.xp.asarray(choose(runs.table())))


def separate_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> list[PackedMask]:
    """Find the components once and write the runs of each one chosen."""
    runs = ComponentRuns(mask, connectivity)
    parts = []
    for i in np.flatnonzero(choose(runs.table())):
        only = runs.xp.zeros(runs.n_components, np.bool_)
        only[i] = True
        parts.append(runs.select(only))
    return parts


class ComponentRuns:
    """The runs of a mask, each with the number of its component, from 0."""

    def __init__(self, mask: PackedMask, connectivity: Connectivity) -> None:
        self.mask = mask
        self.xp: Any = array_module(mask.words)
        nz, ny, self._n_words = mask.words.shape
        self._n_rows = nz * ny if self._n_words else 0
        most_runs = WORD_BITS // 2 * self._n_rows * self._n_words
        self._index = "int32" if most_runs <= _MOST_INT32 else "int64"
        self._find, self._use = _FIND[self._index], _USE[self._index, "int32"]
        self.first_run = self._count()
        self.n_runs = int(self.first_run[-1])
        self.component = self._unite(connectivity)
        self._n_roots = self._number()
        self._n_components = None if self.n_runs else 0

    @property
    def n_components(self) -> int:
        """How many there are: asked of the device when first needed."""
        if self._n_components is None:
            self._n_components = int(self._n_roots[-1])
        return self._n_components

    def labels(self) -> AnyArray:
        """Return the numbers from 1 of the voxels' components, 0 outside the mask."""
        dtype = "int32" if self.n_components <= _MOST_INT32 else "int64"
        labels: AnyArray = self.xp.empty(self.mask.shape, dtype)
        write = kernel(_USE[self._index, dtype], "write_labels")
        n_blocks = -(-self._n_rows * _WARP // write.threads)
        write(n_blocks, self.mask.words, self._n_rows, self.mask.shape[2], self.first_run, self.component, labels)
        return labels

    def table(self) -> AnyArray:
        """Return the measures of the components."""
        records, n = self._measure(min(self.n_runs, _FIRST_RECORDS))
        if n > records.size:
            records, n = self._measure(n)
        self._n_components = n
        return records[:n]

    def _measure(self, n_records: int) -> tuple[AnyArray, int]:
        """Return the measures of the first components, and how many components there are, by one wait."""
        if not n_records:
            return np.empty(0, COMPONENT_DTYPE), 0
        table = self.xp.empty((n_records + 1, COMPONENT_DTYPE.itemsize // 8), np.int64)
        self._over(self._use, "start_table", n_records, self._n_roots[-1:], table)
        tables = (self.first_run, self.component, n_records, table)
        self._by_word(self._use, "tally_runs", self.mask.words, *self.mask.shape, *tables)
        records: AnyArray = table.get().reshape(-1).view(COMPONENT_DTYPE)
        return records[:-1], int(records["label"][-1])

    def select(self, keep: AnyArray) -> PackedMask:
        """Return the components to keep; a bool array on the device."""
        out = PackedMask.empty(self.mask.shape, like=self.mask.words)
        tables = (self.first_run, self.component, keep, out.words)
        self._by_word(self._use, "select_runs", self.mask.words, *self._rows, *tables)
        return out

    def touched_by(self, seeds: PackedMask) -> AnyArray:
        """Return for each component whether it has a voxel of the seeds, on the device."""
        touched: AnyArray = self.xp.zeros(self.n_components, np.bool_)
        tables = (self.first_run, self.component, touched)
        self._by_word(self._use, "mark_touched", self.mask.words, seeds.words, *self._rows, *tables)
        return touched

    @property
    def _rows(self) -> tuple[int, int]:
        return self._n_rows, self._n_words

    def _count(self) -> AnyArray:
        """Return for each word how many runs begin before it, and how many there are."""
        n_runs = self.xp.empty(self.mask.words.size + 1, np.uint8)
        count = kernel(self._find, "count_runs")
        count(self.mask.words.size // count.threads + 1, self.mask.words, *self._rows, n_runs)
        first_run: AnyArray = self.xp.cumsum(n_runs, dtype=self._index)
        return first_run

    def _unite(self, connectivity: Connectivity) -> AnyArray:
        parents: AnyArray = self.xp.empty(self.n_runs, self._index)
        sizes = (*self.mask.words.shape, connectivity)
        tables = (self.mask.words, *sizes, self.first_run, parents)
        self._by_word(self._find, "hang_runs", *tables)
        self._over(self._find, "shorten_paths", self.n_runs, parents)
        self._by_word(self._find, "unite_runs", *tables)
        return parents

    def _number(self) -> AnyArray:
        """Turn each run's parent into the number of its component; return how many there are up to each run."""
        is_root = self.xp.empty(self.n_runs, self._index)
        self._over(self._find, "find_roots", self.n_runs, self.component, is_root)
        n_roots: AnyArray = self.xp.cumsum(is_root, dtype=self._index)
        self._over(self._find, "number_runs", self.n_runs, n_roots, self.component)
        return n_roots

    def _over(self, variant: Variant, name: str, n_items: int, *args: Any) -> None:
        """Launch a kernel with a thread per item, whose number is its first argument."""
        found = kernel(variant, name)
        found(-(-n_items // found.threads), n_items, *args)

    def _by_word(self, variant: Variant, name: str, *args: Any) -> None:
        """Launch a kernel with a thread per word of the mask."""
        found = kernel(variant, name)
        found(-(-self.mask.words.size // found.threads), *args)
