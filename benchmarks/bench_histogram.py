"""Counting under the mask, and labels from the model. make bench BENCH="-k histogram" or "-k labels"."""

import numpy as np
from harness.inputs import CASES, COLD_CASES, LARGE, lines_touched, load, lungs, tissue_table
from harness.memory import N_THREADS, floor_s
from harness.paired import OURS, OURS_BASELINE, OURS_NUMBA, Call, Group, ours
from harness.rows import Panel, stage_test
from rivals import histogram as rivals

from fastgmm.volume import apply_table, histogram


def counts(case: str, state: str) -> Group:
    """How often each HU occurs in the lungs."""
    volume, packed = load(case).volume, lungs(case)
    mask = packed.to_array()

    def pipeline(backend: str) -> Call:
        return Call(
            lambda: histogram(volume, packed, backend=backend, n_jobs=N_THREADS),
            lambda found: rivals.scatter(found.values, found.counts),
        )

    calls = {
        **ours(pipeline),
        "numpy bincount": Call(lambda: rivals.count_numpy(volume, mask)),
        "numpy unique": Call(lambda: rivals.count_numpy_unique(volume, mask)),
        "scipy": Call(lambda: rivals.count_scipy(volume, mask)),
        "scikit-image": Call(lambda: rivals.count_skimage(volume, mask)),
    }
    return Group("histogram", case, state, calls, floor_s(lines_touched(packed, 2) + mask.size / 8, 0))


def labels(case: str, state: str) -> Group:
    """Each lung voxel's most probable class, 0 elsewhere."""
    volume, packed = load(case).volume, lungs(case)
    mask, table = packed.to_array(), tissue_table()
    rolled = np.roll(table, 1 << 15)
    edges = (np.flatnonzero(np.diff(table)) + 1 - (1 << 15)).astype(np.int16)
    out = np.empty(volume.shape, np.uint8)

    def target():
        return np.empty(volume.shape, np.uint8) if state == "cold" else out

    def pipeline(backend: str) -> Call:
        return Call(lambda: apply_table(volume, table, packed, out=target(), backend=backend, n_jobs=N_THREADS))

    calls = {
        **ours(pipeline),
        "numpy table": Call(lambda: rivals.labels_numpy(volume, mask, rolled, target())),
        "numpy take": Call(lambda: rivals.labels_numpy_take(volume, mask, rolled, target())),
        "numpy compares": Call(lambda: rivals.labels_compare(volume, mask, edges, target())),
        "numpy searchsorted": Call(lambda: rivals.labels_digitize(volume, mask, edges, target())),
        "scikit-learn": Call(lambda: rivals.labels_sklearn(volume, mask, target())),
    }
    read = lines_touched(packed, 2) + mask.size / 8
    return Group("labels", case, state, calls, floor_s(read, mask.size))


OURS_ROWS = (OURS, OURS_BASELINE, OURS_NUMBA)
HISTOGRAM = Panel(
    at_full_size_too=(*OURS_ROWS, "numpy bincount", "numpy unique", "scikit-image"),
    small_only=("scipy",),
    strong=("numpy bincount",),
)
LABELS = Panel(
    at_full_size_too=(
        *OURS_ROWS,
        "numpy table",
        "numpy take",
        "numpy compares",
        "numpy searchsorted",
        "scikit-learn",
    ),
    strong=("numpy table", "numpy take", "numpy compares"),
)
test_histogram = stage_test(counts, HISTOGRAM, CASES, cold=COLD_CASES, usual=(LARGE,))
test_labels = stage_test(labels, LABELS, CASES, cold=COLD_CASES, usual=(LARGE,))
