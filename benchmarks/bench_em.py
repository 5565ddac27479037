"""EM, whole fits, labels and memory: FastGMM beside the tools people use, answers checked before anything is timed.

    make bench-em                                                        # the full table, about ten minutes
    FASTGMM_BENCH_SHARE=0.02 pytest benchmarks/bench_em.py -k "floats and not step"     # a fiftieth of the rows

Two threads for everyone. FASTGMM_BENCH_SHARE (default 1) scales the numbers of rows, FASTGMM_BENCH_OUT names a file for
the tables, SCIPY_ARRAY_API=1 lets scikit-learn run on PyTorch too. A peer that is not installed is left out. Whoever
needs more than FASTGMM_BENCH_PATIENCE_S (default 1) seconds for a call has fewer than five rounds.
"""

import gc
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness.em_cases import (
    CASES,
    DEFAULT_CASES,
    EQUAL_CASES,
    SHARE,
    STEPS,
    Case,
    asked,
    fit_floor,
    predict_floor,
    rows_of,
    start_of,
    step_floor,
)
from harness.em_check import check_answer, check_bound, check_labels, check_reaches
from harness.em_report import Cell, document, row_of, tables
from harness.memory import N_THREADS
from rivals.em import (
    DAAL,
    FITS,
    OURS,
    PEERS,
    POMEGRANATE,
    SKLEARN,
    SQUAREM,
    TORCH,
    Answer,
    fit_ours,
    fit_squarem,
    fit_with_defaults,
    iterations,
    labels_by,
    rows_for,
    why_not,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from fastgmm import FastGMM, Histogram

ROUNDS, OURS_ROUNDS = 5, 9
PATIENCE_S = float(os.environ.get("FASTGMM_BENCH_PATIENCE_S", "1"))
COUNTED_STEPS = 200
EQUAL_TOL, EQUAL_STEPS = 1e-6, 100


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(N_THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


@pytest.fixture(scope="module", autouse=True)
def written(request: pytest.FixtureRequest):
    """Print the tables when all is done; FASTGMM_BENCH_OUT names a file for them."""
    yield
    write = request.config.pluginmanager.get_plugin("terminalreporter").write_line
    for line in tables():
        write(line)
    if out := os.environ.get("FASTGMM_BENCH_OUT"):
        Path(out).write_text(document(), encoding="utf-8")


def by_case(cases: list[Case], whos: tuple[str, ...]):
    """Parametrize by case, then by who."""
    ids = [f"{case.name}-{who}".replace(" ", "-") for case in cases for who in whos]
    return pytest.mark.parametrize(("case", "who"), [(case, who) for case in cases for who in whos], ids=ids)


@lru_cache(maxsize=1)
def inputs(case: Case) -> tuple[np.ndarray, dict, Answer]:
    """Return rows, start, and our answer after the steps that everyone makes."""
    X = rows_of(case)
    start = start_of(case, X)
    return X, start, fit_ours(case, X, start, STEPS)


@lru_cache(maxsize=1)
def rows_as(who: str, case: Case) -> Any:
    return rows_for(who, inputs(case)[0])


def take_part(table: str, case: Case, who: str, missing: str | None = None) -> None:
    """Skip, and say so in the table, if someone cannot do it."""
    missing = missing or why_not(who, case)
    if missing is None and who == TORCH and os.environ.get("SCIPY_ARRAY_API") != "1":
        missing = "needs SCIPY_ARRAY_API=1"
    if missing:
        row_of(table, case.name).absent[who] = missing
        pytest.skip(f"{who}: {missing}")


def timed(benchmark, table: str, case: Case, who: str, call: Callable[[], Any], check: Callable[[Any], None]) -> Cell:
    """Check the answer of one call, then time it; slow ones fewer times."""
    gc.collect()
    begin = time.perf_counter()
    answer = call()
    first_s = time.perf_counter() - begin
    try:
        check(answer)
    except AssertionError:
        row_of(table, case.name).absent[who] = "answer differs"
        raise
    del answer
    rounds = OURS_ROUNDS if who.startswith(OURS) else max(1, min(ROUNDS, int(ROUNDS * PATIENCE_S / first_s)))
    benchmark.group = f"{table} | {case.name}"
    benchmark.pedantic(call, rounds=rounds, iterations=1, warmup_rounds=int(first_s < 0.2))
    cell = Cell(statistics.median(benchmark.stats.stats.data), rounds)
    benchmark.extra_info.update(table=table, case=case.name, who=who, n_rows=case.n_rows)
    row = row_of(table, case.name)
    row.cells[who] = cell
    if (least := asked(table, case, who)) is not None:
        row.asked[who] = least
    return cell


@by_case(CASES, (OURS, *PEERS))
def test_fit(benchmark, case: Case, who: str) -> None:
    """The same number of steps from the same start; per iteration too."""
    take_part("fit", case, who)
    X, start, expected = inputs(case)
    rows = rows_as(who, case)
    cell = timed(
        benchmark, "fit", case, who, lambda: FITS[who](case, rows, start, STEPS), lambda a: check_answer(a, expected)
    )
    row_of("fit", case.name).floor = fit_floor(case, X)
    step = row_of("step", case.name)
    step.floor = step_floor(case, X)
    if who != OURS or not case.integers:
        step.cells[who] = Cell(cell.value / iterations(who, STEPS), cell.n_rounds)
        if (least := asked("step", case, who)) is not None:
            step.asked[who] = least


def test_step_on_counts(benchmark) -> None:
    """One EM step on the histogram; the peers' steps come from their fits."""
    case = CASES[0]
    X, start, _ = inputs(case)
    counts = Histogram.from_array(X[:, 0])
    model = FastGMM(case.n_components, tol=0, max_iter=COUNTED_STEPS, n_jobs=N_THREADS, **start)

    def check(fitted: FastGMM) -> None:
        judge = FastGMM(case.n_components, tol=0, max_iter=COUNTED_STEPS, backend="reference", **start)
        np.testing.assert_allclose(fitted.means_, judge.fit_histogram(counts).means_, rtol=1e-9)

    cell = timed(benchmark, "step", case, OURS, lambda: model.fit_histogram(counts), check)
    row_of("step", case.name).cells[OURS] = Cell(cell.value / COUNTED_STEPS, cell.n_rounds)


@by_case(CASES, (OURS, "fastgmm out=int64", "fastgmm out=uint8", SKLEARN, DAAL, TORCH, POMEGRANATE))
def test_predict(benchmark, case: Case, who: str) -> None:
    """The labels of all rows by the same mixture."""
    name, _, dtype = who.partition(" out=")
    if dtype and not case.integers:
        pytest.skip("a given array is timed on integers")
    take_part("predict", case, name, "no assignment" if who == DAAL else None)
    X, _, answer = inputs(case)
    rows = rows_as(name, case)
    out = np.zeros(len(X), dtype) if dtype else None
    expected = _judged_labels(case)
    call = labels_by(name, answer, case, rows, out)
    timed(benchmark, "predict", case, who, call, lambda labels: check_labels(labels, expected))
    row_of("predict", case.name).floor = predict_floor(case, X)


@lru_cache(maxsize=1)
def _judged_labels(case: Case) -> np.ndarray:
    """Return scikit-learn's labels."""
    X, _, answer = inputs(case)
    return labels_by(SKLEARN, answer, case, rows_for(SKLEARN, X))()


@lru_cache(maxsize=1)
def level(case: Case) -> tuple[np.ndarray, dict, float, int]:
    """Return rows, start, the log-likelihood that scikit-learn stops at, and its steps."""
    X = rows_of(case)
    start = start_of(case, X)
    judge = GaussianMixture(case.n_components, tol=EQUAL_TOL, max_iter=EQUAL_STEPS, **start)
    judge.fit(rows_for(SKLEARN, X))
    return X, start, float(judge.lower_bound_), judge.n_iter_


@by_case(EQUAL_CASES, (OURS, SQUAREM, *PEERS))
def test_equal_likelihood(benchmark, case: Case, who: str) -> None:
    """As many steps as are needed to get where scikit-learn stops."""
    take_part("equal", case, who)
    X, start, bound, n_steps = level(case)
    rows, fit = rows_for(who, X), fit_squarem if who == SQUAREM else FITS[who]
    if who == SQUAREM:
        settings = {"tol": 0, "max_iter": EQUAL_STEPS, "acceleration": "squarem", "n_jobs": N_THREADS}
        bounds = np.array(FastGMM(case.n_components, **settings, **start).fit(X).lower_bounds_)
        if bounds[-1] < bound:
            take_part("equal", case, who, "ends in another maximum")
        n_steps = int(np.argmax(bounds >= bound)) + 1
    cell = timed(
        benchmark, "equal", case, who, lambda: fit(case, rows, start, n_steps),
        lambda answer: check_reaches(answer, case.covariance_type, X, bound),
    )  # fmt: skip
    cell.note = f"{n_steps}"


@by_case(DEFAULT_CASES, (OURS, SKLEARN, DAAL, TORCH, POMEGRANATE))
def test_default_arguments(benchmark, case: Case, who: str) -> None:
    """A whole fit as users write it, k-means start included."""
    missing = {DAAL: "no k-means start", TORCH: "no k-means start", POMEGRANATE: "another rule to stop by"}
    take_part("default", case, who, missing.get(who))
    rows = rows_for(who, _default_rows(case))
    expected = _default_bound(case)
    timed(
        benchmark, "default", case, who, lambda: fit_with_defaults(who, case, rows),
        lambda bound: check_bound(bound, expected),
    )  # fmt: skip


@lru_cache(maxsize=1)
def _default_rows(case: Case) -> np.ndarray:
    return rows_of(case)


@lru_cache(maxsize=1)
def _default_bound(case: Case) -> float:
    return float(GaussianMixture(case.n_components, random_state=0).fit(_default_rows(case)).lower_bound_)


MEMORY = """
import re, pathlib, numpy as np
from {module} import {name} as Model
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) * 1024
X = np.random.default_rng(0).normal(size=({n}, 1))
start = dict(weights_init=[.2] * 5, means_init=[[-2], [-1], [0], [1], [2]], precisions_init=[[[1]]] * 5)
Model(5, max_iter=1, tol=0, **start).fit(X[:2000])
before = peak()
Model(5, max_iter=1, tol=0, **start).fit(X)
print(peak() - before)
"""


def test_memory_added_by_fit() -> None:
    """Growth of the peak of a fresh process whose peak was that of its rows before."""
    case = Case("floats d=1 n=1e7 K=5", 10_000_000, 1, 5)
    row = row_of("memory", case.name)
    for who, module, name in ((OURS, "fastgmm", "FastGMM"), (SKLEARN, "sklearn.mixture", "GaussianMixture")):
        text = MEMORY.format(module=module, name=name, n=case.n_rows)
        command = [sys.executable, "-W", "ignore", "-c", text]
        grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        row.cells[who] = Cell(max(grown, 1e6), 1, "at most" if grown < 1e6 else "")
    row.asked[SKLEARN] = 20.0
    assert row.cells[OURS].value < 64e6
    assert SHARE < 1 or row.cells[SKLEARN].value > 1e9
