"""From the JSON of a run to the table and the charts of benchmarks/README.md.

    python benchmarks/summary.py RUN.json [--readme benchmarks/README.md] [--charts benchmarks/results]

Without --readme the table is printed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

from targets import TARGETS

OURS = "fastgmm"
START, END = "<!-- table: made by summary.py -->", "<!-- end of the table -->"


class Line(NamedTuple):
    """One group: seconds and ratios to ours by contender."""

    stage: str
    case: str
    state: str
    floor_s: float | None
    medians: dict[str, float]
    over_ours: dict[str, float]
    n_rounds: dict[str, int]
    extra: dict[str, dict[str, float]]

    @property
    def rivals(self) -> list[str]:
        """Who is not us, the fastest first."""
        return sorted((who for who in self.medians if not is_ours(who)), key=self.medians.__getitem__)

    @property
    def over_floor(self) -> float | None:
        return self.medians[OURS] / self.floor_s if self.floor_s else None

    @property
    def key(self) -> str:
        return f"{self.stage} | {self.case} | {self.state}"


def is_ours(who: str) -> bool:
    """Whether a row is one of fastgmm's, or a bound rather than a rival."""
    return who.startswith((OURS, "inflate", "deflate"))


def lines_of(document: dict[str, Any]) -> list[Line]:
    """Return the groups of a pytest-benchmark document that were measured in pairs, in the order of the run."""
    found: dict[tuple[str, str, str], Line] = {}
    for row in document["benchmarks"]:
        info = row["extra_info"]
        if "over_ours" not in info:
            continue
        key = (info["stage"], info["case"], info["state"])
        line = found.setdefault(key, Line(*key, info["floor_s"], {}, {}, {}, {}))
        who = info["who"]
        line.medians[who] = row["stats"]["median"]
        line.over_ours[who] = info["over_ours"]
        line.n_rounds[who] = info["n_rounds"]
        line.extra[who] = {name: info[name] for name in ("cpu_s", "peak_mib", "limit_mib") if name in info}
    return [line for line in found.values() if OURS in line.medians]


def table(lines: list[Line]) -> list[str]:
    """Return the stage table in Markdown: floor, ours, best rival, ratios."""
    text = [
        "| stage | input | memory | floor ms | fastgmm ms | ÷ floor | baseline ms | best rival | ms | × ours "
        "| others, × ours |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | --- |",
    ]
    for line in lines:
        best, *others = line.rivals or [""]
        baseline = line.medians.get("fastgmm baseline")
        cells = [
            line.stage,
            line.case,
            line.state,
            _ms(line.floor_s),
            _ms(line.medians[OURS]),
            _number(line.over_floor),
            _ms(baseline),
            _name(line, best),
            _ms(line.medians.get(best)),
            _number(line.over_ours.get(best)),
            ", ".join(f"{_name(line, who)} {_number(line.over_ours[who])}" for who in (*others, *_bounds(line))),
        ]
        text.append("| " + " | ".join(cells) + " |")
    return text


def _bounds(line: Line) -> list[str]:
    """Rows that are neither rival nor the two main rows of ours."""
    return [who for who in line.medians if is_ours(who) and who not in (OURS, "fastgmm baseline")]


def _name(line: Line, who: str) -> str:
    """The contender, with the number of its rounds where those are fewer than ours."""
    n = line.n_rounds.get(who, 0)
    return f"{who} (n={n})" if who and n < line.n_rounds[OURS] else who


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def _number(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.0f}"


def target_table(lines: list[Line]) -> list[str]:
    """Return the targets and what this run shows of them."""
    text = [
        "| target | input | level | asked | measured | reached |",
        "| --- | --- | --- | ---: | ---: | --- |",
    ]
    by_key = {line.key: line for line in lines}
    for target in TARGETS:
        line = by_key.get(target.key)
        measured = None if line is None else target.measured(line)
        if measured is None:
            continue
        reached = measured >= target.asked if target.at_least else measured <= target.asked
        asked = f"{'≥' if target.at_least else '≤'} {target.asked:g}"
        text.append(
            f"| {target.text} | {line.case}, {line.state} | {target.level} | {asked} | {_number(measured)} "
            f"| {'yes' if reached else '**no**'} |"
        )
    return text


def machine_text(document: dict[str, Any]) -> list[str]:
    """Return what machine and which versions made the numbers."""
    machine = document["machine_info"]["fastgmm"]
    speed = ", ".join(f"{name} {value / 1e9:.1f} GB/s" for name, value in machine["bandwidth"].items())
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    commit = document.get("commit_info", {}).get("id", "unknown")[:10]
    return [
        f"Run of {document['datetime'][:10]} at commit {commit} on {machine['processor']}, "
        f"{machine['n_processors']} processors, {machine['system']}; fastgmm at {machine['simd']}, "
        f"{machine['threads']} threads for everyone that has threads.",
        f"Bandwidth of two threads: {speed}. Versions: {versions}.",
    ]


def process_table(lines: list[Line]) -> list[str]:
    """Return wall, processor time and memory of the whole processes."""
    rows = []
    for line in lines:
        for who, extra in line.extra.items():
            if "peak_mib" in extra:
                limit = f"{extra['limit_mib']:.0f}" if "limit_mib" in extra else ""
                rows.append(
                    f"| {line.stage} | {line.case} | {who} | {line.medians[who]:.3g} | {extra['cpu_s']:.3g} "
                    f"| {extra['peak_mib']:.0f} | {limit} | {_number(line.over_ours[who])} |"
                )
    if not rows:
        return []
    head = ["| process | input | program | wall s | CPU s | peak MiB | allowed MiB | × ours |"]
    return ["", *head, "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |", *rows]


def stage_lines(lines: list[Line]) -> list[str]:
    """Return the groups as lines for a terminal."""
    text = []
    for line in lines:
        over = f", {_number(line.over_floor)} x floor {_ms(line.floor_s)} ms" if line.floor_s else ""
        text.append(f"{line.key}: fastgmm {_ms(line.medians[OURS])} ms{over}")
        text += [
            f"    {_name(line, who):28}{_ms(line.medians[who]):>10} ms {_number(line.over_ours[who]):>8} x"
            for who in sorted(line.medians, key=line.medians.__getitem__)
            if who != OURS
        ]
    return text


def document_text(document: dict[str, Any]) -> str:
    """Return all tables of a run in Markdown."""
    lines = lines_of(document)
    parts = [*machine_text(document), "", *target_table(lines), "", *table(lines), *process_table(lines)]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--readme", type=Path)
    parser.add_argument("--charts", type=Path)
    options = parser.parse_args()
    document = json.loads(options.run.read_text(encoding="utf-8"))
    text = document_text(document)
    if options.readme is None:
        print(text)
    else:
        page = options.readme.read_text(encoding="utf-8")
        before, _, rest = page.partition(START)
        _, _, after = rest.partition(END)
        options.readme.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    if options.charts is not None:
        from charts import draw_all

        draw_all(lines_of(document), options.charts)


if __name__ == "__main__":
    main()
