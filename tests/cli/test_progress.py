from pathlib import Path

import pytest

from fastgmm.cli._progress import BarProgress, PlainProgress, event_lines, progress
from fastgmm.cohort import Event
from fastgmm.cohort._plan import Case

CASE = Case(Path("in/a.nrrd"), "a", 2, 7)
ROW = {"lung_volume_ml": 5123.4, "warnings": ""}
EVENTS = [
    (Event("stage", CASE, "median"), []),
    (Event("failed", CASE, "in/a.nrrd: no"), ["error: in/a.nrrd: no"]),
    (Event("warning", None, "few scans"), ["warning: few scans"]),
    (Event("done", CASE, time_s=0.126, row=ROW), ["[2/7] a: done in 0.13 s, lungs 5123 ml"]),
    (Event("done", CASE, time_s=1.0), ["[2/7] a: done in 1.00 s"]),
    (Event("counted", CASE, time_s=1.0), ["[2/7] a: counted for the fit in 1.00 s"]),
    (
        Event("done", CASE, time_s=1.0, row={**ROW, "warnings": "thick: x"}),
        ["[2/7] a: warning: thick: x", "[2/7] a: done in 1.00 s, lungs 5123 ml"],
    ),
]


@pytest.mark.parametrize(("event", "lines"), EVENTS)
def test_events_become_these_lines(event, lines):
    assert event_lines(event) == lines


def test_plain_lines_go_to_standard_error(capsys):
    with PlainProgress() as tell:
        for event, _ in EVENTS:
            tell(event)
    told = capsys.readouterr()
    assert told.err.splitlines() == [line for _, lines in EVENTS for line in lines]
    assert told.out == ""


def test_a_bar_tells_the_same_lines(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    with BarProgress(7) as tell:
        for event, _ in EVENTS:
            tell(event)
    told = capsys.readouterr()
    assert [line for line in told.err.splitlines() if line.strip()][: len(EVENTS)] == [
        line for _, lines in EVENTS for line in lines
    ]
    assert told.out == ""


def test_the_bar_is_for_terminals_with_rich(monkeypatch):
    assert isinstance(progress(1), PlainProgress)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(progress(1), BarProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress(1), PlainProgress)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("fastgmm.cli._progress.find_spec", lambda name: None)
    assert isinstance(progress(1), PlainProgress)
