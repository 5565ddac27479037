"""How many threads a call may use."""

import os

import joblib
import numpy as np
import pytest

from fastgmm import _threads
from fastgmm._threads import MAX_THREADS, n_processors, resolve_n_jobs


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch):
    """A machine of 8 processors and no limits in the environment."""
    monkeypatch.setattr(_threads, "n_processors", lambda: 8)
    monkeypatch.delenv("FASTGMM_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(("n_jobs", "expected"), [(1, 1), (20, 20), (np.int64(3), 3), (-1, 8), (-2, 7), (-99, 1)])
def test_numbers_are_taken_or_counted_from_the_processors(n_jobs, expected):
    assert resolve_n_jobs(n_jobs) == expected


def test_absurd_numbers_are_cut():
    assert resolve_n_jobs(10**12) == MAX_THREADS


def test_what_is_no_number_of_threads_is_refused():
    with pytest.raises(ValueError, match="n_jobs must not be 0: give a positive number of threads, -1"):
        resolve_n_jobs(0)
    for wrong in (True, 2.0, "2"):
        with pytest.raises(TypeError, match="n_jobs must be an int or None, got"):
            resolve_n_jobs(wrong)


def test_none_takes_all_processors():
    assert resolve_n_jobs(None) == 8


@pytest.mark.parametrize(
    ("omp", "expected"), [("3", 3), ("99", 8), ("2,4", 2), (" 5 ", 5), ("", 8), ("0", 8), ("x", 8), ("-1", 8)]
)
def test_none_heeds_openmp_and_ignores_what_openmp_ignores(monkeypatch, omp, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", omp)
    assert resolve_n_jobs(None) == expected


def test_our_own_variable_comes_first_and_must_be_a_number(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("FASTGMM_NUM_THREADS", "12")
    assert resolve_n_jobs(None) == 12
    assert resolve_n_jobs(1) == 1
    for wrong in ("0", "two", "-1", "1.5"):
        monkeypatch.setenv("FASTGMM_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match=f"FASTGMM_NUM_THREADS must be a positive whole number, got '{wrong}'"):
            resolve_n_jobs(None)


def test_none_heeds_joblib():
    with joblib.parallel_config(n_jobs=3):
        assert resolve_n_jobs(None) == 3
    with joblib.parallel_config(n_jobs=-2):
        assert resolve_n_jobs(None) == 7
    assert resolve_n_jobs(None) == 8
    inside = joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(resolve_n_jobs)(None) for _ in range(3))
    assert inside == [1, 1, 1]


@pytest.fixture
def cgroups(tmp_path):
    """The processors that a quota tree allows, given the texts of its files and the process's membership."""

    def allowed(files, membership):
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if membership is not None:
            (tmp_path / "membership").write_text(membership)
        return _threads._cgroup_quota(tmp_path / "cgroup", tmp_path / "membership")

    return allowed


V1 = {"cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("files", "membership", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 2),
        ({"cpu.max": "max 100000\n"}, "0::/\n", MAX_THREADS),
        ({"cpu.max": "1000 100000\n"}, None, 1),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, "0::/a/b\n", 3),
        ({"a/b/cpu.max": "100000 100000", "a/cpu.max": "300000 100000"}, "0::/a/b\n", 1),
        (V1, "4:cpu,cpuacct:/docker/gone\n3:memory:/x\n", 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/\n", MAX_THREADS),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, None, 4),
        ({"cpu.max": "nonsense here"}, "0::/\n", MAX_THREADS),
        ({}, None, MAX_THREADS),
    ],
)
def test_quotas_of_all_groups_above_the_process_count(cgroups, files, membership, expected):
    assert cgroups(files, membership) == expected


def test_processors_are_those_of_the_affinity(monkeypatch):
    monkeypatch.setattr(_threads, "_cgroup_quota", lambda *_: 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    assert n_processors() == 5
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert n_processors() == 1
