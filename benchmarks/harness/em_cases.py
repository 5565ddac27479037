"""The data, starts, floors and targets of `bench_em.py`."""

import os
from typing import NamedTuple

import numpy as np

from fastgmm import _core
from harness.memory import N_THREADS, bandwidth

SHARE = float(os.environ.get("FASTGMM_BENCH_SHARE", "1"))
STEPS = 3
CHECKED_ROWS = 100_000
# One multiplication with an addition, or another operation, on vectors: two a cycle and thread.
WIDTH = {"baseline": 2, "avx2": 4, "avx512": 8}[_core.simd_level()]
CLOCK_HZ = 2.6e9
_EXP, _LOG = 17, 15  # operations of `csrc/shared/gaussian.h`


class Case(NamedTuple):
    """A mixture of well and less well separated components."""

    name: str
    n: int
    d: int
    n_components: int
    covariance_type: str = "full"
    integers: bool = False

    @property
    def n_rows(self) -> int:
        return max(int(self.n * SHARE), 2000, 10 * self.d * self.n_components)


KINDS = ("full", "tied", "diag", "spherical")
CASES = [
    Case("integers d=1 n=1e7 K=5", 10_000_000, 1, 5, integers=True),
    Case("floats d=1 n=1e6 K=5", 1_000_000, 1, 5),
    *(Case(f"d=3 n=1e6 K=8 {kind}", 1_000_000, 3, 8, kind) for kind in KINDS),
    Case("d=8 n=2e5 K=8 full", 200_000, 8, 8),
    Case("d=32 n=2e5 K=8 full", 200_000, 32, 8),
    Case("d=128 n=5e4 K=16 full", 50_000, 128, 16),
]
EQUAL_CASES = [
    Case("integers d=1 n=2e5 K=5", 200_000, 1, 5, integers=True),
    Case("floats d=1 n=1e5 K=5", 100_000, 1, 5),
    Case("d=3 n=1e5 K=8 full", 100_000, 3, 8),
    Case("d=8 n=5e4 K=8 full", 50_000, 8, 8),
]
DEFAULT_CASES = [Case("d=1 n=1e6 K=5", 1_000_000, 1, 5), Case("d=8 n=1e6 K=5", 1_000_000, 8, 5)]


def rows_of(case: Case) -> np.ndarray:
    """Return the rows, int16 or float64, the same in every run."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 4, (case.n_components, case.d))
    X = rng.normal(size=(case.n_rows, case.d))
    X += centres[rng.integers(case.n_components, size=case.n_rows)]
    return np.round(X * 100 - 500).astype(np.int16) if case.integers else X


def start_of(case: Case, X: np.ndarray) -> dict[str, np.ndarray]:
    """Return equal weights, means at rows, and precisions of all rows' variance."""
    k, d = case.n_components, case.d
    precision = 1 / X[:CHECKED_ROWS].astype(float).var()
    shapes = {
        "full": np.repeat(np.eye(d)[np.newaxis], k, axis=0),
        "tied": np.eye(d),
        "diag": np.ones((k, d)),
        "spherical": np.ones(k),
    }
    return {
        "weights_init": np.full(k, 1 / k),
        "means_init": X[np.random.default_rng(1).choice(len(X), k, replace=False)].astype(float),
        "precisions_init": shapes[case.covariance_type] * precision,
    }


def _operations(case: Case, n: float) -> tuple[float, float]:
    """Return the operations of densities and of the sums of moments of n rows."""
    d, k = case.d, case.n_components
    product = d * (d + 1) // 2
    density = {"full": product + 2 * d, "tied": 2 * d, "diag": 3 * d, "spherical": 3 * d}[case.covariance_type]
    moments = {"full": product + 2 * d, "tied": 2 * d, "diag": 3 * d, "spherical": 3 * d}[case.covariance_type]
    shared = product if case.covariance_type == "tied" else 0  # tied: one transformation serves all components
    return n * (k * (density + 1) + shared), n * (k * (moments + 2 + _EXP) + _LOG)


def _seconds(operations: float) -> float:
    return operations / (2 * CLOCK_HZ * WIDTH * N_THREADS)


def n_distinct(X: np.ndarray) -> int:
    """Return how many values an integer column has."""
    return int(np.count_nonzero(np.bincount(X[:, 0].astype(np.int64) - int(X.min()))))


def step_floor(case: Case, X: np.ndarray) -> float:
    """Seconds of one EM step by its operations; on counts those of the distinct values."""
    return _seconds(sum(_operations(case, n_distinct(X) if case.integers else len(X))))


def fit_floor(case: Case, X: np.ndarray) -> float:
    """Seconds of all steps, and of one read of the rows where they are counted."""
    read = X.nbytes / bandwidth()["read"] if case.integers else 0.0
    return STEPS * step_floor(case, X) + read


def predict_floor(case: Case, X: np.ndarray, label_bytes: int = 8) -> float:
    """Seconds of the densities by their operations, or of the bytes that must move if that takes longer."""
    move = X.nbytes / bandwidth()["read"] + len(X) * label_bytes / bandwidth()["fill"]
    return move if case.integers else max(move, _seconds(_operations(case, len(X))[0]))


def asked(table: str, case: Case, who: str) -> float | None:
    """Return how many times faster than a peer the issue asks us to be, None where it does not ask."""
    by_size = {1: (40.0, 2.0), 3: (8.0, None), 8: (3.0, 1.0), 32: (3.0, 1.0), 128: (1.2, None)}
    if table == "default":
        by_size = {1: (10.0, None), 8: (3.0, None)}
    pair = by_size[case.d]
    if case.integers:
        pair = (200.0, 20.0) if table == "fit" else (1000.0, 100.0)
    if who == "scikit-learn" and table in ("fit", "step", "predict", "default"):
        return pair[0]
    # daal4py has no assignment of its own; with floats its figure is one per iteration.
    if who == "daal4py" and table == ("fit" if case.integers else "step"):
        return pair[1]
    return 100.0 if who == "daal4py" and table == "step" else None
