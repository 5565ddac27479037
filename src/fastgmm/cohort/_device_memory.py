"""Memory of a run on a GPU, allocated once: blocks of the device and page-locked ones that copies pass through.

A block goes back when the array that was handed out and all views of it are gone. What has been asked of the streams
until then may still use the block: who gets it next waits for that. Blocks of another size are given up before a new
one is made, so that scans of different shapes do not add up.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastgmm._types import Shape3

# A block serves what takes at least this share of it.
_LEAST_SHARE = 2


class Loan:
    """What every array that shows a block refers to, views of views too."""


class Blocks:
    """Blocks of one kind of memory; any thread may take.

    Parameters
    ----------
    allocate : callable
        Returns a 1-D array of a number of bytes.
    show : callable
        Returns an array of a shape and dtype in a block that keeps a loan alive as long as itself or a view of it is.
    mark : callable
        Returns the events that tell when all that was asked for until now is done.
    ring : int
        How many blocks are made before somebody waits for one of them, and kept before one of another size is given up.
    discard : callable
        Called when blocks were given up, and nothing refers to them any more.
    """

    def __init__(
        self,
        allocate: Callable[[int], Any],
        show: Callable[[Any, Loan, Shape3, np.dtype[Any]], Any],
        mark: Callable[[], list[Any]],
        *,
        ring: int = 0,
        discard: Callable[[], Any] = list,
    ) -> None:
        self._allocate, self._show, self._mark = allocate, show, mark
        self._ring, self._discard = ring, discard
        self._lock = threading.RLock()  # a block may go back while another is looked for, when garbage is collected
        self._free: list[tuple[Any, list[Any]]] = []
        self.n_bytes = self.n_blocks = 0

    def take(self, shape: Shape3, dtype: DTypeLike, wait: Callable[[Any], Any]) -> Any:
        """Return an array that is not set to anything; `wait` is called before with each event of its last use."""
        kind = np.dtype(dtype)
        n_bytes = math.prod(shape) * kind.itemsize
        block, events = self._fitting(n_bytes) or (self._new(n_bytes), [])
        for event in events:
            wait(event)
        loan = Loan()
        weakref.finalize(loan, self._give_back, block).atexit = False
        return self._show(block, loan, shape, kind)

    def _give_back(self, block: Any) -> None:
        events = self._mark()
        with self._lock:
            self._free.append((block, events))

    def _fitting(self, n_bytes: int) -> tuple[Any, list[Any]] | None:
        """Take out the block that has been free the longest of those that fit; while the ring grows, one not in use."""
        with self._lock:
            for i, (block, events) in enumerate(self._free):
                at_once = self.n_blocks >= self._ring or all(event.done for event in events)
                if n_bytes <= block.size <= _LEAST_SHARE * n_bytes and at_once:
                    return self._free.pop(i)
        return None

    def _new(self, n_bytes: int) -> Any:
        """Allocate a block, where the ring is full in place of those of another size that are free."""
        with self._lock:
            n_surplus = max(self.n_blocks + 1 - self._ring, 0)
            surplus, self._free = self._free[:n_surplus], self._free[n_surplus:]
            self.n_blocks += 1
            self.n_bytes += n_bytes
        self._give_up(surplus)
        try:
            return self._allocate(n_bytes)
        except BaseException:
            self._forget(n_bytes)
            raise

    def drop_free(self) -> None:
        """Give the blocks that nobody uses back to CuPy's pool, once what was asked for is done."""
        with self._lock:
            free, self._free = self._free, []
        self._give_up(free)

    def _give_up(self, blocks: list[tuple[Any, list[Any]]]) -> None:
        """Wait for what was asked of blocks that were taken out, and let go of them."""
        if not blocks:
            return
        while blocks:
            block, events = blocks.pop()
            for event in events:
                event.synchronize()
            self._forget(block.size)
            del block
        self._discard()

    def _forget(self, n_bytes: int) -> None:
        with self._lock:
            self.n_blocks -= 1
            self.n_bytes -= n_bytes
