"""Read, or do, the next scans while this one is computed."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from time import monotonic
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Outcome(Generic[Result]):
    """A value, or the error that came instead; it keeps nothing alive that those who raised it held."""

    def __init__(self, read: Callable[[Item], Result], item: Item) -> None:
        self.value: Result | None = None
        self.error: BaseException | None = None
        try:
            self.value = read(item)
        except BaseException as error:
            self.error = error
            _forget_locals(error)


def _forget_locals(error: BaseException) -> None:
    """Let go of the volumes that the frames of an error, and of those it came from, would keep while it waits."""
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        chain = chain.__cause__ or chain.__context__


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Result], *, ahead: int = 1, waiting: int = 0, ending_s: float = 0
) -> Generator[tuple[Item, Callable[[], Result]]]:
    """Yield each item with a call that returns `read(item)` or raises what reading it raised.

    So many threads as `ahead` says read the items after the one that was yielded last. No more results than `waiting`
    wait, no more than there are threads by default. The threads do not keep an interrupted process alive; closing the
    generator waits `ending_s` for them.
    """
    if not ahead or len(items) < 2:
        for item in items:
            yield item, lambda item=item: read(item)  # type: ignore[misc]
        return
    outcomes: list[queue.SimpleQueue[_Outcome[Result]]] = [queue.SimpleQueue() for _ in items]
    todo = iter(list(zip(items, outcomes, strict=True)))
    most = max(ahead, waiting)
    wanted = threading.Semaphore(most)
    stopped = threading.Event()
    arguments = (todo, read, wanted, stopped)
    threads = [threading.Thread(target=_fill, args=arguments, daemon=True) for _ in range(min(ahead, len(items)))]
    for thread in threads:
        thread.start()
    try:
        for item, outcome in zip(items, outcomes, strict=True):
            yield item, lambda outcome=outcome: _take(outcome, wanted)  # type: ignore[misc]
    finally:
        stopped.set()
        wanted.release(most)
        end = monotonic() + ending_s
        for thread in threads:
            thread.join(max(0.0, end - monotonic()))


def _fill(
    todo: Iterator[tuple[Item, queue.SimpleQueue[_Outcome[Result]]]],
    read: Callable[[Item], Result],
    wanted: threading.Semaphore,
    stopped: threading.Event,
) -> None:
    """Read one item for each time one more is wanted."""
    while wanted.acquire() and not stopped.is_set():
        try:  # a list's iterator serves one thread at a time
            item, outcome = next(todo)
        except StopIteration:
            return
        outcome.put(_Outcome(read, item))


def _take(outcomes: queue.SimpleQueue[_Outcome[Result]], wanted: threading.Semaphore) -> Result:
    """Return or raise the outcome and let a thread read the next item."""
    outcome = outcomes.get()
    wanted.release()
    if outcome.error is not None:
        raise outcome.error
    return outcome.value  # type: ignore[return-value]
