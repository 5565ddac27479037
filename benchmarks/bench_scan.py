"""Whole processes, from a cold interpreter to labels and median written. make bench BENCH="-k process".

The floor is inflating the file alone, once on one processor (ISA-L, by pieces that stay in the cache); for ten scans in
one call, ten times that shared over two processors. Outputs are compared voxel for voxel before anything is timed.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from harness.inputs import LARGE, REAL, SCANS, load, real_scan_path
from harness.memory import N_THREADS
from harness.paired import OURS, Call, Group
from harness.rows import stage_test
from rivals import files

HERE = Path(__file__).parent
N_SCANS, N_INFLATIONS = 10, 9
# What a process may take beside the scan, two label volumes and the compressed file.
ALLOWANCE_MIB = 80e6 / 2**20
# A process of half a minute still takes part in several rounds; the published method does not.
VERY_SLOW_S = 30.0
FOLDER = Path(tempfile.mkdtemp(prefix="fastgmm_bench_"))


@pytest.fixture(scope="module", autouse=True)
def remove_files():
    yield
    shutil.rmtree(FOLDER, ignore_errors=True)


class Process:
    """A command that is timed; remembers processor time and peak memory of each run in `extra`."""

    def __init__(self, command, extra: dict[str, float]) -> None:
        self.command = [sys.executable, *map(str, command)]
        self.extra = extra
        self.cpu_s: list[float] = []

    def __call__(self) -> None:
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
        messages = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(self.command)}: {messages.decode()[-500:]}")
        self.cpu_s.append(usage.ru_utime + usage.ru_stime)
        self.extra["cpu_s"] = statistics.median(self.cpu_s)
        self.extra["peak_mib"] = max(self.extra.get("peak_mib", 0.0), usage.ru_maxrss / 1024)


def environment() -> dict[str, str]:
    """This process's, with two threads for the libraries that ask for a number."""
    threads = {"OMP_NUM_THREADS": str(N_THREADS), "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(N_THREADS)}
    return {**os.environ, **threads}


def scan_path(case: str) -> Path:
    """The scan as a compressed file."""
    if case == REAL:
        return real_scan_path()
    path = FOLDER / f"{case.replace(' ', '_')}.nrrd"
    if not path.exists():
        files.write_inputs(load(case).volume, FOLDER)[0].rename(path)
    return path


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
        files.read_simpleitk(next(FOLDER.glob(pattern.format(kind=kind)))) for kind in ("labels", "median")
    )


def one_scan(case: str, preset: str) -> Group:
    """One scan in one process."""
    path, size = scan_path(case), load(case).volume.size
    names = [OURS, "fastgmm label", "best packages", "published method"]
    extra: dict[str, dict[str, float]] = {who: {} for who in names}
    limit = (2 * size + 2 * size + path.stat().st_size) / 2**20 + ALLOWANCE_MIB
    extra[OURS]["limit_mib"] = extra["fastgmm label"]["limit_mib"] = limit
    calls = {}
    for who, verb, folder in ((OURS, "run", "run"), ("fastgmm label", "label", "label")):
        command = ["-m", "fastgmm", verb, path, "-o", FOLDER / folder, "--preset", preset, "--overwrite"]
        calls[who] = Call(Process(command, extra[who]), volumes(f"{folder}/{path.stem}_{{kind}}.nrrd"))
    if preset == "published":
        for who, program in (("best packages", "best_packages.py"), ("published method", "published_method.py")):
            outputs = [FOLDER / f"{program}_{kind}.nrrd" for kind in ("labels", "median")]
            calls[who] = Call(
                Process([HERE / program, path, *outputs], extra[who]), volumes(f"{program}_{{kind}}.nrrd")
            )
    return Group(f"process {preset}", case, "warm", calls, inflate_s(path), extra=extra, very_slow_s=VERY_SLOW_S)


def ten_scans(case: str, preset: str) -> Group:
    """Ten copies of a scan in one call; the answer is that all outputs are equal to the first one's."""
    path = scan_path(case)
    copies = [FOLDER / f"copy{i}.nrrd" for i in range(N_SCANS)]
    for copy in copies:
        if not copy.exists():
            shutil.copy(path, copy)
    extra: dict[str, dict[str, float]] = {OURS: {}}
    command = ["-m", "fastgmm", "run", *copies, "-o", FOLDER / "ten", "--preset", preset, "--overwrite"]

    def all_equal(_):
        first, *others = (
            (FOLDER / "ten" / f"copy{i}_median.nrrd").read_bytes().partition(b"\n\n")[2] for i in range(N_SCANS)
        )
        if any(other != first for other in others):
            raise ValueError("the outputs of equal scans differ")
        return np.frombuffer(first, np.uint8)

    calls = {OURS: Call(Process(command, extra[OURS]), all_equal)}
    floor_s = N_SCANS * inflate_s(path) / N_THREADS
    return Group(f"ten scans {preset}", case, "warm", calls, floor_s, extra=extra, very_slow_s=VERY_SLOW_S)


def process_published(case: str, state: str) -> Group:
    return one_scan(case, "published")


def process_default(case: str, state: str) -> Group:
    return one_scan(case, "default")


def ten_published(case: str, state: str) -> Group:
    return ten_scans(case, "published")


def ten_default(case: str, state: str) -> Group:
    return ten_scans(case, "default")


CASES = tuple(case for case in SCANS if case.startswith((LARGE, REAL)) or "827" in case)
STATES = ("warm",)
PROGRAMS = (OURS, "fastgmm label", "best packages", "published method")
test_process_published = stage_test(process_published, PROGRAMS, CASES, STATES)
test_process_default = stage_test(process_default, PROGRAMS[:2], CASES, STATES)
test_ten_scans_published = stage_test(ten_published, (OURS,), (LARGE,), STATES)
test_ten_scans_default = stage_test(ten_default, (OURS,), (LARGE,), STATES)
