"""Several scans side by side, each in a thread of its own: they share the processors and the memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from fastgmm._memory import available_bytes
from fastgmm.cohort._plan import Case
from fastgmm.cohort._read_ahead import read_ahead
from fastgmm.cohort._results import Event

if TYPE_CHECKING:
    from fastgmm.cohort._arrival import Arrival
    from fastgmm.cohort._options import Options

Result = TypeVar("Result")
Compute = Callable[[Case, "Callable[[], Arrival]", "Options"], Result]
# A volume, two label volumes, masks and the compressed file, of which no voxel needs more than two bytes.
_BYTES_PER_VOXEL = 7
# Scans that are done wait for a longer one that was begun before them: so many for each thread.
_WAITING = 4
# How long a run that is left waits for scans in work: they end at their next step, unless a file cannot be read on.
_ENDING_S = 20.0


class Lanes:
    """Shares of what the machine has: threads by how many scans there are left, memory by the size of their volumes.

    n_jobs : threads of the run
    """

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self._n_left = 1
        self._held: dict[str, int] = {}
        self._changed = threading.Condition()
        available = available_bytes()
        self._limit = None if available is None else available // 2

    def begin(self, n_scans: int) -> None:
        """Take up so many scans."""
        self._n_left = n_scans

    @property
    def threads(self) -> int:
        """How many threads one scan may use now."""
        return -(-self.n_jobs // max(1, min(self.n_jobs, self._n_left)))

    def hold(self, name: str, n_voxels: int) -> None:
        """Wait until there is memory for a scan: half of what the machine had when the run began is shared.

        A scan that is alone gets what it needs.
        """
        n_bytes = n_voxels * _BYTES_PER_VOXEL
        with self._changed:
            self._held.pop(name, None)
            self._changed.wait_for(lambda: self._has_room(n_bytes))
            self._held[name] = n_bytes

    def done(self, name: str) -> None:
        """Give back a scan's share."""
        with self._changed:
            self._held.pop(name, None)
            self._n_left -= 1
            self._changed.notify_all()

    def _has_room(self, n_bytes: int) -> bool:
        held = sum(self._held.values())
        return not held or self._limit is None or held + n_bytes <= self._limit


class _StoppedError(Exception):
    """The run was left: a scan that is still in work ends at its next step."""


def each_scan(
    cases: Sequence[Case], read: Callable[[Case], Arrival], compute: Compute[Result], options: Options
) -> Generator[tuple[Case, Callable[[], Result]]]:
    """Yield each case, in order, with a call that returns what `compute` made of it or raises what stopped it.

    `compute(case, take, options)` gets the scan by `take()`. On processors so many scans are in work as there are
    threads; on a GPU they are read ahead, and the call itself computes. Events are told by the calling thread in the
    order in which they would come with one scan after the other.

    To be closed by the caller, so that no scan is in work any more.
    """
    if options.place.ahead:
        for case, take in read_ahead(cases, read, ahead=options.ahead):
            yield case, partial(compute, case, take, options)
        return
    options.lanes.begin(len(cases))
    if min(options.lanes.n_jobs, len(cases)) < 2:
        for case in cases:
            yield case, partial(_alone, case, read, compute, options)
    else:
        yield from _side_by_side(cases, read, compute, options)


def _alone(case: Case, read: Callable[[Case], Arrival], compute: Compute[Result], options: Options) -> Result:
    try:
        return compute(case, partial(read, case), options)
    finally:
        options.lanes.done(case.name)


def _side_by_side(
    cases: Sequence[Case], read: Callable[[Case], Arrival], compute: Compute[Result], options: Options
) -> Generator[tuple[Case, Callable[[], Result]]]:
    events = _Relay(cases)
    own = options.telling(events.tell)

    def work(case: Case) -> Result:
        try:
            return _alone(case, read, compute, own)
        finally:
            events.end(case)

    n_lanes = min(options.lanes.n_jobs, len(cases))
    scans = read_ahead(cases, work, ahead=n_lanes, waiting=_WAITING * n_lanes, ending_s=_ENDING_S)
    with closing(scans), closing(events):
        for case, outcome in scans:
            for event in events.of(case):
                options.tell(event)
            yield case, outcome


class _Relay:
    """Events of the scans in work, kept until the calling thread tells them; once closed, they end their scans."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._queues: dict[str, queue.SimpleQueue[Event | None]] = {case.name: queue.SimpleQueue() for case in cases}
        self._closed = threading.Event()

    def tell(self, event: Event) -> None:
        if self._closed.is_set():
            raise _StoppedError
        assert event.case is not None, "scans tell of themselves"
        self._queues[event.case.name].put(event)

    def end(self, case: Case) -> None:
        self._queues[case.name].put(None)

    def of(self, case: Case) -> Iterator[Event]:
        """Yield a scan's events as they come, until it ends."""
        return iter(self._queues[case.name].get, None)

    def close(self) -> None:
        self._closed.set()
