"""One chart per stage: times of everyone on every input, on a logarithmic scale."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from summary import Line

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
    from summary import is_ours

    n_bars = max(len(line.medians) for line in lines)
    figure, axes = plt.subplots(
        1, len(lines), figsize=(2.6 * len(lines) + 1.6, 0.26 * n_bars + 1.3), squeeze=False, layout="constrained"
    )
    for axis, line in zip(axes[0], lines, strict=True):
        names = sorted(line.medians, key=line.medians.__getitem__, reverse=True)
        ms = [1e3 * line.medians[name] for name in names]
        colours = [_OURS if name.startswith("fastgmm") else _BOUND if is_ours(name) else _RIVAL for name in names]
        axis.barh(names, ms, color=colours)
        for height, value in enumerate(ms):
            axis.text(value * 1.15, height, f"{value:.3g}", va="center", fontsize=7)
        lowest = min([*ms, *([1e3 * line.floor_s] if line.floor_s else [])])
        axis.set_xscale("log")
        axis.set_xlim(lowest / 2, max(ms) * 8)
        if line.floor_s:
            axis.axvline(1e3 * line.floor_s, color="black", linewidth=1, linestyle="--")
        axis.set_title(line.case, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_xlabel("ms", fontsize=7)
    figure.suptitle(f"{stage}: median times, warm (dashed: floor)", fontsize=9)
    path = folder / f"{''.join(c if c.isalnum() else '_' for c in stage)}.png"
    figure.savefig(path, dpi=80)
    plt.close(figure)
    return path
