"""Everything that wants a GPU, in one unattended run of less than nine minutes: make gpu.

Runs the tests on the device, compute-sanitizer where it is found, and measures copies, kernels, rivals, mixtures and
the pipeline. Each section is a process of its own with a time limit: one that fails or hangs leaves the others. Writes
results/gpu_DEVICE.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
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
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
TESTS = ("backends/test_cuda_masks.py", "backends/test_cuda_histogram.py", "cuda", "lung/test_on_cuda.py",
         "cohort/test_run_on_cuda.py")  # fmt: skip
SANITIZED_SHAPE = (24, 40, 66)


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
        json.dump(documents(SECTIONS[options.section](shape)), sys.stdout)
        return 0
    document = run_all(commands(shape), machine())
    write(document, options.out)
    return 1 if any(section["error"] for section in document["sections"].values()) else 0


def commands(shape: tuple[int, ...]) -> dict[str, list[str]]:
    """Return the command of each section, in the order in which they run."""
    me = [sys.executable, str(HERE / "gpu.py")]
    found = {name: [*me, "--section", name, "--shape", *map(str, shape)] for name in SECTIONS}
    tests = [str(HERE.parent / "tests" / name) for name in TESTS]
    found["tests"] = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-x", "-p", "no:cacheprovider", *tests]
    tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
    small = [*me, "--section", "kernels", "--shape", *map(str, SANITIZED_SHAPE)]
    for name in TOOLS if tool else ():
        found[f"sanitizer {name}"] = [str(tool), "--tool", name, "--error-exitcode", "9", *small]
    return found


def run_all(found: dict[str, list[str]], about: dict[str, Any]) -> dict[str, Any]:
    """Run every section in a process; return rows, errors and times."""
    sections = {}
    for name, command in found.items():
        start = perf_counter()
        rows, error = run_one(command, LIMITS_S[name.partition(" ")[0]])
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
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, env=environment)
    except subprocess.TimeoutExpired:
        return [], f"not done after {limit_s} s"
    except OSError as error:
        return [], str(error)
    lines = done.stdout.strip().splitlines()
    rows = json.loads(lines[-1]) if lines and lines[-1].startswith("[{") else []
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()
        return rows, f"exit status {done.returncode}: {told[-1][:300]}"
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
