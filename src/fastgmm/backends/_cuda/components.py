"""Connected components on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import PackedMask
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
# Above so many runs or components their numbers are int64.
_MOST_INT32 = 2**31 - 1
_WARP = 32


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
        self.first_run = self._count()
        self.n_runs = int(self.first_run[-1])
        self._index = "int32" if self.n_runs <= _MOST_INT32 else "int64"
        self.component = self._unite(connectivity)
        self.n_components = self._number()

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
        n_fields = COMPONENT_DTYPE.itemsize // 8
        table = self.xp.empty((self.n_components, n_fields), np.int64)
        if self.n_components:
            self._over("start_table", self.n_components, table)
            self._by_row("tally_runs", self.mask.words, *self.mask.shape, self.first_run, self.component, table)
        records: AnyArray = table.get().reshape(-1).view(COMPONENT_DTYPE)
        return records

    def select(self, keep: AnyArray) -> PackedMask:
        """Return the components to keep; a bool array on the device."""
        out = PackedMask.empty(self.mask.shape, like=self.mask.words)
        self._by_row("select_runs", self.mask.words, *self._rows, self.first_run, self.component, keep, out.words)
        return out

    def touched_by(self, seeds: PackedMask) -> AnyArray:
        """Return for each component whether it has a voxel of the seeds, on the device."""
        touched: AnyArray = self.xp.zeros(self.n_components, np.bool_)
        tables = (self.first_run, self.component, touched)
        self._by_row("mark_touched", self.mask.words, seeds.words, *self._rows, *tables)
        return touched

    @property
    def _rows(self) -> tuple[int, int]:
        return self._n_rows, self._n_words

    def _count(self) -> AnyArray:
        """Return the number of each row's first run, and how many there are."""
        n_runs = self.xp.empty(self._n_rows + 1, np.int64)
        n_runs[:1] = 0
        count = kernel(_FIND["int32"], "count_runs")
        count(-(-self._n_rows // count.threads), self.mask.words, *self._rows, n_runs[1:])
        first_run: AnyArray = self.xp.cumsum(n_runs)
        return first_run

    def _unite(self, connectivity: Connectivity) -> AnyArray:
        parents: AnyArray = self.xp.empty(self.n_runs, self._index)
        self._over("start_runs", self.n_runs, parents)
        unite = kernel(_FIND[self._index], "unite_runs")
        sizes = (*self.mask.words.shape, connectivity)
        unite(-(-self._n_rows // unite.threads), self.mask.words, *sizes, self.first_run, parents)
        return parents

    def _number(self) -> int:
        """Turn each run's parent into the number of its component; return how many there are."""
        is_root = self.xp.empty(self.n_runs, np.uint8)
        self._over("find_roots", self.n_runs, self.component, is_root)
        n_roots = self.xp.cumsum(is_root, dtype=self._index)
        self._over("number_runs", self.n_runs, n_roots, self.component)
        return int(n_roots[-1]) if self.n_runs else 0

    def _over(self, name: str, n_items: int, *args: Any) -> None:
        """Launch a kernel with a thread per item, whose number is its first argument."""
        found = kernel(_USE[self._index, "int32"] if name == "start_table" else _FIND[self._index], name)
        found(-(-n_items // found.threads), n_items, *args)

    def _by_row(self, name: str, *args: Any) -> None:
        """Launch a kernel of component_runs.cu with a thread per row."""
        found = kernel(_USE[self._index, "int32"], name)
        found(-(-self._n_rows // found.threads), *args)
