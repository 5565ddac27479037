"""How far a fit is taken, and what becomes of the classes: the table in docs/method.md.

Usage: python benchmarks/tolerance_table.py SCAN
"""

import dataclasses
import sys
import warnings

from fastgmm.io import read_scan
from fastgmm.lung import (
    LungSettings,
    TissueModel,
    collect_histogram,
    fit_tissue_model,
    label_tissue,
    measure,
    segment_lungs,
)
from fastgmm.lung.tissue import CLASSES, describe_bands

HEAD = ("tol", "means (HU)", "bands (HU)", "air / healthy / ggo / consolidation / other (%)", "LI (%)", "guard")


def row(name, model, scan, mask):
    """Return one line of the table."""
    labels = label_tissue(scan.volume, mask, model)
    found = measure(scan.volume, mask, labels, spacing_mm=scan.spacing_mm, case=name)
    shares = " / ".join(f"{found[f'{c.key}_percent']:.1f}" for c in CLASSES)
    try:
        model.guard()
        verdict = "passes"
    except ValueError as error:
        verdict = str(error).split(" HU ", 1)[1].split(". Its bands")[0]
    means = " ".join(f"{mean:.0f}" for mean in model.means)
    return name, means, describe_bands(model), shares, f"{found['lung_involvement_percent']:.1f}", verdict


def main(path):
    """Print the table in Markdown."""
    warnings.simplefilter("ignore")
    scan = read_scan(path)
    settings = LungSettings.published()
    mask = segment_lungs(scan.volume, scan.spacing_mm, settings).mask
    parts = [collect_histogram(scan.volume, mask, settings)]
    rows = [HEAD, ("---",) * len(HEAD), row("published model", TissueModel.published(), scan, mask)]
    for exponent in range(3, 9):
        tight = dataclasses.replace(settings, tol=10.0**-exponent, max_iter=1_000_000)
        model = fit_tissue_model(parts, tight, allow_unordered=True)
        rows.append(row(f"1e-{exponent}", model, scan, mask))
    for cells in rows:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1])
