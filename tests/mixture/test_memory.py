"""What a call adds to the memory of its process, beside its rows and its result."""

import os
import subprocess
import sys

import pytest

N = 10_000_000
LIMIT_MB = 64
MEASURE = """
import sys

import numpy as np

from fastgmm import FastGMM


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024


method, dtype, backend, n = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
X = np.empty((n, 1), dtype)
for begin in range(0, n, 1 << 16):
    part = X[begin : begin + (1 << 16)]
    part[:] = np.random.default_rng(begin).normal(-800, 90, part.shape)
if method.startswith("wide "):
    X[n // 3] = 1 << 20
model = FastGMM.from_parameters([0.5, 0.3, 0.2], [-850.0, -700.0, -100.0], [2e3, 8e3, 4e4], backend=backend)
call = getattr(model, method.split()[-1])
call(X[:100_000])
before = peak()
result = call(X)
size = result.nbytes if isinstance(result, np.ndarray) else 0
print((peak() - before - size) / 1e6)
"""


def added_megabytes(method, dtype, backend="cpp"):
    """Rise of the highest resident size of a new process during the call, less the result, in MB."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, method, dtype, backend, str(N)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )
    return float(run.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the highest resident size is read from /proc")
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "int32"])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples", "score", "bic"])
def test_saying_something_of_ten_million_rows_takes_little_memory(method, dtype):
    assert added_megabytes(method, dtype) < LIMIT_MB


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the highest resident size is read from /proc")
@pytest.mark.parametrize("method", ["wide predict", "wide predict_proba", "wide score_samples"])
def test_integers_that_no_table_holds_are_converted_in_pieces(method):
    assert added_megabytes(method, "int32") < LIMIT_MB


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the highest resident size is read from /proc")
def test_numba_predicts_in_little_memory_too():
    pytest.importorskip("numba")
    assert added_megabytes("predict", "float64", "numba") < LIMIT_MB
