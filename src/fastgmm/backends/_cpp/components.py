"""Connected components on the compiled kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastgmm import _core
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray, Connectivity, Int32Array, Int64Array
from fastgmm.backends._contract import COMPONENT_DTYPE


def label_components(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> tuple[AnyArray, int]:
    """Find the runs' components, then write their numbers."""
    runs = _find(mask, connectivity, n_jobs)
    labels: Int32Array | Int64Array
    if runs.n_components <= np.iinfo(np.int32).max:
        labels = np.empty(mask.shape, np.int32)
    else:
        labels = np.empty(mask.shape, np.int64)
    runs.write_labels(labels)
    return labels, runs.n_components


def component_table(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> AnyArray:
    """Measure the runs' components."""
    return _table(_find(mask, connectivity, n_jobs))


def filter_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> PackedMask:
    """Find the components once, show their table, and write the runs of those chosen."""
    runs = _find(mask, connectivity, n_jobs)
    chosen = PackedMask.empty(mask.shape)
    runs.select(choose(_table(runs)), chosen.words)
    return chosen


def separate_components(
    mask: PackedMask, connectivity: Connectivity, choose: Callable[[AnyArray], BoolArray], n_jobs: int
) -> list[PackedMask]:
    """Find the components once and write the runs of each one chosen."""
    runs = _find(mask, connectivity, n_jobs)
    chosen = choose(_table(runs))
    parts = []
    for i in np.flatnonzero(chosen):
        only = np.zeros(chosen.shape, np.bool_)
        only[i] = True
        parts.append(PackedMask.empty(mask.shape))
        runs.select(only, parts[-1].words)
    return parts


def _find(mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> _core.ComponentRuns:
    return _core.ComponentRuns(mask.words, nx=mask.shape[2], connectivity=connectivity, n_jobs=n_jobs)


def _table(runs: _core.ComponentRuns) -> AnyArray:
    table = np.empty(runs.n_components, COMPONENT_DTYPE)
    runs.write_table(table.view(np.int64).reshape(table.size, COMPONENT_DTYPE.itemsize // 8))
    return table
