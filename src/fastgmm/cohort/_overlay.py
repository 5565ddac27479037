"""The overlay picture: five slices in a lung window with the tissue classes in colour, and their legend."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fastgmm._types import UInt8Array
from fastgmm.cohort._planes import Plane

WINDOW_HU = (-1350, 150)
TINT = 0.65
_PANEL_PIXELS = (380, 520)
_GAP = 14
_HEADING = 34
_LINE = 26
_BACKGROUND, _INK, _FAINT = (16, 16, 18), (235, 235, 235), (165, 165, 170)


def load_drawing_early() -> None:
    """Import Pillow in the background: it takes 60 ms, and the first scan is still being read."""
    threading.Thread(target=_import_pillow, daemon=True).start()


def _import_pillow() -> None:
    with contextlib.suppress(ImportError):  # told by the first picture
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont  # noqa: F401


@dataclass(frozen=True)
class LegendEntry:
    """A class in the legend: its label, name, colour (red, green, blue) and share of the lung as text."""

    label: int
    name: str
    colour: tuple[int, int, int]
    share: str


def draw_overlay(
    planes: Sequence[Plane], title: str, legend: Sequence[LegendEntry], notes: Sequence[str] = ()
) -> UInt8Array:
    """Return the picture as an array of shape (rows, columns, 3), dtype uint8.

    Parameters
    ----------
    planes : sequence of Plane
        Three axial ones in the first row, the others and the legend in the second.
    title : str
    legend : sequence of LegendEntry
    notes : sequence of str
        Lines under the legend.
    """
    from PIL import Image, ImageDraw

    scale = _pixels_per_mm(planes)
    mixtures = _mixtures(legend, max((int(plane.labels.max(initial=0)) for plane in planes), default=0))
    panels = [_panel(plane, scale, mixtures) for plane in planes]
    rows = [panels[:3], panels[3:]]
    legend_height = _LINE * (len(legend) + len(notes) + 2)
    heights = [max([panel.height for panel in row], default=0) for row in rows]
    heights[1] = max(heights[1], legend_height)
    widths = [sum(panel.width + _GAP for panel in row) for row in rows]
    width = _GAP + max(widths[0], widths[1] + _LEGEND_WIDTH)
    picture = Image.new("RGB", (width, _HEADING + sum(heights) + 3 * _GAP + 2 * _LINE), _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    _write(pen, (_GAP, 8), title, _INK, 17)
    top = _HEADING + _GAP // 2
    for row, height in zip(rows, heights, strict=True):
        left = _GAP
        for panel, plane in zip(row, planes[:3] if row is rows[0] else planes[3:], strict=True):
            _write(pen, (left, top), _caption(plane), _FAINT, 13)
            picture.paste(panel, (left, top + _LINE - 4))
            _write_sides(pen, left, top + _LINE, panel.width, plane)
            left += panel.width + _GAP
        if row is rows[1]:
            _draw_legend(pen, (left + 6, top + _LINE), legend, notes)
        top += height + _LINE + _GAP
    return np.asarray(picture)


_LEGEND_WIDTH = 300


def _pixels_per_mm(planes: Sequence[Plane]) -> float:
    """Return one scale for all panels, such that none is larger than a panel may be."""
    limits: list[float] = []
    for plane in planes:
        rows_mm, columns_mm = (n * mm for n, mm in zip(plane.hu.shape, plane.spacing_mm, strict=True))
        limits += [_PANEL_PIXELS[0] / columns_mm, _PANEL_PIXELS[1] / rows_mm]
    return min(limits)


def _mixtures(legend: Sequence[LegendEntry], highest: int) -> UInt8Array:
    """Return the colour of each label and grey value, at label * 256 + grey; no label leaves the grey."""
    colours = np.zeros((highest + 1, 1, 3), np.float32)
    for entry in legend:
        if entry.label <= highest:
            colours[entry.label] = entry.colour
    tint = np.full((highest + 1, 1, 1), TINT, np.float32)
    tint[0] = 0
    grey = np.arange(256, dtype=np.uint8)[:, None]
    return (grey * (1 - tint) + colours * tint).astype(np.uint8).reshape(-1, 3)


def _panel(plane: Plane, scale: float, mixtures: UInt8Array) -> Any:
    """Return one slice in true proportions, tinted where it has labels."""
    from PIL import Image

    rows, columns = (max(1, round(n * mm * scale)) for n, mm in zip(plane.hu.shape, plane.spacing_mm, strict=True))
    low, high = WINDOW_HU
    grey = np.clip((plane.hu.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    grey = np.asarray(Image.fromarray(grey).resize((columns, rows), Image.Resampling.BILINEAR))
    labels: UInt8Array = np.asarray(Image.fromarray(plane.labels).resize((columns, rows), Image.Resampling.NEAREST))
    return Image.fromarray(mixtures.take(labels * np.uint16(256) + grey, axis=0))


def _caption(plane: Plane) -> str:
    return f"{plane.view}, slice {plane.index}"


def _write_sides(pen: Any, left: int, top: int, width: int, plane: Plane) -> None:
    """Letter the left and right edge of a panel."""
    sides = ("A", "P") if plane.view == "sagittal" else ("R", "L")
    _write(pen, (left + 4, top), sides[0], _INK, 13)
    _write(pen, (left + width - 14, top), sides[1], _INK, 13)


def _draw_legend(pen: Any, corner: tuple[int, int], legend: Sequence[LegendEntry], notes: Sequence[str]) -> None:
    left, top = corner
    for entry in legend:
        pen.rectangle((left, top + 3, left + 18, top + 19), fill=entry.colour)
        _write(pen, (left + 28, top + 2), f"{entry.label}  {entry.name}", _INK, 15)
        _write(pen, (left + 190, top + 2), entry.share, _INK, 15)
        top += _LINE
    for note in notes:
        top += _LINE if note is notes[0] else _LINE - 4
        _write(pen, (left, top), note, _FAINT, 13)


@lru_cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _write(pen: Any, corner: tuple[int, int], text: str, colour: tuple[int, int, int], size: int) -> None:
    """Write text in Pillow's own font; where that is the bitmap one, letters it lacks become question marks."""
    font = _font(size)
    encoding = "utf-8" if hasattr(font, "path") else "ascii"
    text = text.encode(encoding, "replace").decode(encoding)
    pen.text(corner, text, fill=colour, font=font, stroke_width=1, stroke_fill=_BACKGROUND)
