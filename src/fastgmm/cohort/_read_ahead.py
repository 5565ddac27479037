"""Read the next scan while this one is computed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Outcome(Generic[Result]):
    """A value, or the error that came instead."""

    def __init__(self, read: Callable[[Item], Result], item: Item) -> None:
        self.value: Result | None = None
        self.error: Exception | None = None
        try:
            self.value = read(item)
        except Exception as error:
            self.error = error


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Result], *, ahead: bool = True
) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Yield each item with a call that returns `read(item)` or raises what reading it raised.

    With `ahead`, one thread reads the item after the one that was yielded last; no more than that one result waits. The
    thread does not keep an interrupted process alive.
    """
    if not ahead or len(items) < 2:
        for item in items:
            yield item, lambda item=item: read(item)  # type: ignore[misc]
        return
    outcomes: queue.Queue[_Outcome[Result]] = queue.Queue()
    wanted = threading.Semaphore(1)
    stopped = threading.Event()
    threading.Thread(target=_fill, args=(items, read, outcomes, wanted, stopped), daemon=True).start()
    try:
        for item in items:
            yield item, lambda: _take(outcomes, wanted)
    finally:
        stopped.set()
        wanted.release()


def _fill(
    items: Sequence[Item],
    read: Callable[[Item], Result],
    outcomes: queue.Queue[_Outcome[Result]],
    wanted: threading.Semaphore,
    stopped: threading.Event,
) -> None:
    """Read one item for each time one more is wanted."""
    for item in items:
        wanted.acquire()
        if stopped.is_set():
            return
        outcomes.put(_Outcome(read, item))


def _take(outcomes: queue.Queue[_Outcome[Result]], wanted: threading.Semaphore) -> Result:
    """Return or raise the oldest outcome and let the thread read the next."""
    outcome = outcomes.get()
    wanted.release()
    if outcome.error is not None:
        raise outcome.error
    return outcome.value  # type: ignore[return-value]
