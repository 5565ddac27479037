"""What a run tells people on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from fastgmm.cohort import Event, case_stem, name_cases


def show_names(scans: Sequence[Path]) -> None:
    """Print which name each scan gets, where that is not just the stem of its file."""
    names = name_cases(scans)
    if all(name == case_stem(path) for name, path in zip(names, scans, strict=True)):
        return
    width = max(len(name) for name in names)
    for name, path in zip(names, scans, strict=True):
        print(f"case {name:{width}}  {path}", file=sys.stderr)
    sys.stderr.flush()


def progress(n_scans: int) -> PlainProgress | BarProgress:
    """Return the context in which a run tells its events."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return BarProgress(n_scans) if is_terminal and find_spec("rich") else PlainProgress()


class PlainProgress:
    """One line per scan, warning and error."""

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        for line in event_lines(event):
            print(line, file=sys.stderr, flush=True)


class BarProgress:
    """A bar over the scans with the step of the present one; lines above it."""

    def __init__(self, n_scans: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress: Any = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("", total=n_scans)

    def __enter__(self) -> BarProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        for line in event_lines(event):
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        if event.kind == "stage" and event.case is not None:
            self._progress.update(
                self._task, description=f"{event.case.name}: {event.text}", completed=event.case.index - 1
            )


def event_lines(event: Event) -> list[str]:
    """Return the lines of an event; none for the step of a scan, which only a bar shows."""
    if event.kind == "stage":
        return []
    case = event.case
    place = f"[{case.index}/{case.total}] {case.name}: " if case is not None else ""
    if event.kind == "failed":
        return [f"error: {event.text}"]
    if event.kind == "warning":
        return [f"{place}warning: {event.text}"]
    lines = [f"{place}{_summary(event)}"]
    if event.row is not None and event.row["warnings"]:
        lines.insert(0, f"{place}warning: {event.row['warnings']}")
    return lines


_DONE = {"counted": "counted for the fit", "done": "done"}


def _summary(event: Event) -> str:
    """Return what came out of a scan."""
    words = [f"{_DONE[event.kind]} in {event.time_s:.2f} s"]
    if event.row is not None:
        words.append(f"lungs {event.row['lung_volume_ml']:.0f} ml")
    return ", ".join(words)
