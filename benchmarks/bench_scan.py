"""Whole process on one scan: `fastgmm run` against the published method with SciPy, SimpleITK and scikit-learn.

Usage: python benchmarks/bench_scan.py SCAN [--runs 3]

Both programs start from a cold interpreter, read the scan and write labels and median. The outputs are compared voxel
for voxel before anything is timed; then the two run in turn and the ratio is taken pair by pair.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

PUBLISHED = Path(__file__).with_name("published_method.py")


def run(command):
    """Return wall seconds, processor seconds and peak memory in MiB of a finished process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def voxels(path):
    """Return the array of a label file."""
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def main():
    """Check, then time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        rival = [sys.executable, PUBLISHED, options.scan, out / "labels.nrrd", out / "median.nrrd"]
        ours = [sys.executable, "-m", "fastgmm", "run", options.scan, "-o", out, "--preset", "published", "--overwrite"]
        run(rival)
        run(ours)
        case = options.scan.name.removesuffix(".nrrd").removesuffix(".nii.gz")
        for kind in ("labels", "median"):
            (mine,) = out.glob(f"{case}_{kind}.*")
            if not np.array_equal(voxels(mine), voxels(out / f"{kind}.nrrd")):
                raise SystemExit(f"{kind} differ from the published method's")
        pairs = [(run(ours), run(rival)) for _ in range(options.runs)]
    print(f"{options.scan.name}: {options.runs} paired runs, {os.cpu_count()} processors, answers equal")
    print(f"{'':24}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}")
    for name, row in (("fastgmm run", 0), ("published method", 1)):
        print(f"{name:24}" + "".join(f"{statistics.median(p[row][i] for p in pairs):10.2f}" for i in range(3)))
    ratios = [statistics.median(p[1][i] / p[0][i] for p in pairs) for i in range(3)]
    print(f"{'ratio':24}" + "".join(f"{r:10.1f}" for r in ratios))


if __name__ == "__main__":
    main()
