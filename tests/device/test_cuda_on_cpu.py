"""Faults planted in kernels: the harness must find each, and find nothing in the kernel without them."""

import os
import subprocess

import numpy as np
import pytest
from cupy_on_cpu._raw_module import build, cpu_text
from emulation import SCHEDULES, schedule

from fastgmm.backends._device_source import device_source

# Reverses each block's stretch in shared memory and counts the odd values.
KERNEL = """
namespace fg {
constexpr int kThreads = 64;
extern "C" __global__ void __launch_bounds__(kThreads) reverse_blocks(const int* in, int* out, int* n_odd) {
  CU_DYN_SHARED(int, turned);
  const long long i = thread_index();
  turned[threadIdx.x + PAST] = in[i];
  BARRIER;
  out[i] = turned[blockDim.x - 1 - threadIdx.x];
  if (in[i] & 1) COUNT;
}
}
"""
RIGHT = {"BARRIER": "__syncthreads()", "COUNT": "atomicAdd(n_odd, 1)", "PAST": "0"}
FAULTS = {
    "missing barrier": {"BARRIER": "(void)0"},
    "lost update": {"COUNT": "cu_store(n_odd, cu_load(n_odd) + 1)"},
    "race": {"COUNT": "*n_odd += 1"},
    "index one too far": {"PAST": "1"},
}
MAIN = """
int main() {
  const int n_blocks = 5, n = n_blocks * fg::kThreads;
  int* memory = new int[2 * n + 1]();
  for (int i = 0; i < n; i++) memory[i] = i;
  CU_LAUNCH(fg::reverse_blocks, n_blocks, fg::kThreads, fg::kThreads * sizeof(int), memory, memory + n, memory + 2 * n);
  const bool right = memory[2 * n] == n / 2;
  delete[] memory;
  return !right;
}
"""
SANITIZERS = {"address": "-fsanitize=address,undefined", "thread": "-fsanitize=thread"}


def source(fault=None):
    parts = RIGHT | FAULTS.get(fault, {})
    defines = "".join(f"#define {name} {value}\n" for name, value in parts.items())
    return device_source("cuda/device.h") + defines + KERNEL


def results(cupy, fault=None):
    """What the kernel gives under each schedule."""
    kernel = cupy.RawModule(code=source(fault)).get_function("reverse_blocks")
    given = np.arange(320, dtype=np.int32)
    for settings in SCHEDULES:
        out, n_odd = cupy.zeros(320, np.int32), cupy.zeros(1, np.int32)
        with schedule(*settings):
            kernel((5,), (64,), (cupy.asarray(given), out, n_odd), shared_mem=256)
        yield bool((out.get() == given.reshape(5, 64)[:, ::-1].ravel()).all()) and int(n_odd[0]) == 160


def sanitized(sanitizer, fault=None):
    """Run the kernel as a program of two workers under a sanitizer."""
    flags = (SANITIZERS[sanitizer], "-g1", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
    program = build(cpu_text(source(fault)) + MAIN, flags, program=True)
    settings = {"CUEMU_WORKERS": "2", "CUEMU_ORDER": "random", "CUEMU_PREEMPT": "3", "TSAN_OPTIONS": "halt_on_error=1"}
    return subprocess.run([program], env=os.environ | settings, capture_output=True, text=True, timeout=60)


@pytest.fixture
def stand_in(cuda):
    if not hasattr(cuda, "_functions"):
        pytest.skip("CuPy has a device here: there is no stand-in to test")
    return cuda


def test_the_right_kernel_is_right_in_every_schedule(stand_in):
    assert all(results(stand_in))


@pytest.mark.parametrize("fault", ["missing barrier", "lost update"])
def test_a_schedule_shows_the_fault(stand_in, fault):
    assert not all(results(stand_in, fault))


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_sanitizer_finds_nothing_in_the_right_kernel(sanitizer):
    done = sanitized(sanitizer)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("sanitizer", "fault", "report"),
    [
        ("thread", "missing barrier", "data race"),
        ("thread", "race", "data race"),
        ("address", "index one too far", "heap-buffer-overflow"),
    ],
)
def test_a_sanitizer_reports_the_fault(sanitizer, fault, report):
    done = sanitized(sanitizer, fault)
    assert done.returncode
    assert report in done.stderr


def test_bytes_are_chosen_from_two_words(stand_in):
    """By the definition in the CUDA C++ guide: four digits choose among eight bytes, of each three bits count."""
    text = device_source("cuda/device.h") + (
        "namespace fg { constexpr int kThreads = 32;\n"
        'extern "C" __global__ void __launch_bounds__(kThreads) choose(const unsigned* in, unsigned* out) {'
        " out[threadIdx.x] = __byte_perm(in[threadIdx.x], in[threadIdx.x + 32], in[threadIdx.x + 64]); } }"
    )
    given = np.random.default_rng(0).integers(0, 1 << 32, (3, 32), dtype=np.uint32)
    out = stand_in.empty(32, np.uint32)
    stand_in.RawModule(code=text).get_function("choose")((1,), (32,), (stand_in.asarray(given), out))
    sources = np.concatenate([given[0].view(np.uint8).reshape(32, 4), given[1].view(np.uint8).reshape(32, 4)], axis=1)
    digits = given[2][:, None] >> np.arange(0, 16, 4, dtype=np.uint32) & 7
    np.testing.assert_array_equal(out.get().view(np.uint8).reshape(32, 4), np.take_along_axis(sources, digits, axis=1))


def test_a_write_outside_an_array_is_reported(stand_in):
    text = device_source("cuda/device.h") + (
        "namespace fg { constexpr int kThreads = 32;\n"
        'extern "C" __global__ void __launch_bounds__(kThreads) fill(int* out) { out[threadIdx.x] = 1; } }'
    )
    kernel = stand_in.RawModule(code=text).get_function("fill")
    kernel((1,), (32,), (stand_in.empty(32, np.int32),))
    with pytest.raises(MemoryError, match="kernel fill wrote outside an array of 124 bytes"):
        kernel((1,), (32,), (stand_in.empty(31, np.int32),))


def test_wrong_arguments_are_refused(stand_in):
    kernel = stand_in.RawModule(code=source()).get_function("reverse_blocks")
    numbers = stand_in.zeros(64, np.int32)
    with pytest.raises(TypeError, match="argument 2 is int64, the parameter has kind p"):
        kernel((1,), (64,), (numbers, numbers, np.int64(0)), shared_mem=256)
    with pytest.raises(TypeError, match="argument 0 is an array of float64"):
        kernel((1,), (64,), (stand_in.zeros(64), numbers, numbers), shared_mem=256)
    with pytest.raises(ValueError, match=r"INVALID_VALUE: reverse_blocks with grid \(1, 1, 1\) and block \(65, 1, 1\)"):
        kernel((1,), (65,), (numbers, numbers, numbers), shared_mem=256)
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        np.asarray(numbers)
    with pytest.raises(TypeError, match="Unsupported type"):
        numbers + np.zeros(64, np.int32)
