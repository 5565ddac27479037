"""The published median of labels, 4 x 4 x 4. make bench BENCH="-k median"."""

import numpy as np
from harness.inputs import CASES, COLD_CASES, LARGE, load, lungs, tissue_table
from harness.memory import N_THREADS, floor_s
from harness.paired import OURS, OURS_BASELINE, OURS_NUMBA, Call, Group, ours
from harness.rows import Panel, stage_test
from rivals import median

from fastgmm.volume import apply_table, median_filter

SIZE = (4, 4, 4)


def published_median(case: str, state: str) -> Group:
    """Scans: the labels of the lungs. Noise: random labels 1..5 where the noise is, 0 elsewhere."""
    data = load(case)
    if data.is_noise:
        tissue = np.random.default_rng(1).integers(1, 6, data.volume.shape, np.uint8)
        labels = np.where(lungs(case).to_array(), tissue, np.uint8(0))
    else:
        labels = apply_table(data.volume, tissue_table(), lungs(case))
    out = np.empty_like(labels)

    def target():
        return np.empty_like(labels) if state == "cold" else out

    calls = {
        **ours(
            lambda backend: Call(lambda: median_filter(labels, SIZE, out=target(), backend=backend, n_jobs=N_THREADS))
        ),
        "numpy sums": Call(lambda: median.median_numpy(labels, SIZE, target())),
        "numpy sums by slabs": Call(lambda: median.median_numpy(labels, SIZE, target(), median.SLAB_BYTES)),
        "scipy": Call(lambda: median.median_scipy(labels, SIZE, target())),
    }
    return Group("median 4x4x4", case, state, calls, floor_s(labels.nbytes, labels.nbytes))


PANEL = Panel(
    at_full_size_too=(OURS, OURS_BASELINE, OURS_NUMBA, "numpy sums", "numpy sums by slabs", "scipy"),
    strong=("numpy sums", "numpy sums by slabs"),
)
test_median = stage_test(published_median, PANEL, CASES, cold=COLD_CASES, usual=(LARGE,))
