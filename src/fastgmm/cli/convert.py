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
    from fastgmm.cohort._output_folder import OutputFolder
    from fastgmm.cohort._plan import check_output_file
    from fastgmm.errors import ScanError
    from fastgmm.io import read_scan, write_scan

    check_output_file(options.output, [options.scan], overwrite=options.overwrite)
    document = {"command": "convert", "scan": options.scan, "outputs": [], "failures": []}
    try:
        with OutputFolder(options.output.parent):
            scan = read_scan(options.scan, assume_hu=options.assume_hu, series=options.series)
            write_scan(options.output, scan)
    except ScanError as error:
        print(f"error: {error}", file=sys.stderr)
        document["failures"] = [{"path": options.scan, "error": str(error)}]
    else:
        for warning in scan.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        found = {"shape": scan.volume.shape, "spacing_mm": scan.spacing_mm, "warnings": scan.warnings}
        document.update(outputs=[options.output], **found)
    if options.json:
        print_json(document)
    elif document["outputs"]:
        nz, ny, nx = scan.volume.shape
        print(f"{options.output}: {nx} x {ny} x {nz} voxels (x, y, z)")
    return 1 if document["failures"] else 0
