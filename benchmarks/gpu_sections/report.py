"""The results as a page."""

from __future__ import annotations

from typing import Any


def markdown(document: dict[str, Any]) -> str:
    """Return tables of all sections; the floor is the bytes that must move at the device's own speed of copying."""
    about = document["machine"]
    lines = [
        f"# {about['device']}",
        "",
        f"{about['memory_bytes'] / 2**30:.0f} GiB, driver {about['driver']}, CUDA {about['cuda']}, "
        f"CuPy {about['cupy']}, fastgmm {about['fastgmm']}. One run of `make gpu`; the least of several times.",
    ]
    speed = copy_speed(document)
    for name, section in document["sections"].items():
        lines += ["", f"## {name}", "", f"{section['error'] or 'done'}, {section['seconds']} s"]
        if section["rows"]:
            lines += ["", "| row | who | ms | floor | times floor | predicted | answer |", "| --- |" + " --- |" * 6]
            lines += [_line(row, speed if name != "links" else None) for row in section["rows"]]
    if not document["has_sanitizer"]:
        lines += ["", "compute-sanitizer was not found, so nothing was run under it."]
    return "\n".join(lines) + "\n"


def copy_speed(document: dict[str, Any]) -> float | None:
    """Return how many bytes a millisecond moves within the device, None if that was not measured."""
    for row in document["sections"].get("links", {}).get("rows", ()):
        if row["name"] == "copy within the device" and row["ms"]:
            return float(row["n_bytes"] / row["ms"])
    return None


def _line(row: dict[str, Any], speed: float | None) -> str:
    floor = row["n_bytes"] / speed if speed and row["n_bytes"] else None
    ratio = row["ms"] / floor if floor and row["ms"] else None
    numbers = [_number(row["ms"]), _number(floor), _number(ratio), _number(row["predicted_ms"])]
    return "| " + " | ".join([row["name"], row["who"], *numbers, row["note"] or row["checked"]]) + " |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
