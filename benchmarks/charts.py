"""One chart per stage: times of everyone on every input, on a logarithmic scale."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from summary import Line

_MOST_COLUMNS = 3
_OURS, _BOUND, _RIVAL = "#0072b2", "#999999", "#d55e00"


def draw_all(lines: list[Line], folder: Path) -> list[Path]:
    """Write one PNG per stage, warm groups only, and return the paths."""
    stages: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.state == "warm":
            stages[line.stage].append(line)
    folder.mkdir(parents=True, exist_ok=True)
    return [draw(stage, group, folder) for stage, group in stages.items()]


def draw(stage: str, lines: list[Line], folder: Path) -> Path:
    """Draw the inputs of a stage side by side: a bar per contender, the floor as a line."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n_columns = min(_MOST_COLUMNS, len(lines))
    n_rows = -(-len(lines) // n_columns)
    n_bars = max(len(line.medians) for line in lines)
    size = (max(3.4 * n_columns + 0.6, 6.6), n_rows * (0.24 * n_bars + 1.0) + 0.5)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat[len(lines) :]:
        axis.set_visible(False)
    for axis, line in zip(axes.flat, lines, strict=False):
        _draw_bars(axis, line)
    figure.suptitle(f"{stage}: median times in milliseconds, warm (shorter is better)", fontsize=9)
    bound = "inflating the file alone" if stage.startswith(("process", "ten scans")) else "the memory floor"
    figure.supxlabel(
        f"Logarithmic scale. Blue: fastgmm, orange: rivals, grey: (de)compression alone, dashed line: {bound}",
        fontsize=7,
    )
    path = folder / f"{'_'.join(filter(None, re.split('[^a-z0-9]+', stage.lower())))}.png"
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _draw_bars(axis: Any, line: Line) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter
    from summary import is_ours

    names = sorted(line.medians, key=line.medians.__getitem__, reverse=True)
    ms = [1e3 * line.medians[name] for name in names]
    colours = [_OURS if name.startswith("fastgmm") else _BOUND if is_ours(name) else _RIVAL for name in names]
    floor_ms = [1e3 * line.floor_s] if line.floor_s else []
    for value in floor_ms:
        axis.axvline(value, color="black", linewidth=1, linestyle="--", zorder=3)
    axis.barh(names, ms, color=colours, height=0.7)
    axis.set_ylim(-0.6, max(len(names), 3) - 0.4)
    for height, value in enumerate(ms):
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        axis.text(value * 1.12, height, _ms(value), va="center", fontsize=7, bbox=box, zorder=4)
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.xaxis.set_major_locator(LogLocator(numticks=6))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s")
    low, high = min(ms + floor_ms) / 2, max(ms)
    axis.set_xlim(low, high * max(3, (high / low) ** 0.25))
    note = f", floor {_ms(floor_ms[0])} ms" if floor_ms else ""
    axis.set_title(f"{line.case}{note}", fontsize=8)
    axis.tick_params(labelsize=7)
