"""Compare a run with the committed one: what got worse by more than 20 %, exit status 1 if anything did.

    python benchmarks/check.py NEW.json [--old benchmarks/results] [--counts NEW_COUNTS.json]

Times are never compared, since machines and hours differ: only ratios within one run, ours to the rival that was the
best when the old run was made, and ours to the floor. Instruction counts have no noise: by the same compiler 2 % is
enough to be named.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from summary import OURS, Line, lines_of

RATIO_LIMIT, COUNT_LIMIT = 1.20, 1.02
ROWS = (OURS, "fastgmm baseline", "fastgmm numba")
HERE = Path(__file__).parent
COUNTS = HERE / "results" / "counts.json"


def worse_ratios(new: dict[str, Any], old: dict[str, Any]) -> tuple[list[str], int]:
    """Return a sentence for each ratio that got worse, and how many were compared."""
    same_level = _level(new) == _level(old)
    before = {line.key: line for line in lines_of(old)}
    sentences, n_compared = [], 0
    for line in lines_of(new):
        if line.key not in before:
            continue
        for row in ROWS if same_level else ROWS[1:]:
            for name, (now, then) in _slowness(line, before[line.key], row).items():
                n_compared += 1
                if now > RATIO_LIMIT * then:
                    sentences.append(
                        f"{line.key}: {row} over {name} was {then:.3g}, is {now:.3g} ({100 * (now / then - 1):+.0f} %)"
                    )
    return sentences, n_compared


def _level(document: dict[str, Any]) -> str:
    return str(document["machine_info"]["fastgmm"]["simd"])


def _slowness(now: Line, then: Line, row: str) -> dict[str, tuple[float, float]]:
    """Our time over that of the rival that was best then, and over the floor: now and then."""
    if row not in now.medians or row not in then.medians:
        return {}
    ratios = {}
    for rival in then.rivals[:1]:
        if rival in now.medians:
            ratios[rival] = (now.medians[row] / now.medians[rival], then.medians[row] / then.medians[rival])
    if now.floor_s and then.floor_s:
        ratios["floor"] = (now.medians[row] / now.floor_s, then.medians[row] / then.floor_s)
    return ratios


def worse_counts(new: dict[str, Any], old: dict[str, Any]) -> tuple[list[str], int]:
    """Return a sentence for each instruction count that rose, and how many were compared."""
    limit = COUNT_LIMIT if new["compiler"] == old["compiler"] else RATIO_LIMIT
    sentences, n_compared = [], 0
    for level, kernels in new["counts"].items():
        for kernel, now in kernels.items():
            then = old["counts"].get(level, {}).get(kernel)
            if then is None:
                print(f"instructions of {kernel} ({level}) have no committed count: make bench-counts makes them")
                continue
            n_compared += 1
            if now > limit * then:
                sentences.append(
                    f"instructions of {kernel} ({level}): were {then}, are {now} ({100 * (now / then - 1):+.1f} %)"
                )
    return sentences, n_compared


def newest_run(folder: Path) -> Path:
    """Return the last pytest-benchmark document below a folder, or a file as it is."""
    if folder.is_file():
        return folder
    runs = sorted(folder.glob("*/[0-9]*.json"), key=lambda path: path.name)
    if not runs:
        raise SystemExit(f"no run to compare with below {folder}: make bench makes one")
    return runs[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("new", type=Path, nargs="?")
    parser.add_argument("--old", type=Path, default=HERE / "results")
    parser.add_argument("--counts", type=Path)
    options = parser.parse_args()
    sentences, n_compared = [], 0
    if options.new is not None:
        compared = worse_ratios(_read(options.new), _read(newest_run(options.old)))
        sentences, n_compared = sentences + compared[0], n_compared + compared[1]
    if options.counts is not None:
        compared = worse_counts(_read(options.counts), _read(COUNTS))
        sentences, n_compared = sentences + compared[0], n_compared + compared[1]
    if not n_compared:
        raise SystemExit("nothing to compare: the runs have no group in common")
    print(*sentences, sep="\n", end="\n" if sentences else "")
    print(f"{n_compared} ratios and counts compared, {len(sentences)} worse")
    return 1 if sentences else 0


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


if __name__ == "__main__":
    raise SystemExit(main())
