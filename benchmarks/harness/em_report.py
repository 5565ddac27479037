"""What `bench_em.py` found, as the tables of benchmarks/results/em.md."""

import os
import platform
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path

from fastgmm import _core
from harness.em_cases import CLOCK_HZ, SHARE, STEPS, WIDTH
from harness.memory import N_THREADS, bandwidth

OURS = "fastgmm"
PACKAGES = ("fastgmm", "numpy", "scipy", "scikit-learn", "daal4py", "torch", "pomegranate")
TITLES = {
    "fit": f"1. The same start and the same {STEPS} iterations: whole fits",
    "step": "1b. Per iteration",
    "equal": "2. Time to equal log-likelihood, from the same start",
    "default": "3. Default arguments, start included",
    "predict": "4. predict",
    "memory": "5. Memory added by fit",
}
NOTES = {
    "fit": "Integers: our time holds the counting of the rows; peers are given float64 rows, converted beforehand.",
    "step": "Whole fits over their iterations; scikit-learn's extra E-step for the labels counts as one. "
    "Integers, ours: 200 steps on the counts.",
    "equal": "Up to the mean log-likelihood that scikit-learn has when it stops at tol = 1e-6, at most 100 steps. "
    "Numbers of E-steps in square brackets.",
    "default": "`Model(K, random_state=0).fit(X)`. daal4py and scikit-learn on torch have no k-means start. "
    "pomegranate stops by the sum over all rows, after up to 1000 steps.",
    "predict": "The same mixture for everyone. daal4py has no assignment by a mixture.",
    "memory": "Growth of the peak (VmHWM) of a fresh process in one fit, one float64 column, start given, in MB.",
}


@dataclass
class Cell:
    """Median seconds (memory: bytes) of someone, of how many rounds, and what else to say."""

    value: float
    n_rounds: int = 1
    note: str = ""


@dataclass
class Row:
    """Everyone on one case; `asked` are the least ratios to ours by peer."""

    table: str
    name: str
    floor: float | None = None
    cells: dict[str, Cell] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def ratio(self, who: str) -> float:
        return self.cells[who].value / self.cells[OURS].value

    def verdict(self) -> str:
        """Return which of the ratios asked for are reached."""
        if OURS not in self.cells:
            return ""
        words = []
        for who, least in self.asked.items():
            if who in self.cells:
                found = self.ratio(who)
                words.append(f"{who} {least:g}×: {'yes' if found >= least else f'**no, {found:.3g}×**'}")
        return "; ".join(words)


ROWS: dict[tuple[str, str], Row] = {}


def row_of(table: str, name: str) -> Row:
    """Return the row, made at first use."""
    return ROWS.setdefault((table, name), Row(table, name))


def tables() -> list[str]:
    """Return the tables of what was measured, in Markdown."""
    lines = []
    for table, title in TITLES.items():
        rows = [row for row in ROWS.values() if row.table == table]
        if rows:
            lines += ["", f"## {title}", "", NOTES[table], "", *_table(rows)]
    return lines


def _table(rows: list[Row]) -> list[str]:
    named = {who: None for row in rows for who in (*row.cells, *row.absent)}
    whos = sorted(named, key=lambda who: (not who.startswith(OURS), who.startswith("scikit-learn on"), 0))
    floors = any(row.floor for row in rows)
    unit = "MB" if rows[0].table == "memory" else "ms"
    head = ["data", *(["floor"] if floors else []), *whos, "asked, reached"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 2) + " --- |"]
    for row in rows:
        floor = [_floor(row)] if floors else []
        cells = [_cell(row, who, unit) for who in whos]
        lines.append("| " + " | ".join([row.name, *floor, *cells, row.verdict()]) + " |")
    return lines


def _floor(row: Row) -> str:
    if row.floor is None or OURS not in row.cells:
        return ""
    return f"{row.floor * 1e3:.3g} (ours {row.cells[OURS].value / row.floor:.3g}×)"


def _cell(row: Row, who: str, unit: str) -> str:
    if who not in row.cells:
        return row.absent.get(who, "")
    cell = row.cells[who]
    text = f"{cell.value * (1e-6 if unit == 'MB' else 1e3):.4g}"
    if who != OURS and OURS in row.cells:
        text += f" ({row.ratio(who):.3g}×)"
    if cell.note:
        text += f" [{cell.note}]"
    return text + (f" n={cell.n_rounds}" if cell.n_rounds < 5 and unit == "ms" else "")


def document() -> str:
    """Return the text of em.md."""
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    speed = ", ".join(f"{name} {value / 1e9:.1f} GB/s" for name, value in bandwidth().items())
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    part = "" if SHARE == 1 else f" **A trial with {SHARE:g} of the rows: the ratios are not those of the full table.**"
    head = [
        "# EM beside the tools people use",
        "",
        f"Made by `make bench-em` on {date.today()}.{part}",
        "",
        f"- {processor}, {os.cpu_count()} processors, SIMD level {_core.simd_level()}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; load at the end {os.getloadavg()[0]:.1f}.",
        f"- {versions}.",
        f"- {N_THREADS} threads for everyone; two threads move {speed}.",
        "- Milliseconds, in brackets over FastGMM's. Medians of at least 5 rounds, for slow peers of n.",
        "- Every answer was checked before it was timed, within the tolerances of `harness/em_check.py`.",
        f"- The floor: one operation per multiply-add, 17 per exp, 15 per log, on vectors of {WIDTH} numbers, two a "
        f"cycle at {CLOCK_HZ / 1e9:g} GHz and thread, without a stall; for counting and labels of integers the bytes "
        "that must move at the bandwidth above.",
    ]
    return "\n".join([*head, *tables()]) + "\n"


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
