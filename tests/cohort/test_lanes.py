"""Scans computed side by side: what each may use, and in which order it is told."""

import threading
from contextlib import closing

import pytest
from cohort.chests import SMALL, write_chest

from fastgmm.cohort import _lanes, run_cohort
from fastgmm.cohort._lanes import Lanes, each_scan
from fastgmm.cohort._options import Options
from fastgmm.cohort._plan import Case

WAIT_S = 20


def cases(tmp_path, n):
    return [Case(tmp_path / f"s{k}.nrrd", f"s{k}", k, n) for k in range(1, n + 1)]


def read(case):
    return case


@pytest.mark.parametrize(
    ("n_jobs", "n_scans", "threads"), [(1, 1, 1), (1, 9, 1), (2, 1, 2), (2, 2, 1), (8, 3, 3), (8, 7, 2), (8, 80, 1)]
)
def test_scans_share_the_threads_so_that_none_is_idle(n_jobs, n_scans, threads):
    lanes = Lanes(n_jobs)
    lanes.begin(n_scans)
    assert lanes.threads == threads


def test_the_last_scans_get_the_threads_of_those_that_are_done():
    lanes, seen = Lanes(6), []
    lanes.begin(4)
    for name in "abcd":
        seen.append(lanes.threads)
        lanes.done(name)
    assert seen == [2, 2, 3, 6]


@pytest.fixture
def small_memory(monkeypatch):
    """A machine with room for volumes of 1000 voxels."""
    monkeypatch.setattr(_lanes, "available_bytes", lambda: 1000 * 2 * _lanes._BYTES_PER_VOXEL)


def test_a_scan_waits_for_memory_until_another_is_done(small_memory):
    lanes, got = Lanes(3), threading.Event()
    lanes.hold("a", 600)
    lanes.hold("b", 400)

    def third():
        lanes.hold("c", 500)
        got.set()

    thread = threading.Thread(target=third)
    thread.start()
    assert not got.wait(0.05)
    lanes.done("b")
    assert not got.wait(0.05)
    lanes.done("a")
    assert got.wait(WAIT_S)
    thread.join()


def test_a_scan_that_is_alone_gets_what_it_needs(small_memory):
    lanes = Lanes(2)
    lanes.hold("a", 10**9)
    lanes.done("a")
    lanes.hold("b", 10**9)
    lanes.hold("b", 10**9)  # again, as when a second part of it is read


def test_nothing_waits_where_the_memory_is_not_told(monkeypatch):
    monkeypatch.setattr(_lanes, "available_bytes", lambda: None)
    lanes = Lanes(2)
    lanes.hold("a", 10**12)
    lanes.hold("b", 10**12)


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("fit", [False, True])
def test_a_run_in_short_memory_makes_every_scan(tmp_path, monkeypatch, n_jobs, fit):
    monkeypatch.setattr(_lanes, "available_bytes", lambda: 1)
    paths = [write_chest(tmp_path / f"{k}.nrrd", seed=k) for k in range(4)]
    paths.insert(2, tmp_path / "missing.nrrd")
    result = run_cohort(paths, tmp_path / "out", settings=SMALL, n_jobs=n_jobs, fit=fit, preview=False)
    assert list(result.outputs)[:4] == ["0", "1", "2", "3"]
    assert [failure.case for failure in result.failures] == ["missing"]


def test_so_many_scans_are_in_work_as_there_are_threads(tmp_path):
    together = threading.Barrier(3)

    def compute(case, take, options):
        threads = options.threads
        together.wait(WAIT_S)
        return case.index, threads

    with closing(each_scan(cases(tmp_path, 6), read, compute, Options(n_jobs=3))) as scans:
        assert [outcome() for _, outcome in scans] == [(k, 1) for k in range(1, 7)]


def test_events_come_in_the_order_of_scans_from_the_calling_thread(tmp_path):
    told, second_told = [], threading.Event()

    def on_event(event):
        told.append((event.case.name, event.text, threading.current_thread()))

    def compute(case, take, options):
        if case.index == 1:
            assert second_told.wait(WAIT_S)
        for stage in ("reading", "lungs"):
            options.stage(case, stage)
        if case.index == 2:
            second_told.set()

    with closing(each_scan(cases(tmp_path, 3), read, compute, Options(n_jobs=2, on_event=on_event))) as scans:
        for case, outcome in scans:
            assert told[-1][0] == case.name
            outcome()
    here = threading.current_thread()
    assert told == [(f"s{k}", stage, here) for k in (1, 2, 3) for stage in ("reading", "lungs")]


@pytest.mark.parametrize("n_jobs", [1, 2, 8])
def test_an_error_is_its_scan_s_own(tmp_path, n_jobs):
    def compute(case, take, options):
        if case.index == 2:
            raise OSError("bad")
        return case.name

    made, failed = [], []
    with closing(each_scan(cases(tmp_path, 4), read, compute, Options(n_jobs=n_jobs))) as scans:
        for case, outcome in scans:
            try:
                made.append(outcome())
            except OSError:
                failed.append(case.name)
    assert (made, failed) == (["s1", "s3", "s4"], ["s2"])


def test_a_run_that_is_left_ends_what_is_in_work(tmp_path):
    working, left, ended = threading.Barrier(3), threading.Event(), []

    def compute(case, take, options):
        if case.index > 1:
            try:
                working.wait(WAIT_S)
                assert left.wait(WAIT_S)
                options.stage(case, "lungs")
                pytest.fail("went on")
            finally:
                ended.append(case.index)

    def leave():
        with closing(each_scan(cases(tmp_path, 9), read, compute, Options(n_jobs=2))) as scans:
            next(scans)
            working.wait(WAIT_S)
            threading.Timer(0.05, left.set).start()
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        leave()
    assert sorted(ended) == [2, 3]
    assert threading.active_count() == before


def test_an_interrupted_run_leaves_no_thread_and_no_half_scan(tmp_path):
    paths = [write_chest(tmp_path / f"{k}.nrrd", seed=k) for k in range(6)]

    def interrupt(event):
        if event.kind == "done" and event.case.name == "1":
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run_cohort(paths, tmp_path / "out", settings=SMALL, n_jobs=3, on_event=interrupt)
    assert threading.active_count() == before
    made = {path.name.partition("_")[0] for path in (tmp_path / "out").iterdir()}
    assert made == {"0", "1"}


def test_unequal_scans_side_by_side_give_what_they_give_alone(tmp_path):
    shapes = [(24, 60, 76), (48, 120, 152), (24, 60, 76), (30, 70, 90), (24, 61, 77)]
    paths = [write_chest(tmp_path / f"{k}.nii.gz", seed=k, shape=shape) for k, shape in enumerate(shapes)]
    events = {n_jobs: [] for n_jobs in (1, 4)}
    for n_jobs, told in events.items():
        run_cohort(
            paths,
            tmp_path / str(n_jobs),
            settings=SMALL,
            fit=True,
            n_jobs=n_jobs,
            on_event=lambda event, told=told: told.append((event.kind, event.case and event.case.name, event.text)),
        )
    assert events[1] == events[4]
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len(names) == 5 * 4 + 2
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()
