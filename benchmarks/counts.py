"""Instruction counts of every kernel on a fixed input, by valgrind's callgrind: a figure without noise.

    python benchmarks/counts.py [--out benchmarks/results/counts.json]

Compiles `native/kernel_counts.cpp` with the kernels and the flags of setup.py, and runs each kernel on one thread, at
the baseline and at AVX2 (valgrind knows no AVX-512). Needs g++ or clang++, and valgrind. A count says nothing about
waiting for memory; it says at once whether a change made a kernel do more.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "counts.json"
LEVELS = ("baseline", "avx2")
# Those of setup.py.
FLAGS = ["-std=c++17", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-g0", "-pthread"]


def build(folder: Path) -> Path:
    """Compile the kernels and the program that runs one of them."""
    compiler = os.environ.get("CXX", "g++")
    sources = sorted((ROOT / "csrc" / "core").glob("*.cpp"))

    def compile_one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        subprocess.run([compiler, *FLAGS, f"-I{ROOT / 'csrc'}", f"-I{ROOT}", "-c", source, "-o", target], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, [*sources, ROOT / "benchmarks" / "native" / "kernel_counts.cpp"]))
    program = folder / "kernel_counts"
    subprocess.run([compiler, "-pthread", *objects, "-o", program], check=True)
    return program


def count(program: Path, kernel: str, level: str, folder: Path) -> int:
    """Return the instructions between entry and exit of the counted function."""
    out = folder / f"{kernel}.{level}"
    command = [
        "valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=fg_counted",
        f"--callgrind-out-file={out}", program, kernel,
    ]  # fmt: skip
    environment = {**os.environ, "FASTGMM_SIMD": level}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{kernel} at {level} failed under valgrind:\n{done.stderr[-2000:]}")
    found = [line.split(":")[1] for line in out.read_text().splitlines() if line.startswith(("totals:", "summary:"))]
    n_instructions = max((int(number) for number in found), default=0)
    if n_instructions < 1000:
        raise SystemExit(f"{kernel} at {level}: callgrind saw {n_instructions} instructions; was fg_counted inlined?")
    return n_instructions


def measure() -> dict:
    """Return the counts of all kernels at all levels, with the compiler that made the code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = build(folder)
        kernels = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
        counts = {level: {kernel: count(program, kernel, level, folder) for kernel in kernels} for level in LEVELS}
    version = subprocess.run([os.environ.get("CXX", "g++"), "--version"], capture_output=True, text=True, check=True)
    return {"compiler": version.stdout.splitlines()[0], "flags": " ".join(FLAGS), "counts": counts}


def markdown(document: dict) -> str:
    """Return the counts as a table."""
    levels = list(document["counts"])
    rows = [
        f"| {kernel} | " + " | ".join(f"{document['counts'][level][kernel]:,}" for level in levels) + " |"
        for kernel in document["counts"][levels[0]]
    ]
    head = [
        "# Instructions per kernel",
        "",
        f"One thread, a fixed volume of 32×64×130 voxels (256 labels: 16×16×70), 6,000 rows or 4,000 bins; "
        f"{document['compiler']}, `{document['flags']}`. Made by `make bench-counts`; "
        "what each name runs stands in `tests/native/every_kernel.h`. "
        "Valgrind emulates no AVX-512, so that level has no count; its code comes from the same text.",
        "",
        "| kernel | " + " | ".join(levels) + " |",
        "| --- |" + " ---: |" * len(levels),
    ]
    return "\n".join([*head, *rows]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("counts need valgrind: apt-get install valgrind")
    document = measure()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    options.out.with_suffix(".md").write_text(markdown(document), encoding="utf-8")
    print(markdown(document))


if __name__ == "__main__":
    main()
