"""How many threads a call may use."""

from __future__ import annotations

import math
import operator
import os
import sys
from pathlib import Path

from fastgmm._cgroups import MEMBERSHIP, ROOT, cgroups

# More threads than any machine has processors; it keeps absurd numbers out of 32-bit counters.
MAX_THREADS = 1 << 12


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads for an `n_jobs` argument.

    None takes FASTGMM_NUM_THREADS, else the least of the processors this process may use, the cgroup's quota,
    OMP_NUM_THREADS and joblib's active setting. Negative numbers count from the processors as in joblib.
    """
    if n_jobs is None:
        text = os.environ.get("FASTGMM_NUM_THREADS", "")
        if text and _positive_int(text) is None:
            raise ValueError(f"FASTGMM_NUM_THREADS must be a positive whole number, got {text!r}; set it, or unset it")
        return _positive_int(text) or _default_n_jobs()
    if isinstance(n_jobs, bool) or not hasattr(n_jobs, "__index__"):
        raise TypeError(f"n_jobs must be an int or None, got {n_jobs!r}")
    n_jobs = operator.index(n_jobs)
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: give a positive number of threads, -1 for all processors, or None")
    return min(n_jobs, MAX_THREADS) if n_jobs > 0 else max(1, n_processors() + 1 + n_jobs)


def n_processors() -> int:
    """Return the processors this process may use: its affinity, limited by the cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):  # noqa: SIM108 (mypy narrows by platform in a plain if)
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return max(1, min(available, _cgroup_quota(ROOT, MEMBERSHIP)))


def _default_n_jobs() -> int:
    limits = [n_processors()]
    # OpenMP takes a list, one number per nesting level, and ignores what it cannot read.
    omp = _positive_int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0])
    if omp:
        limits.append(omp)
    parallel = sys.modules.get("joblib.parallel")
    if parallel is not None:
        backend, n_jobs = parallel.get_active_backend()
        if n_jobs is not None:
            limits.append(resolve_n_jobs(n_jobs))
        elif getattr(backend, "nesting_level", 0):
            limits.append(1)
    return min(limits)


def _positive_int(text: str) -> int | None:
    """Return the number that the text spells, None if it spells no number above 0."""
    text = text.strip()
    number = int(text) if text.isascii() and text.isdigit() else 0
    return min(number, MAX_THREADS) or None


def _cgroup_quota(root: Path, membership: Path) -> int:
    """Return the processors that the quotas of this process's cgroups allow, rounded up; MAX_THREADS without one."""
    allowed = MAX_THREADS
    for group in cgroups(root, membership, "cpu"):
        try:
            if (group / "cpu.max").exists():
                quota, period = (group / "cpu.max").read_text().split()[:2]
            else:
                quota = (group / "cpu.cfs_quota_us").read_text().strip()
                period = (group / "cpu.cfs_period_us").read_text().strip()
            if quota not in ("max", "-1"):
                allowed = min(allowed, max(1, math.ceil(int(quota) / int(period))))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return allowed
