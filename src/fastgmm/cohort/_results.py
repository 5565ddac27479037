"""What a run tells while it goes on, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastgmm.cohort._plan import Case
from fastgmm.lung import TissueModel

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """Something that happened to a scan, or to the whole run where `case` is None.

    Attributes
    ----------
    kind : str
        "stage" (text names what begins), "warning", "counted" (for the fit), "done", "failed" (text is the error).
    case : Case or None
    text : str
    time_s : float or None
        For "counted" and "done": from the start of the scan's reading or computing to its files in place.
    row : mapping or None
        For "done": the measures.
    """

    kind: Literal["stage", "warning", "counted", "done", "failed"]
    case: Case | None
    text: str = ""
    time_s: float | None = None
    row: Row | None = None


OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Failure:
    """A scan (or a table) that could not be done, and why in one line."""

    path: Path
    case: str
    error: str


@dataclass
class RunResult:
    """Result of `run_cohort`, `label_cohort` and `measure_cohort`.

    Attributes
    ----------
    rows : list of dict
        Measures of the scans that were done, in the order given.
    failures : list of Failure
    model : TissueModel or None
        The one the labels come from; None if there was none to label with.
    outputs : dict
        Files written by case name; those of the whole run under "".
    warnings : list of str
        About the run as a whole; those of a scan are in its row.
    paths : dict
        Scans that were done by case name.
    times_s : dict
        Seconds by case name.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    model: TissueModel | None = None
    outputs: dict[str, list[Path]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    paths: dict[str, Path] = field(default_factory=dict)
    times_s: dict[str, float] = field(default_factory=dict)

    def note_done(self, case: Case, time_s: float, row: dict[str, Any] | None) -> None:
        """Take down a scan that was done."""
        self.paths[case.name] = case.path
        self.times_s[case.name] = time_s
        if row is not None:
            self.rows.append(row)


@dataclass
class FitResult:
    """Result of `fit_cohort`.

    Attributes
    ----------
    model : TissueModel or None
        None if no scan could be used.
    cases : list of str
        The scans the model was fitted on.
    n_voxels : int
        Lung voxels of these scans.
    failures : list of Failure
    warnings : list of str
    """

    model: TissueModel | None = None
    cases: list[str] = field(default_factory=list)
    n_voxels: int = 0
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def error_line(path: Path | str, error: BaseException) -> str:
    """Return an error as one line that starts with the path it is about."""
    if isinstance(error, MemoryError):
        text = "expected enough free memory for the scan and two label volumes, got MemoryError; use a larger machine"
    elif isinstance(error, OSError) and error.strerror:
        text = f"expected to read and write its files, got {error.strerror}; check free space and permissions"
    else:
        text = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, ValueError | TypeError | OSError | RuntimeError):
            text = f"unexpected {type(error).__name__}: {text}"
    return text if text.startswith(str(path)) else f"{path}: {text}"
