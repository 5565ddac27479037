"""The calls of `test_every_kernel` under sanitizers, and watched for reads of what nothing wrote; planted faults."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
SANITIZERS = {
    "address": "-fsanitize=address,undefined -fno-sanitize-recover=all",
    # A library has its own blocks then, which a worker touches before its fibers do: their storage is no race.
    "thread": "-fsanitize=thread -fno-gnu-unique",
}
PLANTED = """
import sys
from cupy_on_cpu._install import standing_in
with standing_in():
    import cupy, numpy as np
    from fastgmm.backends._device_source import device_source
    text = device_source("cuda/device.h") + (
        "namespace fg { constexpr int kThreads = 32;"
        'extern "C" __global__ void __launch_bounds__(kThreads) copy(const int* in, int* out) {' + sys.argv[1] + "} }")
    kernel = cupy.RawModule(code=text).get_function("copy")
    given = cupy.asarray(np.arange(32, dtype=np.int32))
    kernel((1000,), (32,), (given, cupy.zeros(32, np.int32)))
"""
FAULTS = {  # the sanitizer, the body of a kernel, what is reported
    "past the end": ("address", "out[threadIdx.x] = in[threadIdx.x + 1];", "use-after-poison"),
    "shift": ("address", "out[threadIdx.x] = 1 << (in[threadIdx.x] + 1);", "shift exponent 32 is too large"),
    "overflow": ("address", "out[threadIdx.x] = in[threadIdx.x] * 100000000;", "signed integer overflow"),
    "race of threads": ("thread", "if (blockIdx.x == 0) out[threadIdx.x / 2] = in[threadIdx.x];", "data race"),
    "race of blocks": ("thread", "if (threadIdx.x == 0) out[0]++;", "data race"),
    "missing barrier": (
        "thread",
        "CU_SHARED(int, turned, [32]); turned[threadIdx.x] = in[threadIdx.x];"
        " atomicAdd(out + threadIdx.x, turned[31 - threadIdx.x]);",
        "data race",
    ),
}
READS = """
import sys
from cupy_on_cpu._install import standing_in
with standing_in():
    import cupy, numpy as np
    from fastgmm.backends._device_source import device_source
    text = device_source("cuda/device.h") + (
        "namespace fg { constexpr int kThreads = 32;"
        'extern "C" __global__ void __launch_bounds__(kThreads) add(const int* in, int* out, int* sum) {'
        " out[threadIdx.x] = in[threadIdx.x]; if (sum) atomicAdd(sum, 1); } }")
    kernel = cupy.RawModule(code=text).get_function("add")
    given, out, total = (cupy.empty(n, np.int32) for n in (32, 32, 1))
    exec(sys.argv[1])
"""
OPTIONS = ("-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark")  # -s: a report is seen
CALL = "kernel((1,), (32,), (given, out, total))"


def run(sanitizer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the sanitizer, for which kernels are compiled, too."""
    names = {"address": ("libasan.so", "libstdc++.so"), "thread": ("libtsan.so", "libstdc++.so")}[sanitizer]
    compiler = os.environ.get("CXX", "g++")
    find = [subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True) for name in names]
    libraries = [done.stdout.strip() for done in find]
    if not all(os.path.isabs(path) for path in libraries):
        pytest.skip(f"{compiler} has no {names[0]}")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("COV_", "PYTEST"))}
    environment |= {
        "CUEMU_WORKERS": "2",
        "CUEMU_CXXFLAGS": f"{SANITIZERS[sanitizer]} -g1",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "TSAN_OPTIONS": "halt_on_error=1",
        "PYTHONPATH": str(TESTS),
    }
    return run_python(arguments, environment)


def run_python(arguments: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True)


def run_watched(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where reads of device memory that nothing wrote are errors; g++ alone has the calls for it."""
    if subprocess.run([os.environ.get("CXX", "g++"), "--version"], capture_output=True).stdout.find(b"clang") >= 0:
        pytest.skip("clang has another interface for accesses")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("COV_", "PYTEST"))}
    return run_python(arguments, environment | {"CUEMU_WRITTEN": "1", "PYTHONPATH": str(TESTS)})


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_sanitizer_finds_nothing_in_any_kernel(cuda, sanitizer):
    if not hasattr(cuda, "_functions"):
        pytest.skip("CuPy has a device here: compute-sanitizer looks at its kernels")
    done = run(sanitizer, "-m", "pytest", *OPTIONS, "tests/cuda/test_every_kernel.py")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@pytest.mark.slow
@pytest.mark.parametrize(("sanitizer", "body", "report"), FAULTS.values(), ids=list(FAULTS))
def test_a_planted_fault_is_reported(sanitizer, body, report):
    done = run(sanitizer, "-c", PLANTED, body)
    assert done.returncode
    assert report in done.stderr, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_kernel_without_a_fault_is_not_reported(sanitizer):
    body = (
        "CU_SHARED(int, turned, [32]); turned[threadIdx.x] = in[threadIdx.x]; __syncthreads();"
        " atomicAdd(out + threadIdx.x, turned[31 - threadIdx.x]);"
    )
    done = run(sanitizer, "-c", PLANTED, body)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_every_kernel_reads_what_was_written(cuda):
    if not hasattr(cuda, "_functions"):
        pytest.skip("CuPy has a device here: compute-sanitizer's initcheck looks at its kernels")
    done = run_watched("-m", "pytest", *OPTIONS, "tests/cuda/test_every_kernel.py")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@pytest.mark.parametrize(
    ("code", "report"),
    [
        (f"given.fill(1); total.fill(0); {CALL}; out.get()", None),
        (f"total.fill(0); {CALL}", "device memory is read that nothing wrote; block (0,0,0), thread 0"),
        (
            f"given[:31] = 1; total.fill(0); {CALL}",
            "device memory is read that nothing wrote; block (0,0,0), thread 31",
        ),
        (f"given.fill(1); {CALL}", "device memory is read that nothing wrote; block (0,0,0), thread 0"),
        ("given.get()", "32 of 32 numbers of an array are read"),
        ("given[1:] = 0; given + 1", "1 of 32 numbers of an array are read"),
        ("given[cupy.asarray(np.arange(32) < 30)] = 0; given.sum()", "2 of 32 numbers of an array are read"),
        ("cupy.add(out, 1, out=total)", "32 of 32 numbers of an array are read"),
        ("given.fill(1); cupy.add(given, 1, out=out); out.get()", None),
    ],
    ids=["written", "kernel", "last", "atomic", "download", "function", "by mask", "operand", "out"],
)
def test_reads_of_unwritten_memory_are_reported(code, report):
    done = run_watched("-c", READS, code)
    assert report in done.stderr if report else done.returncode == 0, done.stderr[-3000:]
