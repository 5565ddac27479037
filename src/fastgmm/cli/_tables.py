"""The table at the end of a command, and the one JSON document instead of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fastgmm.cohort import FitResult, RunResult
from fastgmm.cohort._tables import json_text

_COLUMNS = {
    "case": "case",
    "lung_volume_ml": "lungs ml",
    "air_percent": "air %",
    "healthy_percent": "healthy %",
    "ggo_percent": "ground glass %",
    "consolidation_percent": "consolid. %",
    "other_percent": "other %",
    "lung_involvement_percent": "involvement %",
}


def table_text(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns, the first to the left and the others to the right."""
    widths = [max(len(line[i]) for line in [heading, *rows]) for i in range(len(heading))]
    lines = []
    for line in [heading, ["-" * width for width in widths], *rows]:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def measures_table(result: RunResult) -> str:
    """Return the table of a run: a row per scan, failed ones last."""
    rows = [[_cell(row[column]) for column in _COLUMNS] for row in result.rows]
    rows += [[failure.case, "failed", *[""] * (len(_COLUMNS) - 2)] for failure in result.failures if failure.case]
    text = table_text(list(_COLUMNS.values()), rows) if rows else ""
    if result.rows:
        text += f"involvement = {result.rows[0]['li_formula']}\n"
    return text


def print_json(document: Mapping[str, Any]) -> None:
    """Print the one document."""
    sys.stdout.write(json_text(document))


def run_document(command: str, machine: Mapping[str, Any], preset: str, result: RunResult) -> dict[str, Any]:
    """Return what a run has done as plain values."""
    measures = {row["case"]: row for row in result.rows}
    return {
        "command": command,
        **machine,
        "preset": preset,
        "model": None if result.model is None else result.model.to_document(),
        "scans": [
            {
                "case": case,
                "path": path,
                "time_s": round(result.times_s[case], 4),
                "outputs": result.outputs.get(case, []),
                "measures": measures.get(case),
            }
            for case, path in result.paths.items()
        ],
        "outputs": result.outputs.get("", []),
        "failures": failures(result),
        "warnings": result.warnings,
    }


def failures(result: RunResult | FitResult) -> list[dict[str, Any]]:
    """Return the failures as plain values."""
    return [{"case": failure.case, "path": failure.path, "error": failure.error} for failure in result.failures]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
