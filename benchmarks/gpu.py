"""Everything that wants a GPU, in one unattended run of less than nine minutes: make gpu.

Runs the tests on the device, compute-sanitizer where it is found, and measures copies, kernels, rivals, mixtures and
the pipeline. Each section is a process of its own with a time limit: one that fails or hangs leaves the others. Writes
results/gpu_DEVICE.json and .md. Exit status: 0 if all went well, 1 if a section failed or an answer of fastgmm was
wrong, 2 if there is no device.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from gpu_sections.kernels import kernels, rivals
from gpu_sections.links import links
from gpu_sections.mixtures import mixtures
from gpu_sections.pipeline import pipeline
from gpu_sections.report import markdown
from gpu_sections.rows import FULL_SHAPE, Row, documents

HERE = Path(__file__).parent
SECTIONS: dict[str, Callable[[tuple[int, int, int]], list[Row]]] = {
    "links": links,
    "kernels": kernels,
    "rivals": rivals,
    "mixtures": mixtures,
    "pipeline": pipeline,
}
LIMITS_S = {"tests": 120, "links": 20, "kernels": 60, "rivals": 60, "mixtures": 60, "pipeline": 90, "sanitizer": 28}
BUDGET_S = 530  # of all sections; what is left of it cuts the limits of the last ones
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
# Modules with ON_CUDA = True run on every backend that is usable, cuda among them.
EVERY_BACKEND = ("backends/test_labels.py", "backends/test_contract.py", "backends/test_histogram.py",
                 "backends/test_components.py", "backends/test_morphology.py", "backends/test_median.py",
                 "volume/test_flood.py", "volume/test_ball.py", "volume/test_keep_components.py")  # fmt: skip
TESTS = ("backends/test_cuda_masks.py", "backends/test_cuda_histogram.py", "cuda", "lung/test_on_cuda.py",
         "cohort/test_run_on_cuda.py")  # fmt: skip
SANITIZED = "cuda/test_every_kernel.py"  # small calls of all kernels, of volumes, EM and k-means


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for: one section, or all of them in processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--section", choices=SECTIONS, help="run one section here and print its rows as JSON")
    parser.add_argument("--shape", type=int, nargs=3, default=FULL_SHAPE, metavar=("NZ", "NY", "NX"))
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the results")
    options = parser.parse_args(arguments)
    from fastgmm.backends import can_use

    usable, reason = can_use("cuda")
    if not usable:
        print(f"nothing to measure: {reason}. make gpu needs a machine with an NVIDIA GPU", file=sys.stderr)
        return 2
    shape = tuple(options.shape)
    if options.section:
        rows = SECTIONS[options.section](shape)
        print(json.dumps(documents(rows)))
        wrong = [f"{row.name}: {row.note}" for row in rows if row.note and row.who.startswith("fastgmm")]
        print("; ".join(wrong), file=sys.stderr)
        return 1 if wrong else 0
    document = run_all(commands(shape), machine())
    write(document, options.out)
    return 1 if any(section["error"] for section in document["sections"].values()) else 0


def commands(shape: tuple[int, ...]) -> dict[str, list[str]]:
    """Return the command of each section, in the order in which they run."""
    me = [sys.executable, str(HERE / "gpu.py")]
    found = {name: [*me, "--section", name, "--shape", *map(str, shape)] for name in SECTIONS}
    tests = [str(HERE.parent / "tests" / name) for name in (*TESTS, *EVERY_BACKEND)]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    workers = ["-n", str(min(os.cpu_count() or 1, 8)), "--dist", "loadgroup"]
    found["tests"] = [*pytest, *workers, "--maxfail=5", "-k", "cuda", *tests]
    tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
    small = [*pytest, "-n", "0", str(HERE.parent / "tests" / SANITIZED)]
    for name in TOOLS if tool else ():
        found[f"sanitizer {name}"] = [str(tool), "--tool", name, "--error-exitcode", "9", *small]
    return found


def run_all(found: dict[str, list[str]], about: dict[str, Any]) -> dict[str, Any]:
    """Run every section in a process; return rows, errors and times."""
    sections, end = {}, perf_counter() + BUDGET_S
    for name, command in found.items():
        start = perf_counter()
        rows, error = run_one(command, min(LIMITS_S[name.partition(" ")[0]], max(end - start, 0.0)))
        sections[name] = {"rows": rows, "error": error, "seconds": round(perf_counter() - start, 1)}
        print(f"{name}: {error or 'done'} in {sections[name]['seconds']} s", file=sys.stderr, flush=True)
    return {
        "machine": about,
        "has_sanitizer": any(name.startswith("sanitizer") for name in found),
        "sections": sections,
    }


def run_one(command: list[str], limit_s: float) -> tuple[list[dict[str, Any]], str]:
    """Return the rows that a command prints, and what went wrong."""
    paths = [str(HERE), str(HERE.parent / "tests"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if "mixtures" in command:  # without it scikit-learn refuses arrays of others
        environment["SCIPY_ARRAY_API"] = "1"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    try:
        with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
            try:
                out, told = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # with what it started: compute-sanitizer starts a Python
                return [], f"not done after {limit_s:.3g} s"
    except OSError as error:
        return [], str(error)
    lines = out.strip().splitlines()
    found = [line for line in lines if line.startswith("[{")]  # compute-sanitizer has the last word
    rows = json.loads(found[-1]) if found else []
    if process.returncode:
        said = (told.strip() or out.strip() or "nothing said").splitlines()
        first = [line.strip("= ") for line in lines if line.startswith("=====")][1:4]  # what a tool found first
        return rows, f"exit status {process.returncode}: {'; '.join([*first, said[-1]])[:600]}"
    return rows, ""


def machine() -> dict[str, Any]:
    """Describe the device and the software."""
    import cupy

    from fastgmm import __version__

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(runtime.getDevice())
    return {
        "device": properties["name"].decode(),
        "memory_bytes": int(properties["totalGlobalMem"]),
        "driver": runtime.driverGetVersion(),
        "cuda": runtime.runtimeGetVersion(),
        "cupy": cupy.__version__,
        "fastgmm": __version__,
    }


def write(document: dict[str, Any], folder: Path) -> list[Path]:
    """Write the results under the device's name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "_", document["machine"]["device"].lower()).strip("_")
    paths = [folder / f"gpu_{name}.json", folder / f"gpu_{name}.md"]
    paths[0].write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    paths[1].write_text(markdown(document), encoding="utf-8")
    return paths


if __name__ == "__main__":
    sys.exit(main())
