"""Paired runs: all who do the same work take turns, round by round, and each becomes a row of pytest-benchmark.

A group is a stage on an input in one state of memory. Everyone's answer is compared with fastgmm's before anything is
timed. Then come the rounds, in an order that shifts by one each time: nine for fastgmm and for who needs less than
0.9 s, fewer for slower rivals (`ROUNDS_BELOW`); who needs 3 s or more is timed once, at the check. A call of less than
0.1 s is preceded by an untimed one in warm groups. Ratios are taken round by round against fastgmm, then their median.
"""

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastgmm import _core
from fastgmm.backends import BACKENDS, can_use
from harness import memory

OURS, OURS_BASELINE, OURS_NUMBA = "fastgmm", "fastgmm baseline", "fastgmm numba"
ROUNDS, QUICK_S = int(os.environ.get("FASTGMM_BENCH_ROUNDS", "9")), 0.1
# Rounds of a rival by the seconds of its first call, times `patience`; none after the check where it takes longer.
ROUNDS_BELOW = ((0.9, ROUNDS), (1.5, min(5, ROUNDS)), (3.0, min(3, ROUNDS)))


def ours(make: Callable[..., "Call"]) -> dict[str, "Call"]:
    """Return our rows: the compiled kernels at the level in force and at the baseline, and Numba's.

    `make` is given the name of a backend.
    """
    calls = {OURS: make("cpp")}
    level = _core.simd_level()
    if level != "baseline":
        calls[OURS_BASELINE] = at_level("baseline", level, make("cpp"))
    if "numba" in BACKENDS and can_use("numba")[0]:
        calls[OURS_NUMBA] = make("numba")
    return calls


def at_level(level: str, before: str, call: "Call") -> "Call":
    """Return the call run at a SIMD level; choosing one is an assignment in the compiled module."""

    def run():
        _core.set_simd_level(level)
        try:
            return call.run()
        finally:
            _core.set_simd_level(before)

    return Call(run, call.answer)


class Call(NamedTuple):
    """Work to be timed, and the array of its answer from what the work returned."""

    run: Callable[[], Any]
    answer: Callable[[Any], Any] = lambda result: result


@dataclass
class Group:
    """Everyone who does one stage on one input; `floor_s` by the bytes that must move."""

    stage: str
    case: str
    state: str
    calls: dict[str, Call]
    floor_s: float | None = None
    patience: float = 1.0
    times: dict[str, list[float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    extra: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def is_cold(self) -> bool:
        return self.state == "cold"

    def ratio(self, who: str) -> float:
        """Median over the rounds of a contender's time over ours."""
        return statistics.median(rival / ours for rival, ours in zip(self.times[who], self.times[OURS], strict=False))


def measure(group: Group) -> Group:
    """Check all answers, then time all in turn."""
    memory.keep_freed_memory() if group.state == "warm" else memory.return_freed_memory()
    first_s = _check(group)
    taking_part = [who for who in group.calls if who not in group.problems]
    n_rounds = {who: _n_rounds(who, first_s[who] / group.patience) for who in taking_part}
    group.times = {who: [] if n_rounds[who] else [first_s[who]] for who in taking_part}
    for number in range(ROUNDS):
        shift = number % len(taking_part)
        for who in taking_part[shift:] + taking_part[:shift]:
            if number < n_rounds[who]:
                quick = first_s[who] < QUICK_S and not group.is_cold
                group.times[who].append(_time(group, who, untimed_first=quick))
    memory.return_freed_memory()
    return group


def _n_rounds(who: str, first_s: float) -> int:
    if who in (OURS, OURS_BASELINE):
        return ROUNDS
    return next((n for limit_s, n in ROUNDS_BELOW if first_s < limit_s), 0)


def _check(group: Group) -> dict[str, float]:
    """Run everyone once and return the seconds; note who fails or answers differently from us."""
    first_s = {}
    expected = group.calls[OURS].answer(group.calls[OURS].run())
    for who, call in group.calls.items():
        try:
            if who == OURS_NUMBA:
                call.run()  # compiles
            first_s[who] = _time(group, who)
            if not _same(call.answer(_last_result[0]), expected):
                raise ValueError("the answer differs from fastgmm's")
        except Exception as error:
            if who == OURS:
                raise
            group.problems[who] = f"{type(error).__name__}: {error}"
    return first_s


def _same(answer: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return all(_same(a, b) for a, b in zip(answer, expected, strict=True))
    return np.array_equal(answer, expected)


_last_result: list[Any] = [None]


def _time(group: Group, who: str, *, untimed_first: bool = False) -> float:
    """Seconds of one call; its result is kept until the next one, so that freeing it is not timed."""
    call = group.calls[who].run
    _last_result[0] = None
    if untimed_first:
        call()
    if group.is_cold:
        memory.make_cold()
    gc.disable()
    start = time.perf_counter()
    _last_result[0] = call()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds
