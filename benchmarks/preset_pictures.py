"""Draw the lungs of both presets side by side for real scans, and print a table of their measures.

    python benchmarks/preset_pictures.py SCAN... -o docs/pictures

Left is the published preset, right the default one: right lung red, left lung blue, airway green; the published preset
does not tell the lungs apart and has one colour.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fastgmm.errors import LungNotFoundError
from fastgmm.io import Scan, read_scan
from fastgmm.lung import LungSegmentation, LungSettings, TissueModel, label_tissue, measure, segment_lungs

WINDOW_HU = (-1150, 350)
COLOURS = np.array([(0, 0, 0), (255, 90, 90), (90, 160, 255), (90, 230, 90)], float)
TILE = 240
AXIAL_SHARES = (0.2, 0.45, 0.7)
COLUMNS = ("lung_volume_ml", "lung_involvement_percent", "mean_density_hu_aerated", "laa950_percent_aerated")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print("| scan | preset | lungs ml | involvement % | aerated lung HU | LAA-950 % | notes |\n|" + " --- |" * 7)
    for path in options.scans:
        draw_scan(path, options.output)


def draw_scan(path: Path, folder: Path) -> None:
    """Draw one scan and print its two rows."""
    scan = read_scan(path)
    halves = []
    for settings in (LungSettings.published(), LungSettings()):
        try:
            lungs = segment_lungs(scan.volume, scan.spacing_mm, settings, direction=scan.direction)
        except LungNotFoundError as error:
            lungs = None
            print(f"| {path.stem} | {settings.preset} | | | | | stops: {str(error).partition(';')[0]} |")
        else:
            print_row(path.stem, settings.preset, scan, lungs)
        halves.append(draw_half(scan, lungs, settings.preset))
    picture = Image.new("RGB", (halves[0].width + halves[1].width + 8, halves[0].height), "white")
    picture.paste(halves[0], (0, 0))
    picture.paste(halves[1], (halves[0].width + 8, 0))
    picture.save(folder / f"{path.stem}.jpg", quality=72)


def print_row(name: str, preset: str, scan: Scan, lungs: LungSegmentation) -> None:
    """Print the measures of one preset."""
    labels = label_tissue(scan.volume, lungs.mask, TissueModel.published())
    row = measure(scan.volume, lungs.mask, labels, spacing_mm=scan.spacing_mm, case=name)
    codes = ", ".join(warning.partition(":")[0] for warning in lungs.warnings)
    print(f"| {name} | {preset} | " + " | ".join(f"{row[column]:.1f}" for column in COLUMNS) + f" | {codes} |")


def draw_half(scan: Scan, lungs: LungSegmentation | None, title: str) -> Image.Image:
    """Return three axial slices and a coronal one with the lungs in colour."""
    volume = scan.volume
    labels = np.zeros(volume.shape, np.uint8) if lungs is None else lungs.labels()
    if scan.direction[1, 1] < 0:  # the y axis runs to the front
        volume, labels = volume[:, ::-1], labels[:, ::-1]
    nz, ny, nx = volume.shape
    dz, _, dx = scan.spacing_mm
    planes = [(volume[int(share * nz)], labels[int(share * nz)], TILE) for share in AXIAL_SHARES]
    tall = round(TILE * nz * dz / (nx * dx))
    planes.append((volume[::-1, ny // 2], labels[::-1, ny // 2], tall))
    half = Image.new("RGB", (2 * TILE, TILE + max(TILE, tall)), "black")
    for i, (hu, label, height) in enumerate(planes):
        half.paste(colour_plane(hu, label).resize((TILE, height)), (i % 2 * TILE, i // 2 * TILE))
    ImageDraw.Draw(half).text((4, 2), title if lungs is not None else f"{title}: stops", "yellow")
    return half


def colour_plane(hu: np.ndarray, label: np.ndarray) -> Image.Image:
    """Return a slice in grey with its labels laid over."""
    low, high = WINDOW_HU
    grey = np.clip((hu.astype(float) - low) / (high - low), 0, 1) * 255
    rgb = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    inside = label > 0
    rgb[inside] = 0.65 * rgb[inside] + 0.35 * COLOURS[label[inside]]
    return Image.fromarray(rgb.astype(np.uint8))


if __name__ == "__main__":
    main()
