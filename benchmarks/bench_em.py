"""EM steps, whole fits and assignment: FastGMM beside the tools people use, from the same start, answers checked first.

    pytest benchmarks/bench_em.py -s [-k "floats and not d128"] [--benchmark-min-rounds=5]

Two threads for everyone. FASTGMM_BENCH_SHARE (default 1) scales the numbers of rows, FASTGMM_BENCH_OUT names a file for
the table, SCIPY_ARRAY_API=1 lets scikit-learn run on PyTorch too. A peer that is not installed is left out. The table
has medians, their ratio to FastGMM, and a floor: the multiply-adds, exp and log of all steps at the rate of the vector
units without a stall (two operations per cycle at 2.6 GHz, two threads).
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from fastgmm import FastGMM, Histogram, _core

SHARE = float(os.environ.get("FASTGMM_BENCH_SHARE", "1"))
N_THREADS = 2
STEPS = 3
ROUNDS = 5
WIDTH = {"baseline": 2, "avx2": 4, "avx512": 8}[_core.simd_level()]
NUMBERS_PER_SECOND = 2.6e9 * 2 * WIDTH * N_THREADS
PEERS = ["scikit-learn", "daal4py", "scikit-learn on torch", "pomegranate"]


class Case(NamedTuple):
    name: str
    n: int
    d: int
    n_components: int
    covariance_type: str = "full"
    integers: bool = False


CASES = [
    Case("integers", 10_000_000, 1, 5, integers=True),
    Case("floats", 1_000_000, 1, 5),
    *(Case(f"d3 {kind}", 1_000_000, 3, 8, kind) for kind in ("full", "tied", "diag", "spherical")),
    Case("d8", 200_000, 8, 8),
    Case("d32", 200_000, 32, 8),
    Case("d128", 50_000, 128, 16),
]
COLUMNS = ["floor", "fastgmm", "fastgmm squarem", *PEERS]
MODULES = {
    "numpy": "numpy",
    "scikit-learn": "sklearn",
    "daal4py": "daal4py",
    "torch": "torch",
    "pomegranate": "pomegranate",
}
PACKAGES = list(MODULES)
RESULTS: dict[tuple[str, str], dict[str, float]] = {}


def rows_of(case: Case) -> np.ndarray:
    rng = np.random.default_rng(0)
    n = max(int(case.n * SHARE), 1000)
    centres = rng.normal(0, 4, (case.n_components, case.d))
    X = centres[rng.integers(case.n_components, size=n)] + rng.normal(size=(n, case.d))
    return np.round(X * 100 - 500).astype(np.int16) if case.integers else X


def start_of(case: Case, X: np.ndarray) -> dict[str, np.ndarray]:
    k, d = case.n_components, case.d
    precision = 1 / X[:100_000].astype(float).var()
    shapes = {
        "full": np.repeat(np.eye(d)[None], k, axis=0),
        "tied": np.eye(d),
        "diag": np.ones((k, d)),
        "spherical": np.ones(k),
    }
    means = X[np.random.default_rng(1).choice(len(X), k, replace=False)].astype(float)
    return {
        "weights_init": np.full(k, 1 / k),
        "means_init": means,
        "precisions_init": shapes[case.covariance_type] * precision,
    }


def model_of(kind: type, case: Case, start: dict, **settings) -> GaussianMixture:
    return kind(case.n_components, covariance_type=case.covariance_type, tol=0, max_iter=STEPS, **start, **settings)


def fit_ours(case: Case, X: np.ndarray, start: dict) -> np.ndarray:
    return model_of(FastGMM, case, start, n_jobs=N_THREADS).fit(X).means_


def fit_scikit_learn(case: Case, X: np.ndarray, start: dict) -> np.ndarray:
    return model_of(GaussianMixture, case, start).fit(X.astype(float, copy=False)).means_


def fit_daal4py(case: Case, X: np.ndarray, start: dict) -> np.ndarray:
    # daal4py 2024.7 fails to import its patches of scikit-learn 1.9, which are not needed for its own algorithms.
    sys.modules.setdefault("daal4py.sklearn", types.ModuleType("daal4py.sklearn"))
    import daal4py

    if case.covariance_type not in ("full", "diag"):
        pytest.skip("daal4py has full and diagonal covariances")
    daal4py.daalinit(N_THREADS)
    storage = {"full": "full", "diag": "diagonal"}[case.covariance_type]
    algorithm = daal4py.em_gmm(
        nComponents=case.n_components, maxIterations=STEPS, accuracyThreshold=0.0, covarianceStorage=storage
    )
    inverse = np.linalg.inv if case.covariance_type == "full" else lambda p: 1 / p[np.newaxis]
    covariances = [np.ascontiguousarray(inverse(p)) for p in start["precisions_init"]]
    found = algorithm.compute(
        X.astype(float, copy=False), start["weights_init"][np.newaxis], start["means_init"], covariances
    )
    return found.means


def fit_pomegranate(case: Case, X: np.ndarray, start: dict) -> np.ndarray:
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    torch.set_num_threads(N_THREADS)
    parts = [
        Normal(torch.tensor(mean), torch.tensor(np.linalg.inv(precision)))
        for mean, precision in zip(start["means_init"], start["precisions_init"], strict=True)
    ]
    model = GeneralMixtureModel(parts, priors=torch.tensor(start["weights_init"]), max_iter=STEPS, tol=0.0)
    model.fit(torch.tensor(X.astype(float, copy=False)))
    return np.stack([part.means.numpy() for part in model.distributions])


def fit_torch(case: Case, X: np.ndarray, start: dict) -> np.ndarray:
    import torch

    torch.set_num_threads(N_THREADS)
    tensors = {name: torch.tensor(value) for name, value in start.items()}
    with sklearn.config_context(array_api_dispatch=True):
        model = model_of(GaussianMixture, case, tensors, init_params="random_from_data")
        return model.fit(torch.tensor(X.astype(float, copy=False))).means_.numpy()


FITS: dict[str, Callable[[Case, np.ndarray, dict], np.ndarray]] = {
    "fastgmm": fit_ours,
    "scikit-learn": fit_scikit_learn,
    "daal4py": fit_daal4py,
    "scikit-learn on torch": fit_torch,
    "pomegranate": fit_pomegranate,
}


def installed(who: str) -> bool:
    return (
        importlib.util.find_spec({"scikit-learn": "sklearn", "scikit-learn on torch": "torch"}.get(who, who))
        is not None
    )


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case_and_rows(request: pytest.FixtureRequest):
    X = rows_of(request.param)
    return request.param, X, start_of(request.param, X)


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(N_THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.mark.parametrize("who", FITS)
def test_fit(benchmark, case_and_rows, who: str) -> None:
    """The same number of steps from the same start."""
    case, X, start = case_and_rows
    if not installed(who):
        pytest.skip(f"{who} is not installed")
    if who == "scikit-learn on torch" and os.environ.get("SCIPY_ARRAY_API") != "1":
        pytest.skip("scikit-learn's array API needs SCIPY_ARRAY_API=1")
    if who == "pomegranate" and case.covariance_type != "full":
        pytest.skip("pomegranate's other covariance types start differently")
    benchmark.group = f"fit {case.name}"
    np.testing.assert_allclose(FITS[who](case, X, start), fit_ours(case, X, start), rtol=1e-5, atol=1e-5)
    benchmark.pedantic(FITS[who], (case, X, start), rounds=ROUNDS, iterations=1)
    RESULTS.setdefault(("fit", case.name), {})[who] = statistics.median(benchmark.stats.stats.data)
    RESULTS["fit", case.name]["floor"] = floor_of(case, len(X))


@pytest.mark.parametrize("who", ["fastgmm", "scikit-learn"])
def test_predict(benchmark, case_and_rows, who: str) -> None:
    case, X, start = case_and_rows
    ours = model_of(FastGMM, case, start, n_jobs=N_THREADS).fit(X)
    judge = GaussianMixture(case.n_components, covariance_type=case.covariance_type)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(judge, name, getattr(ours, name))
    floats = X.astype(float, copy=False)
    assert np.mean(ours.predict(X) != judge.predict(floats)) < 1e-6
    benchmark.group = f"predict {case.name}"
    work = (lambda: ours.predict(X)) if who == "fastgmm" else (lambda: judge.predict(floats))
    benchmark.pedantic(work, rounds=ROUNDS, iterations=1)
    RESULTS.setdefault(("predict", case.name), {})[who] = statistics.median(benchmark.stats.stats.data)


@pytest.mark.parametrize("who", ["fastgmm", "scikit-learn"])
@pytest.mark.parametrize("d", [1, 8])
def test_default_arguments(benchmark, d: int, who: str) -> None:
    """A whole fit as users write it, k-means start included."""
    case = Case(f"default d{d}", 1_000_000, d, 5)
    X = rows_of(case)
    kind = {"fastgmm": FastGMM, "scikit-learn": GaussianMixture}[who]
    bounds = [k(5, random_state=0).fit(X).lower_bound_ for k in (FastGMM, GaussianMixture)]
    assert bounds[0] == pytest.approx(bounds[1], rel=1e-6)
    benchmark.group = case.name
    benchmark.pedantic(lambda: kind(5, random_state=0).fit(X), rounds=ROUNDS, iterations=1)
    RESULTS.setdefault(("fit", case.name), {})[who] = statistics.median(benchmark.stats.stats.data)


def test_step_on_counts(benchmark) -> None:
    """One EM step on the histogram; the peers' is their fit over its steps, from the row above."""
    case = CASES[0]
    X = rows_of(case)
    counts, start, n_steps = Histogram.from_array(X[:, 0]), start_of(case, X), 200
    model = FastGMM(case.n_components, tol=0, max_iter=n_steps, n_jobs=N_THREADS, **start)
    benchmark.group = "step integers"
    benchmark.pedantic(lambda: model.fit_histogram(counts), rounds=ROUNDS, iterations=1)
    peers = {who: time / STEPS for who, time in RESULTS.get(("fit", case.name), {}).items() if who != "fastgmm"}
    ours = statistics.median(benchmark.stats.stats.data) / n_steps
    RESULTS["step", case.name] = {**peers, "fastgmm": ours, "floor": floor_of(case, 0) / STEPS}


