"""EM steps, whole fits and assignment: FastGMM beside the tools people use, from the same start, answers checked first.

    pytest benchmarks/bench_em.py -s [-k "floats and not d128"] [--benchmark-min-rounds=5]

Two threads for everyone. FASTGMM_BENCH_SHARE (default 1) scales the numbers of rows. A peer that is not installed is
left out. The table at the end has medians, their ratio to FastGMM, and a floor: the multiply-adds, exp and log of all
steps at the rate of the vector units without a stall (two operations per cycle at 2.6 GHz, two threads).
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from fastgmm import FastGMM, _core

SHARE = float(os.environ.get("FASTGMM_BENCH_SHARE", "1"))
N_THREADS = 2
STEPS = 3
ROUNDS = 5
WIDTH = {"baseline": 2, "avx2": 4, "avx512": 8}[_core.simd_level()]
NUMBERS_PER_SECOND = 2.6e9 * 2 * WIDTH * N_THREADS
PEERS = ["scikit-learn", "daal4py", "pomegranate"]


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
    import daal4py

    if case.covariance_type not in ("full", "diag"):
        pytest.skip("daal4py has full and diagonal covariances")
    daal4py.daalinit(N_THREADS)
    storage = {"full": "full", "diag": "diagonal"}[case.covariance_type]
    algorithm = daal4py.em_gmm(
        nComponents=case.n_components, maxIterations=STEPS, accuracyThreshold=0.0, covarianceStorage=storage
    )
    covariances = [np.ascontiguousarray(np.linalg.inv(p)) for p in start["precisions_init"]]
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


FITS: dict[str, Callable[[Case, np.ndarray, dict], np.ndarray]] = {
    "fastgmm": fit_ours,
    "scikit-learn": fit_scikit_learn,
    "daal4py": fit_daal4py,
    "pomegranate": fit_pomegranate,
}


def installed(who: str) -> bool:
    return importlib.util.find_spec({"scikit-learn": "sklearn"}.get(who, who)) is not None


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
    """Print one line per row of the table when all is done."""
    yield
    write = request.config.pluginmanager.get_plugin("terminalreporter").write_line
    write("")
    write(
        f"{N_THREADS} threads, {_core.simd_level()}, {STEPS} steps a fit, medians of {ROUNDS}; ms and ratio to fastgmm"
    )
    for (what, name), times in RESULTS.items():
        ours = times.get("fastgmm")
        if ours is None:
            continue
        cells = [f"{what} {name:16s} fastgmm {ours * 1e3:9.2f}"]
        cells += [
            f"{who} {times[who] * 1e3:9.2f} ({times[who] / ours:.1f}x)" for who in [*PEERS, "floor"] if who in times
        ]
        write("   ".join(cells))
