"""Fit one mixture of five tissues over all lung voxels of the scans given, and write it as a model file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fastgmm.cli import _options
from fastgmm.cli._tables import failures, print_json, table_text
from fastgmm.cohort import FitResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _options.add_scans(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="model file to write (model.json)"
    )
    _options.add_overwrite(parser)
    _options.add_preset(parser)
    _options.add_lungs(parser)
    _options.add_fit(parser)
    _options.add_machine(parser)


def run(options: argparse.Namespace) -> int:
    """Fit, write the model and print its classes."""
    from fastgmm.cli._progress import progress, show_names
    from fastgmm.cohort import fit_cohort
    from fastgmm.cohort._output_folder import OutputFolder
    from fastgmm.cohort._plan import check_output_file

    settings = _options.settings(options)
    check_output_file(options.output, options.scans, overwrite=options.overwrite)
    machine = _options.first_line(options, f"preset {options.preset}")
    show_names(options.scans)
    with OutputFolder(options.output.parent) as folder, progress(len(options.scans)) as tell:
        result = fit_cohort(
            options.scans,
            settings=settings,
            allow_unordered=options.allow_unordered,
            on_event=tell,
            lungs=options.lungs,
            **_options.reading(options),
        )
        if result.model is not None:
            result.model.to_json(folder.staging / options.output.name)
            folder.publish([folder.staging / options.output.name])
    if options.json:
        print_json({"command": "fit", **machine, "preset": options.preset, **_document(options, result)})
    else:
        sys.stdout.write(_table(result))
    return 1 if result.failures or result.model is None else 0


def _document(options: argparse.Namespace, result: FitResult) -> dict[str, object]:
    return {
        "model": None if result.model is None else result.model.to_document(),
        "cases": result.cases,
        "n_voxels": result.n_voxels,
        "outputs": [] if result.model is None else [options.output],
        "failures": failures(result),
        "warnings": result.warnings,
    }


def _table(result: FitResult) -> str:
    """Return the components, or nothing if no scan could be used."""
    if result.model is None:
        return ""
    model = result.model
    columns = zip(model.classes, model.weights, model.means, model.variances, strict=True)
    rows = [
        [tissue.name, f"{weight:.4f}", f"{mean:.1f}", f"{variance**0.5:.1f}"]
        for tissue, weight, mean, variance in columns
    ]
    heading = ["class", "weight", "mean HU", "standard deviation HU"]
    return table_text(heading, rows) + f"{result.n_voxels} lung voxels of {len(result.cases)} scans\n"
