"""From the JSON of a run to the table and the charts of benchmarks/README.md.

    python benchmarks/summary.py RUN.json [--readme benchmarks/README.md] [--charts benchmarks/results/charts] \\
        [--numbers docs/performance.md] [--pack benchmarks/results]

Without --readme the table is printed.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from targets import BEST, TARGETS, Target

OURS, BASELINE = "fastgmm", "fastgmm baseline"
START, END = "<!-- table: made by summary.py -->", "<!-- end of the table -->"
# In other pages: the rows of a stage, `<!-- numbers: opening -->` … `<!-- end -->`.
NUMBERS = re.compile(r"(<!-- numbers: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


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
        baseline = line.medians.get(BASELINE)
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
    return [who for who in line.medians if is_ours(who) and who not in (OURS, BASELINE)]


def _name(line: Line, who: str) -> str:
    """The contender, with the number of its rounds where those are fewer than ours."""
    n = line.n_rounds.get(who, 0)
    return f"{who} (n={n})" if who and n < line.n_rounds[OURS] else who


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def _number(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3g}" if ratio < 1000 else f"{ratio:.0f}"


def target_table(lines: list[Line]) -> list[str]:
    """Return the targets and what this run shows of them, for the level of the run and for the baseline."""
    text = [
        "| stage | input | floor ms | fastgmm ms | baseline ms | against | its ms | asked | measured | reached "
        "| baseline: asked | measured | reached |",
        "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- | ---: | ---: | --- |",
    ]
    by_key = {line.key: line for line in lines}
    for target in TARGETS:
        line = by_key.get(target.key)
        if line is None or target.measured(line, OURS) is None:
            continue
        rival = target.rival(line)
        if target.against == BEST and any(rival == other.against for other in TARGETS if other.key == target.key):
            continue
        cells = [
            target.text, line.case if line.state == "warm" else f"{line.case}, {line.state}",
            _ms(line.floor_s), _ms(line.medians[OURS]), _ms(line.medians.get(BASELINE)),
            f"{_name(line, rival)}{', the best' if target.against == BEST else ''}" if rival else target.against,
            _ms(line.medians.get(rival)),
            *_verdict(target, target.asked, target.measured(line, OURS)),
            *_verdict(target, target.asked_of_baseline, target.measured(line, BASELINE)),
        ]  # fmt: skip
        text.append("| " + " | ".join(cells) + " |")
    return text


def _verdict(target: Target, asked: float | None, measured: float | None) -> tuple[str, str, str]:
    """What was asked, what was measured, whether it is enough."""
    if asked is None or measured is None:
        return "", _number(measured) if asked is None else "", ""
    bound = f"{'≤' if target.is_limit else '≥'} {asked:.3g}"
    return bound, _number(measured), "yes" if target.is_reached(measured, asked) else "**no**"


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


def with_numbers(page: str, lines: list[Line]) -> str:
    """Return a page with the rows of the stages that it names as this run has them."""

    def rows(match: re.Match[str]) -> str:
        start, stage, end = match.groups()
        found = [line for line in lines if line.stage == stage]
        return f"{start}\n{chr(10).join(short_table(found))}\n\n{end}" if found else match.group()

    return NUMBERS.sub(rows, page)


def short_table(lines: list[Line]) -> list[str]:
    """Return floor, ours and the best rival of one stage."""
    text = [
        "| input | memory | floor ms | fastgmm ms | ÷ floor | baseline ms | best rival | ms | × ours |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for line in lines:
        best = next(iter(line.rivals), "")
        cells = [
            line.case, line.state, _ms(line.floor_s), _ms(line.medians[OURS]), _number(line.over_floor),
            _ms(line.medians.get(BASELINE)), _name(line, best), _ms(line.medians.get(best)),
            _number(line.over_ours.get(best)),
        ]  # fmt: skip
        text.append("| " + " | ".join(cells) + " |")
    return text


def document_text(document: dict[str, Any]) -> str:
    """Return all tables of a run in Markdown."""
    lines = lines_of(document)
    parts = [*machine_text(document), "", *target_table(lines), "", *table(lines), *process_table(lines)]
    return "\n".join(parts)


def packed(document: dict[str, Any]) -> str:
    """Return a run as JSON with one line per row: a third of the size."""
    head = json.dumps({**document, "benchmarks": []}, indent=1)
    rows = ",\n".join(json.dumps(row) for row in document["benchmarks"])
    return head.replace('"benchmarks": []', f'"benchmarks": [\n{rows}\n ]') + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--readme", type=Path)
    parser.add_argument("--charts", type=Path)
    parser.add_argument("--pack", type=Path, help="a folder of runs to store in one line per row")
    parser.add_argument("--numbers", type=Path, help="a page that shows rows of some stages")
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
    if options.numbers is not None:
        page = options.numbers.read_text(encoding="utf-8")
        options.numbers.write_text(with_numbers(page, lines_of(document)), encoding="utf-8")
    for stored in options.pack.glob("*/[0-9]*.json") if options.pack else ():
        stored.write_text(packed(json.loads(stored.read_text(encoding="utf-8"))), encoding="utf-8")
    if options.charts is not None:
        from charts import draw_all

        draw_all(lines_of(document), options.charts)


if __name__ == "__main__":
    main()
