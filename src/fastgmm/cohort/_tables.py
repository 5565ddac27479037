"""The tables of a run as text: comma, UTF-8, dot decimals, nothing where nothing could be measured."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def measures_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return rows under a heading as comma-separated values; None is an empty field, a list is joined with "; "."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_field(row[column]) for column in columns])
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with the line ends as they are; bytes of a file name that are no UTF-8 stand as escapes."""
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)


def json_text(document: Any) -> str:
    """Return a JSON document in ASCII with null for None; a NaN or an infinity is an error."""
    return json.dumps(document, allow_nan=False, indent=2, default=_plain) + "\n"


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return "; ".join(str(part) for part in value)
    return str(_plain(value))


def _plain(value: Any) -> Any:
    """Return NumPy scalars and paths as what JSON and CSV know."""
    if isinstance(value, Path):
        return str(value)
    return value.item() if hasattr(value, "item") else value
