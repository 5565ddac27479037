"""The calls of `test_every_kernel` under sanitizers, and a kernel that reads past an array, which must be reported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
SANITIZERS = {
    "address": "-fsanitize=address,undefined -fno-sanitize-recover=all",
    # A library has its own blocks then, which a worker touches before its fibers do: their storage is no race.
    "thread": "-fsanitize=thread -fno-gnu-unique",
}
PAST_THE_END = """
from cupy_on_cpu._install import standing_in
with standing_in():
    import cupy, numpy as np
    from fastgmm.backends._device_source import device_source
    text = device_source("cuda/device.h") + (
        "namespace fg { constexpr int kThreads = 32;"
        'extern "C" __global__ void __launch_bounds__(kThreads) copy(const int* in, int* out) {'
        " out[threadIdx.x] = in[threadIdx.x + 1]; } }")
    kernel = cupy.RawModule(code=text).get_function("copy")
    kernel((1,), (32,), (cupy.zeros(32, np.int32), cupy.zeros(32, np.int32)))
"""


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
        "CUEMU_CXXFLAGS": f"{SANITIZERS[sanitizer]} -g1",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "TSAN_OPTIONS": "halt_on_error=1",
        "PYTHONPATH": str(TESTS),
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_sanitizer_finds_nothing_in_any_kernel(cuda, sanitizer):
    if not hasattr(cuda, "_functions"):
        pytest.skip("CuPy has a device here: compute-sanitizer looks at its kernels")
    options = ("-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark")  # -s: a report is seen
    done = run(sanitizer, "-m", "pytest", *options, "tests/cuda/test_every_kernel.py")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@pytest.mark.slow
def test_a_read_past_an_array_is_reported():
    done = run("address", "-c", PAST_THE_END)
    assert done.returncode
    assert "use-after-poison" in done.stderr
