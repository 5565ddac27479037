"""The thread pool and the scratch memory under many callers, under fork, and while memory is given back."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from kernel_calls import differing, expected_of, kernel_calls

import fastgmm
from fastgmm import _core

TESTS = Path(__file__).parent.parent

FORK = """
import os, threading
from kernel_calls import differing, expected_of, kernel_calls

calls = kernel_calls((12, 40, 70))
expected = expected_of(calls)
assert differing(calls, expected, 3) == []  # now the parent's pool has workers
running = True

def keep_busy():
    while running:
        assert differing(calls, expected, 2) == []

busy = threading.Thread(target=keep_busy)
if BUSY:
    busy.start()
for generation in range(8):
    child = os.fork()
    if child == 0:
        wrong = ["an exception"]
        try:
            wrong = differing(calls, expected, 3)
            if os.path.isdir("/proc/self/task") and len(os.listdir("/proc/self/task")) == 1:
                wrong.append("a child without workers")
        finally:
            os._exit(len(wrong))
    assert os.waitpid(child, 0)[1] == 0, "a child's kernels gave other results"
running = False
if BUSY:
    busy.join()
assert differing(calls, expected, 3) == []
print("all equal")
"""


# Each child needs the lock of the scratch memory, which three threads take and leave all the time.
FORK_INSIDE_THE_ALLOCATOR = """
import os, threading
import numpy as np
from fastgmm import _core

labels = np.zeros((1, 1, 1), np.uint8)
running = True

def lease():
    out = labels.copy()
    while running:
        _core.median_filter(labels, (1, 1, 1), out, n_jobs=1)

threads = [threading.Thread(target=lease) for _ in range(3)]
for thread in threads:
    thread.start()
for generation in range(400):
    child = os.fork()
    if child == 0:
        _core.median_filter(labels, (1, 1, 1), labels.copy(), n_jobs=1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
running = False
print("all equal")
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def run_script(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],  # Python 3.12 warns of fork with threads
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "all equal\n", "")


@needs_fork
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_forked_child_can_use_the_kernels(busy: bool) -> None:
    run_script(f"BUSY = {busy}\n{FORK}")


@needs_fork
@pytest.mark.slow
def test_a_fork_while_scratch_is_leased_leaves_no_lock_behind() -> None:
    run_script(FORK_INSIDE_THE_ALLOCATOR)


@pytest.mark.parametrize("compiled", ["cpp", "numba"])
def test_eight_threads_with_different_kernels_get_their_own_results(compiled: str) -> None:
    if compiled == "numba":
        pytest.importorskip("numba")
    calls = kernel_calls((12, 40, 70) if compiled == "numba" else (40, 48, 130), compiled)
    expected = expected_of(calls)
    names = list(calls)
    start = threading.Barrier(8)

    def work(first: int) -> list[str]:
        start.wait()
        order = [names[(first * 5 + i) % len(names)] for i in range(len(names))]
        return differing({name: calls[name] for name in order}, expected, n_jobs=1 + first % 3)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == [[]] * 8


def test_memory_can_be_given_back_while_kernels_run() -> None:
    calls = kernel_calls((12, 40, 70))
    expected = expected_of(calls)
    finished = threading.Event()
    n_releases = 0

    def release() -> None:
        nonlocal n_releases
        while not finished.is_set():
            fastgmm.release_memory()
            n_releases += 1

    releaser = threading.Thread(target=release)
    releaser.start()
    try:
        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(lambda n_jobs: differing(calls, expected, n_jobs), [1, 2, 3] * 3))
    finally:
        finished.set()
        releaser.join()
    assert found == [[]] * 9
    assert n_releases > 0


def test_released_memory_is_counted_once() -> None:
    labels = np.zeros((8, 64, 64), np.uint8)
    _core.median_filter(labels, (4, 4, 4), labels.copy(), n_jobs=1)
    assert _core.release_memory() > 0
    assert _core.release_memory() == 0


def test_an_object_keeps_its_scratch_while_memory_is_given_back() -> None:
    words = np.full((4, 5, 1), 0b1011, np.uint64)
    runs = _core.ComponentRuns(words, nx=4, connectivity=6, n_jobs=1)
    fastgmm.release_memory()
    others = [_core.ComponentRuns(np.zeros_like(words), nx=4, connectivity=6, n_jobs=1) for _ in range(10)]
    labels = np.empty((4, 5, 4), np.int32)
    runs.write_labels(labels)
    assert len(others) == 10
    np.testing.assert_array_equal(labels, np.broadcast_to([1, 1, 0, 2], (4, 5, 4)))
