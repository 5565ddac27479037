"""Rows of the table, timed on the device, and the predictions that they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

FULL_SHAPE = (827, 512, 512)
# Milliseconds for FULL_SHAPE on a card with about 4.3 TB/s, predicted before a kernel ran; docs/gpu.md compares.
PREDICTED_MS = {
    "threshold and pack": 0.14,
    "opening": 0.08,
    "components and selection": 0.4,
    "closing 30 + 20": 4.2,
    "closing 30 + 20 in the lungs' box": 1.7,
    "histogram": 0.25,
    "labels": 0.2,
    "median": 0.2,
    "all kernels of a scan": 6.0,
    "upload of a volume": 8.7,
}
ROUNDS = 7
# A kernel that keeps the device busy while a call is queued behind it, so that the queue is full when time starts.
_BUSY = """
namespace fg {
extern "C" __global__ void __launch_bounds__(1) busy(long long n, unsigned* out) {
  unsigned x = 1;
  for (long long i = 0; i < n; i++) x = x * 1664525u + 1013904223u;
  *out = x;
}
}
"""
_BUSY_TURNS = 1_200_000  # some 3 ms


@dataclass
class Row:
    """One line of the table; None where there is nothing to say."""

    section: str
    name: str
    who: str = "fastgmm"
    ms: float | None = None
    n_bytes: float | None = None
    predicted_ms: float | None = None
    checked: str = ""
    note: str = ""


def timed_ms(call: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Return the least time of a call on the device, after one that warms up.

    What the host spends on launches counts only after the call has waited for the device.
    """
    import cupy

    busy, unused = cupy.RawModule(code=_BUSY).get_function("busy"), cupy.empty(1, np.uint32)
    call()
    times = []
    for _ in range(rounds):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        busy((1,), (1,), (np.int64(_BUSY_TURNS), unused))
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(start, end))
    return min(times)


def attempt(row: Row, work: Callable[[], tuple[float, str]]) -> Row:
    """Fill a row by work that returns milliseconds and how the answer was checked; an error becomes its note."""
    try:
        row.ms, row.checked = work()
    except Exception as error:
        row.note = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return row


def predicted(name: str, shape: tuple[int, ...]) -> float | None:
    """Return the prediction, which holds for the full shape only."""
    return PREDICTED_MS.get(name) if tuple(shape) == FULL_SHAPE else None


def documents(rows: list[Row]) -> list[dict[str, Any]]:
    """Return rows for JSON."""
    return [asdict(row) for row in rows]
