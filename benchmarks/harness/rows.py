"""Groups of paired runs as tests of pytest-benchmark, one row per contender."""

import math
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from harness.inputs import NOISE, SMALL
from harness.paired import Group, measure

# Groups that have not begun by then are skipped.
_END_S = time.monotonic() + 60 * float(os.environ.get("FASTGMM_BENCH_MINUTES", math.inf))
_last: dict[tuple[str, str, str], Group] = {}
# Every group measured in this session, without its inputs: for the summary at the end.
MEASURED: list[Group] = []


class _Replay:
    """A clock that moves by recorded times, so that pytest-benchmark's statistics are about paired runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


recorded_clock = _Replay()


class Panel(NamedTuple):
    """Who takes part in a stage.

    All on the small thorax, but those in `at_full_size_too` also on the scans of full size. On noise and in groups that
    are not warm: ours and `strong`, the rivals that are fast or that everyone knows.
    """

    at_full_size_too: tuple[str, ...]
    small_only: tuple[str, ...] = ()
    strong: tuple[str, ...] = ()

    def of(self, case: str, state: str) -> tuple[str, ...]:
        if state != "warm" or case in NOISE:
            return tuple(who for who in self.at_full_size_too if who.startswith("fastgmm") or who in self.strong)
        return self.at_full_size_too + (self.small_only if case == SMALL else ())


def stage_test(
    make: Callable[[str, str], Group],
    panel: Panel,
    cases: Sequence[str],
    *,
    cold: Sequence[str] = (),
    usual: Sequence[str] = (),
) -> Callable:
    """Return the test of a stage: `make` takes the input's name and the state of memory and returns the group."""
    states = {"warm": cases, "usual": usual, "cold": cold}
    groups = [(case, state) for state, chosen in states.items() for case in chosen]
    rows = [(case, state, who) for case, state in groups for who in panel.of(case, state)]

    @pytest.mark.filterwarnings("ignore:Benchmark fixture was not used")
    @pytest.mark.benchmark(timer=recorded_clock)
    @pytest.mark.parametrize(("case", "state", "who"), rows, ids=[f"{c} {s} {w}".replace(" ", "-") for c, s, w in rows])
    def test(benchmark, case: str, state: str, who: str) -> None:
        report(benchmark, _measured(make, panel, case, state), who)

    return test


def _measured(make: Callable[[str, str], Group], panel: Panel, case: str, state: str) -> Group:
    """Return the group, measured when its first row asks for it."""
    key = (make.__module__ + make.__name__, case, state)
    if key not in _last:
        _last.clear()
        if time.monotonic() > _END_S:
            pytest.skip("FASTGMM_BENCH_MINUTES are over")
        group = make(case, state)
        group.calls = {who: call for who, call in group.calls.items() if who in panel.of(case, state)}
        measure(group)
        # The inputs and answers are of no use any more, and large.
        group.calls = dict.fromkeys(group.calls)
        _last[key] = group
        MEASURED.append(group)
    return _last[key]


def report(benchmark, group: Group, who: str) -> None:
    """Make one row of a measured group."""
    if who in group.problems:
        pytest.fail(f"{who}: {group.problems[who]}")
    if who not in group.times:
        pytest.skip(f"{who} does not take part in this group, or is not installed")
    times = iter(group.times[who])

    def advance() -> None:
        recorded_clock.now += next(times)

    benchmark.group = f"{group.stage} | {group.case} | {group.state}"
    benchmark.extra_info.update(
        stage=group.stage, case=group.case, state=group.state, who=who,
        floor_s=group.floor_s, over_ours=group.ratio(who), n_rounds=len(group.times[who]), **group.extra.get(who, {}),
    )  # fmt: skip
    benchmark.pedantic(advance, rounds=len(group.times[who]), iterations=1)
