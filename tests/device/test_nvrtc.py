"""Every kernel compiles to machine code for every supported device, without spilling, as the table kept says."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module, metadata
from pathlib import Path

import pytest
from device.nvrtc import Resources, compiled

TABLE = Path(__file__).parents[2] / "benchmarks" / "results" / "cuda_kernels.json"
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
REGISTERS = 65536  # of a multiprocessor


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