@pytest.mark.parametrize("who", ["fastgmm", "fastgmm squarem", "scikit-learn"])
@pytest.mark.parametrize("d", [1, 8])
def test_equal_likelihood(benchmark, d: int, who: str) -> None:
    """From the same start to a mean log-likelihood within 1e-4 of where scikit-learn's stops at tol 1e-6."""
    case = Case(f"d{d}", 100_000, d, 5)
    X = rows_of(case)
    settings = {**start_of(case, X), "tol": 1e-6, "max_iter": 1000}
    judge = GaussianMixture(5, **settings).fit(X)
    acceleration = "squarem" if who == "fastgmm squarem" else None

    def fit():
        if who == "scikit-learn":
            return GaussianMixture(5, **settings).fit(X)
        return FastGMM(5, n_jobs=N_THREADS, acceleration=acceleration, **settings).fit(X)

    assert fit().score(X) > judge.score(X) - 1e-4
    benchmark.group = f"equal likelihood d{d}"
    benchmark.pedantic(fit, rounds=ROUNDS, iterations=1)
    RESULTS.setdefault(("equal likelihood", case.name), {})[who] = statistics.median(benchmark.stats.stats.data)


MEMORY = """
import resource, sys, numpy as np
from {module} import {name} as Model
X = np.random.default_rng(0).normal(size=({n}, 1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Model(5, max_iter=1, tol=0, weights_init=[.2] * 5, means_init=[[-2], [-1], [0], [1], [2]],
      precisions_init=[[[1]]] * 5).fit(X)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_memory_added_by_fit() -> None:
    """Growth of the peak of a fresh process, at least 1 MB; rows of one float64 feature, start given."""
    found = {}
    for who, module, name in (
        ("fastgmm", "fastgmm", "FastGMM"),
        ("scikit-learn", "sklearn.mixture", "GaussianMixture"),
    ):
        text = MEMORY.format(module=module, name=name, n=int(1e7 * SHARE))
        command = [sys.executable, "-W", "ignore", "-c", text]
        found[who] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["fastgmm"] < 64e6
    RESULTS["memory, MB", "d1 start given"] = {who: max(size, 1e6) / 1e9 for who, size in found.items()}


def floor_of(case: Case, n: int) -> float:
    """Seconds for the operations of all steps at full rate; exp is 17 and log 15 of them."""
    if case.integers:
        n = 4000  # distinct values, about
    d, k = case.d, case.n_components
    density = {"full": d * (d + 1) // 2 + 2 * d, "tied": 2 * d, "diag": 3 * d, "spherical": 3 * d}[case.covariance_type]
    moments = {"full": d * (d + 1) // 2 + 2 * d, "tied": 2 * d, "diag": 3 * d, "spherical": 3 * d}[case.covariance_type]
    return STEPS * n * (k * (density + moments + 17 + 3) + 15) / NUMBERS_PER_SECOND


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest):
    """Print the table in Markdown when all is done; FASTGMM_BENCH_OUT names a file for it."""
    yield
    machine = f"{os.cpu_count()} processors ({_core.simd_level()}), load {os.getloadavg()[0]:.1f} at the end"
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in PACKAGES if importlib.util.find_spec(MODULES[name])
    )
    lines = [
        f"{date.today()}; {machine}; {N_THREADS} threads for everyone; {versions}; FASTGMM_BENCH_SHARE={SHARE:g}.",
        f"{STEPS} steps a fit, medians of {ROUNDS}. Milliseconds (memory: MB), in brackets over FastGMM's.",
        "",
        "| what | " + " | ".join(COLUMNS) + " |",
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for (what, name), times in RESULTS.items():
        lines.append(f"| {what} {name} | " + " | ".join(cell(times, who) for who in COLUMNS) + " |")
    write = request.config.pluginmanager.get_plugin("terminalreporter").write_line
    for line in ["", *lines]:
        write(line)
    if out := os.environ.get("FASTGMM_BENCH_OUT"):
        Path(out).write_text("\n".join(lines) + "\n", encoding="utf-8")


def cell(times: dict[str, float], who: str) -> str:
    if who not in times:
        return ""
    ratio = f" ({times[who] / times['fastgmm']:.3g}x)" if who != "fastgmm" and "fastgmm" in times else ""
    return f"{times[who] * 1e3:.4g}{ratio}"
