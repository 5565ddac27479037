"""Whole processes, from a cold interpreter to labels and median written. make bench BENCH="-k process".

The floor is inflating the file alone, once on one processor (ISA-L, by pieces that stay in the cache); for ten scans in
one call, ten times that shared over two processors. Outputs are compared voxel for voxel before anything is timed.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from harness.files import folder, scan_file
from harness.inputs import LARGE, REAL, SCANS, SMALL, THORAXES, load
from harness.memory import N_THREADS
from harness.paired import OURS, OURS_BASELINE, Call, Group
from harness.rows import Panel, stage_test
from rivals import files

HERE = Path(__file__).parent
N_SCANS, N_INFLATIONS = 10, 9
# What a process may take beside the scan, two label volumes and the compressed file.
ALLOWANCE_MIB = 80e6 / 2**20
# For the libraries that ask for a number.
THREADS = {"OMP_NUM_THREADS": str(N_THREADS), "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(N_THREADS)}
# The composition takes part in several rounds, the published method in one.
PATIENCE = 8.0


class Process:
    """A command that is timed; `extra` takes the processor time, and the peak memory of the first run."""

    def __init__(self, command, extra: dict[str, float], **environment: str) -> None:
        self.command = list(map(str, command))
        self.environment = {**os.environ, **THREADS, **environment}
        # Python may keep its compiled modules, as it does of every package that pip installs.
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.extra = extra
        self.cpu_s: list[float] = []

    def __call__(self) -> None:
        command, peak = self.command, folder() / "peak"
        if "peak_mib" not in self.extra:
            command = [str(HERE / "harness" / "peak.py"), str(peak), *command]
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment
        )
        with process.stderr:
            messages = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(self.command)}: {messages.decode()[-500:]}")
        self.cpu_s.append(usage.ru_utime + usage.ru_stime)
        self.extra["cpu_s"] = statistics.median(self.cpu_s)
        if "peak_mib" not in self.extra:
            self.extra["peak_mib"] = int(peak.read_text()) / 2**20


def inflate_s(path: Path) -> float:
    """Seconds to inflate a file and throw the result away."""
    times = []
    for _ in range(N_INFLATIONS):
        start = time.perf_counter()
        files.inflate_only(path)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def volumes(pattern: str):
    """Labels and median from the files of a run."""
    return lambda _: tuple(
        files.read_simpleitk(next(folder().glob(pattern.format(kind=kind)))) for kind in ("labels", "median")
    )


def one_scan(case: str, preset: str) -> Group:
    """One scan in one process."""
    path, size = scan_file(case, "nrrd"), load(case).volume.size
    extra: dict[str, dict[str, float]] = {who: {} for who in PROGRAMS}
    limit = (2 * size + 2 * size + path.stat().st_size) / 2**20 + ALLOWANCE_MIB
    calls = {}
    for who, verb, level in OURS_RUNS:
        out = folder() / who.replace(" ", "_")
        command = ["-m", "fastgmm", verb, path, "-o", out, "--preset", preset, "--overwrite"]
        extra[who]["limit_mib"] = limit
        calls[who] = Call(Process(command, extra[who], **level), volumes(f"{out.name}/{path.stem}_{{kind}}.nrrd"))
    if preset == "published":
        for who, program in (("best packages", "best_packages.py"), ("published method", "published_method.py")):
            outputs = [folder() / f"{program}_{kind}.nrrd" for kind in ("labels", "median")]
            calls[who] = Call(
                Process([HERE / program, path, *outputs], extra[who]), volumes(f"{program}_{{kind}}.nrrd")
            )
    return Group(f"process {preset}", case, "warm", calls, inflate_s(path), extra=extra, patience=PATIENCE)


def ten_scans(case: str, preset: str) -> Group:
    """Ten copies of a scan in one call; the answer is that all outputs are equal to the first one's."""
    path = scan_file(case, "nrrd")
    copies = [folder() / f"copy{i}.nrrd" for i in range(N_SCANS)]
    for copy in copies:
        if not copy.exists():
            shutil.copy(path, copy)
    extra: dict[str, dict[str, float]] = {OURS: {}}
    command = ["-m", "fastgmm", "run", *copies, "-o", folder() / "ten", "--preset", preset, "--overwrite"]

    def all_equal(_):
        first, *others = (
            (folder() / "ten" / f"copy{i}_median.nrrd").read_bytes().partition(b"\n\n")[2] for i in range(N_SCANS)
        )
        if any(other != first for other in others):
            raise ValueError("the outputs of equal scans differ")
        return np.frombuffer(first, np.uint8)

    calls = {OURS: Call(Process(command, extra[OURS]), all_equal)}
    floor_s = N_SCANS * inflate_s(path) / N_THREADS
    return Group(f"ten scans {preset}", case, "warm", calls, floor_s, extra=extra, patience=PATIENCE)


def process_published(case: str, state: str) -> Group:
    return one_scan(case, "published")


def process_default(case: str, state: str) -> Group:
    return one_scan(case, "default")


def ten_published(case: str, state: str) -> Group:
    return ten_scans(case, "published")


def ten_default(case: str, state: str) -> Group:
    return ten_scans(case, "default")


CASES = tuple(case for case in SCANS if case != SMALL)
# The published rule, in voxels, finds lungs in scans of usual slices only.
PUBLISHED_CASES = tuple(case for case in (*THORAXES, REAL) if case != SMALL)
OURS_RUNS = (
    (OURS, "run", {}),
    (OURS_BASELINE, "run", {"FASTGMM_SIMD": "baseline"}),
    ("fastgmm label", "label", {}),
)
RIVALS = ("best packages", "published method")
PROGRAMS = (*(who for who, _, _ in OURS_RUNS), *RIVALS)
test_process_published = stage_test(process_published, Panel(PROGRAMS), PUBLISHED_CASES)
test_process_default = stage_test(process_default, Panel(PROGRAMS[: -len(RIVALS)]), CASES)
test_ten_scans_published = stage_test(ten_published, Panel((OURS,)), (LARGE,))
test_ten_scans_default = stage_test(ten_default, Panel((OURS,)), (LARGE,))
