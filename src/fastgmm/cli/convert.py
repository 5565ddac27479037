"""Turn a scan, such as a DICOM folder, into one NRRD or NIfTI file: HU and geometry, no patient data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fastgmm.cli import _options
from fastgmm.cli._tables import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("scan", type=Path, metavar="SCAN", help="DICOM folder or scan file")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="file to write: .nrrd, .nii.gz, .nii or .mha"
    )
    _options.add_overwrite(parser)
    _options.add_reading(parser)
    _options.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Read, write, and say what came out."""
    from fastgmm.cohort._plan import check_output_file
    from fastgmm.io import read_scan, write_scan

    check_output_file(options.output, [options.scan], overwrite=options.overwrite)
    scan = read_scan(options.scan, assume_hu=options.assume_hu, series=options.series)
    for warning in scan.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    write_scan(options.output, scan)
    if options.json:
        print_json(
            {
                "command": "convert",
                "scan": options.scan,
                "outputs": [options.output],
                "shape": scan.volume.shape,
                "spacing_mm": scan.spacing_mm,
                "warnings": scan.warnings,
            }
        )
    else:
        nz, ny, nx = scan.volume.shape
        print(f"{options.output}: {nx} x {ny} x {nz} voxels (x, y, z)")
    return 0
