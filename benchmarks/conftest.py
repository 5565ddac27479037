"""Two threads for everyone, what machine this is, and the table at the end of a run."""

import os
import platform
import statistics
import warnings
from importlib import metadata
from pathlib import Path

import pytest
from harness.memory import N_THREADS, bandwidth
from harness.rows import MEASURED
from summary import Line, stage_lines

os.environ.setdefault("FASTGMM_NUM_THREADS", str(N_THREADS))
PACKAGES = (
    "numpy", "scipy", "scikit-learn", "scikit-image", "SimpleITK", "connected-components-3d", "edt", "fill_voids",
    "nibabel", "pynrrd", "isal", "zlib-ng", "deflate", "numba",
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def two_threads():
    """The packages that have threads get two."""
    import SimpleITK as sitk  # noqa: N813
    from threadpoolctl import threadpool_limits

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(N_THREADS)
    with threadpool_limits(N_THREADS):
        yield


def pytest_benchmark_update_machine_info(config, machine_info) -> None:
    """Write down what a reader needs to judge the numbers."""
    from fastgmm import _core

    machine_info["fastgmm"] = {
        "processor": _processor(),
        "n_processors": os.cpu_count(),
        "simd": _core.simd_level(),
        "threads": N_THREADS,
        "bandwidth": bandwidth(),
        "versions": {name: _version(name) for name in ("fastgmm", *PACKAGES)},
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def pytest_benchmark_update_json(config, benchmarks, output_json) -> None:
    """Leave out what no table needs, so that runs can be committed."""
    for name in ("flags", "cpuinfo_version", "cpuinfo_version_string", "hz_advertised", "hz_actual"):
        output_json["machine_info"].get("cpu", {}).pop(name, None)
    output_json["machine_info"].pop("node", None)
    for row in output_json["benchmarks"]:
        row["options"], row["params"] = {}, None
        row["stats"] = {name: _short(value) for name, value in row["stats"].items()}
        row["extra_info"] = {name: _short(value) for name, value in row["extra_info"].items()}


@pytest.hookimpl(wrapper=True)
def pytest_benchmark_compare_machine_info():
    """Compare with runs of other hours and machines too: what counts is ratios within one run."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Benchmark machine_info is different")
        return (yield)


def _short(value):
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def pytest_terminal_summary(terminalreporter) -> None:
    """Print floor, ours, best rival and the ratios of every group."""
    if MEASURED:
        speed = ", ".join(f"{name} {value / 1e9:.1f} GB/s" for name, value in bandwidth().items())
        terminalreporter.write_line(f"\nbandwidth of {N_THREADS} threads: {speed}")
        for text in stage_lines([_line(group) for group in MEASURED if group.times]):
            terminalreporter.write_line(text)


def _line(group) -> Line:
    """The group as the table has it."""
    return Line(
        group.stage, group.case, group.state, group.floor_s,
        {who: statistics.median(times) for who, times in group.times.items()},
        {who: group.ratio(who) for who in group.times},
        {who: len(times) for who, times in group.times.items()},
        group.extra,
    )  # fmt: skip
