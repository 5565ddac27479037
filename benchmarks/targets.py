"""What the run must show, as the issue that asked for it says: synthetic 300x512x512, two threads, warm."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from summary import Line

_SCAN, _NOISE = "thorax 300x512x512", "noise 30% 200x256x256"
_ROWS = {"avx512": "fastgmm", "baseline": "fastgmm baseline"}


class Target(NamedTuple):
    """A ratio: to a rival (at least) or to a floor (at most)."""

    text: str
    key: str
    level: str
    asked: float
    rival: str | None = None  # None: the floor; "best": the fastest of all

    @property
    def at_least(self) -> bool:
        return self.rival is not None

    def measured(self, line: Line) -> float | None:
        """The ratio in a run, None where it lacks a row."""
        row = _ROWS[self.level]
        if row not in line.medians:
            return None
        ours = line.medians[row]
        if self.rival is None:
            return ours / line.floor_s if line.floor_s else None
        rival = line.rivals[0] if self.rival == "best" and line.rivals else self.rival
        return line.medians[rival] / ours if rival in line.medians else None


def _stage(
    name: str, stage: str, rival: str, times: tuple[float, float], floors: tuple[float, float] | None, case: str = _SCAN
) -> list[Target]:
    """The rows of a stage: the rival that the target names, then the best one, then the floor; both levels."""
    key = f"{stage} | {case} | warm"
    rows = []
    for level, asked, floor in zip(_ROWS, times, floors or (None, None), strict=True):
        rows.append(Target(f"{name}: × {rival}", key, level, asked, rival))
        rows.append(Target(f"{name}: × the best rival of this run", key, level, asked, "best"))
        if floor is not None:
            rows.append(Target(f"{name}: ÷ memory floor", key, level, floor))
    return rows


TARGETS = [
    *_stage("threshold + opening", "opening", "numpy shifts", (75, 32), (1.8, 3.2)),
    *_stage("components", "components", "cc3d", (90, 70), None),
    *_stage("components of noise", "components", "cc3d", (2, 1.5), None, _NOISE),
    *_stage("closing 30, 20", "closing", "edt", (90, 15), None),
    *_stage("histogram", "histogram", "numpy bincount", (13, 9), (9, 9)),
    *_stage("labels", "labels", "numpy table", (11, 6), (1.3, 2.3)),
    *_stage("median 4x4x4", "median 4x4x4", "numpy sums", (95, 30), (2.1, 7)),
    Target("read .nrrd", f"read nrrd | {_SCAN} | warm", "avx512", 1.5, "simpleitk"),
    Target("write labels", f"write labels | {_SCAN} | warm", "avx512", 7, "simpleitk"),
    Target("whole process: × composition", f"process published | {_SCAN} | warm", "avx512", 11, "best packages"),
    Target("whole process: × published", f"process published | {_SCAN} | warm", "avx512", 110, "published method"),
    Target("whole process: ÷ inflate alone", f"process published | {_SCAN} | warm", "avx512", 2.2),
    Target("ten scans: ÷ inflating, shared over cores", f"ten scans published | {_SCAN} | warm", "avx512", 2.0),
]
