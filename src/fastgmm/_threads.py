"""How many threads a call may use."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads for an `n_jobs` argument.

    None takes FASTGMM_NUM_THREADS, else the least of the processors this process may use, the cgroup's quota,
    OMP_NUM_THREADS and joblib's active setting. Negative numbers count from the processors as in joblib.
    """
    if n_jobs is None:
        fixed = _positive_int(os.environ.get("FASTGMM_NUM_THREADS"), "FASTGMM_NUM_THREADS")
        return fixed or _default_n_jobs()
    if isinstance(n_jobs, bool) or not hasattr(n_jobs, "__index__"):
        raise TypeError(f"n_jobs must be an int or None, got {n_jobs!r}")
    n_jobs = n_jobs.__index__()
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: give a positive number of threads, -1 for all processors, or None")
    return n_jobs if n_jobs > 0 else max(1, n_processors() + 1 + n_jobs)


def n_processors() -> int:
    """Return the processors this process may use: its affinity, limited by the cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return max(1, min(available, _cgroup_quota(Path("/sys/fs/cgroup"))))


def _default_n_jobs() -> int:
    limits = [n_processors()]
    omp = _positive_int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0], "OMP_NUM_THREADS")
    if omp:
        limits.append(omp)
    joblib = sys.modules.get("joblib")
    if joblib is not None:
        backend, n_jobs = joblib.parallel.get_active_backend()
        if getattr(backend, "nesting_level", 0):
            limits.append(1 if n_jobs is None else max(1, int(n_jobs)))
    return min(limits)


def _positive_int(text: str | None, name: str) -> int | None:
    if not text:
        return None
    if not text.strip().isdigit() or int(text) < 1:
        raise ValueError(f"{name} must be a positive whole number, got {text!r}")
    return int(text)


def _cgroup_quota(root: Path) -> int:
    """Return the processors that the cgroup's quota allows, rounded up; a large number without a quota."""
    unlimited = 1 << 20
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()[:2]
        else:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
    except OSError:
        return unlimited
    if quota in ("max", "-1"):
        return unlimited
    return max(1, math.ceil(int(quota) / int(period)))
