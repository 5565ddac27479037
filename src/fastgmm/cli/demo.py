"""Make a synthetic thorax from a seed, run the method on it, and compare the result with the truth."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastgmm.cli import _options
from fastgmm.cli._tables import measures_table, print_json, run_document, table_text
from fastgmm.cohort import RunResult

# Slices of 1 mm, pixels of 0.74 mm: the published preset's sizes in voxels fit such scans; in larger voxels its closing
# takes in the mediastinum.
_SHAPE = (300, 512, 512)
_ROWS = {
    "lungs_and_airways": "mask with lungs and airways",
    "lungs": "mask with lungs",
    "air": "air",
    "healthy": "healthy lung",
    "ggo": "ground glass",
    "consolidation": "consolidation",
    "other": "other dense tissue",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--seed", type=int, default=0, help="number that makes the thorax (default: 0)")
    parser.add_argument("--shape", type=int, nargs=3, default=_SHAPE, metavar=("NZ", "NY", "NX"), help="voxels")
    _options.add_out(parser, required=False)
    _options.add_preset(parser)
    _options.add_li_formula(parser)
    parser.add_argument("--no-preview", action="store_true", help="draw no picture")
    _options.add_machine(parser)


def run(options: argparse.Namespace) -> int:
    """Make, run, compare."""
    from fastgmm.cli.run import check_preview

    check_preview(options)
    settings = _options.settings(options)
    machine = _options.first_line(options, f"preset {options.preset}", "model published")
    with _folder(options) as out:
        path = out / f"thorax_seed{options.seed}.nrrd"
        if path.exists() and not options.overwrite:
            raise FileExistsError(f"{path}: exists already; replace it with --overwrite or choose another -o")
        truth = _make(path, options)
        result = _run(path, out, settings, options)
        agreement = _agreement(result, truth)
    if options.json:
        print_json({**run_document("demo", machine, options.preset, result), "seed": options.seed, "dice": agreement})
    else:
        sys.stdout.write(_tables(result, agreement))
        if options.output is None:
            print("fastgmm demo -o DIR keeps the scan, its labels and the picture", file=sys.stderr)
    return 1 if result.failures else 0


@contextmanager
def _folder(options: argparse.Namespace) -> Iterator[Path]:
    """Yield the output folder, or one that is gone afterwards."""
    from fastgmm.cohort._output_folder import OutputFolder

    if options.output is None:
        with tempfile.TemporaryDirectory(prefix="fastgmm-demo-") as temporary:
            yield Path(temporary)
        return
    with OutputFolder(options.output) as folder:
        yield folder.path


def _make(path: Path, options: argparse.Namespace) -> Any:
    """Write the thorax and return its truth."""
    from fastgmm.io import Scan, write_scan
    from fastgmm.lung.phantom import thorax_phantom

    thorax = thorax_phantom(tuple(options.shape), seed=options.seed)
    write_scan(path, Scan(path=path, volume=thorax.volume, spacing_mm=thorax.spacing_mm))
    return thorax.truth


def _run(path: Path, out: Path, settings: Any, options: argparse.Namespace) -> RunResult:
    from fastgmm.cli._progress import progress
    from fastgmm.cohort import run_cohort

    with progress(1) as tell:
        return run_cohort(
            [path],
            out,
            settings=settings,
            preview=not options.no_preview,
            overwrite=options.overwrite,
            li_formula=options.li_formula,
            backend=options.backend,
            n_jobs=options.jobs,
            on_event=tell,
        )


def _agreement(result: RunResult, truth: Any) -> dict[str, float | None]:
    """Return the Dice coefficients of the labels that were written, None where neither has a voxel."""
    from fastgmm.io import read_scan
    from fastgmm.lung.phantom import dice_table

    if result.failures:
        return {}
    (files,) = (paths for case, paths in result.outputs.items() if case)
    (labels_path,) = (path for path in files if "_labels" in path.name)
    labels = read_scan(labels_path, assume_hu=True).volume.astype("uint8")
    return {name: None if value != value else float(value) for name, value in dice_table(labels, truth).items()}


def _tables(result: RunResult, agreement: dict[str, float | None]) -> str:
    rows = [[_ROWS.get(name, name), "-" if value is None else f"{value:.3f}"] for name, value in agreement.items()]
    return measures_table(result) + ("\n" + table_text(["agreement with the truth", "Dice"], rows) if rows else "")
