"""Every kernel compiles to machine code for every supported device, without spilling, as the table kept says."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
import pytest
from device.nvrtc import Resources, compiled

from fastgmm import FastGMM
from fastgmm.volume import binary_dilation_ball, histogram, median_filter

TABLE = Path(__file__).parents[2] / "benchmarks" / "results" / "cuda_kernels.json"
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
REGISTERS = 65536  # of a multiprocessor
# Shared memory that a block may ask for, and has without asking. CUDA C++ Programming Guide, "Compute Capabilities".
MOST_SHARED_BYTES = {arch: kib << 10 for arch, kib in zip(ARCHITECTURES, (64, 163, 227, 227, 99), strict=True)}
UNASKED_SHARED_BYTES = 48 << 10


@pytest.fixture(scope="module")
def found(cuda):
    """The resources of each kernel by variant and architecture; two processes begin at either end, and share."""
    backend, device = (import_module(f"fastgmm.backends._cuda{part}") for part in ("", "._device"))
    step = -1 if os.environ.get("PYTEST_XDIST_WORKER", "gw0")[-1] in "13579" else 1
    asked = [(variant, arch) for variant in backend.VARIANTS[::step] for arch in ARCHITECTURES]
    with ThreadPoolExecutor(2) as threads:
        ready = threads.map(lambda pair: compiled(pair[0].source, device.OPTIONS + pair[0].options, pair[1]), asked)
        by_pair = dict(zip(asked, ready, strict=True))
    return {
        f"{variant.path} {' '.join('='.join(d) for d in variant.defines)}".strip(): {
            arch: by_pair[variant, arch] for arch in ARCHITECTURES
        }
        for variant in backend.VARIANTS
    }


def each(found):
    for variant, by_arch in found.items():
        for arch, kernels in by_arch.items():
            for name, resources in kernels.items():
                yield f"{variant} {arch} {name}", resources


def test_no_kernel_spills(found):
    assert {name: r for name, r in each(found) if r.spilled_bytes} == {}


def test_every_block_fits_a_multiprocessor(found, cuda):
    backend, device = (import_module(f"fastgmm.backends._cuda{part}") for part in ("", "._device"))
    for variant, by_arch in zip(backend.VARIANTS, found.values(), strict=True):
        for kernels in by_arch.values():
            for name, resources in kernels.items():
                assert resources.registers * device.kernel(variant, name).threads <= REGISTERS, name


@pytest.fixture(scope="module")
def most_dynamic(cuda):
    """The most shared memory that a launch adds to a kernel's own, by kernel, at sizes that want much of it."""
    device, most = import_module("fastgmm.backends._cuda._device"), {}
    launch = device.Kernel.__call__

    def noted(kernel, n_blocks, *given, shared_bytes=0):
        most[kernel.function.name] = max(most.get(kernel.function.name, 0), shared_bytes)
        launch(kernel, n_blocks, *given, shared_bytes=shared_bytes)

    labels = cuda.ones((3, 4, 70), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device.Kernel, "__call__", noted)
        for radius in (1, 40, (1, 90, 2), (40, 2, 2)):
            binary_dilation_ball(labels == 0, radius)
        for size in range(2, 8):
            median_filter(labels, size)
            median_filter(labels, (7, size, 2))
        for dtype in (np.uint8, np.int16, np.int32):
            for phases in (1, 2, 64, 256):
                histogram(labels.astype(dtype), phases=phases)
        for d, n_components in ((1, 2), (3, 40), (17, 1), (60, 9), (200, 2)):
            start = {"means_init": np.zeros((n_components, d)), "max_iter": 1, "init_params": "random"}
            rows = cuda.asarray(np.random.default_rng(d).normal(size=(80, d)))
            FastGMM(n_components, random_state=0, reg_covar=1.0, **start).fit(rows).predict_proba(rows)
    return most


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_block_has_the_shared_memory_that_it_wants(found, most_dynamic):
    assert {"grow_ball", "median_filter", "count_values", "em_moments_full"} <= set(most_dynamic)
    assert max(most_dynamic.values()) > UNASKED_SHARED_BYTES
    for by_arch in found.values():
        for arch, kernels in by_arch.items():
            for name, resources in kernels.items():
                dynamic = most_dynamic.get(name, 0)
                assert resources.shared_bytes + dynamic <= MOST_SHARED_BYTES[arch], f"{name} on {arch}"
                # Kernel asks by what a launch adds, so that both must fit where that alone would.
                asks = dynamic > UNASKED_SHARED_BYTES
                assert asks or resources.shared_bytes + dynamic <= UNASKED_SHARED_BYTES, f"{name} on {arch}"


def test_resources_are_those_of_the_table(found):
    """FASTGMM_UPDATE_TABLES=1 writes the table anew."""
    version = metadata.version("nvidia-cuda-nvrtc")
    now = {"nvrtc": version, "columns": Resources._fields, "kernels": {name: list(r) for name, r in each(found)}}
    if os.environ.get("FASTGMM_UPDATE_TABLES"):
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in now["kernels"].items())
        head = f'"nvrtc": {json.dumps(version)},\n"columns": {json.dumps(now["columns"])},\n'
        TABLE.write_text("{\n" + head + '"kernels": {\n' + lines + "\n}}\n")
    kept = json.loads(TABLE.read_text())
    assert set(kept["kernels"]) == set(now["kernels"])
    if kept["nvrtc"] != version:
        pytest.skip(f"the table is of NVRTC {kept['nvrtc']}, here is {version}")
    assert kept["kernels"] == now["kernels"]
