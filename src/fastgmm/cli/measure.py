"""Measure tissue labels that exist already, or lung masks made elsewhere, on their scans."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fastgmm.cli import _options
from fastgmm.cli._tables import measures_table, print_json, run_document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _options.add_scans(parser)
    one_each = "one file per scan in the same order, or the folder with"
    parser.add_argument(
        "--labels", nargs="+", type=Path, metavar="FILE", help=f"tissue labels 0..5: {one_each} CASE_labels.EXT"
    )
    parser.add_argument(
        "--lungs", nargs="+", type=Path, metavar="FILE", help=f"lung masks, not 0 inside: {one_each} CASE_lungs.EXT"
    )
    parser.add_argument("--model", metavar="FILE", help="model.json for masks without labels (default: published)")
    _options.add_unordered(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="table to write as well (measures.csv)")
    _options.add_overwrite(parser)
    _options.add_li_formula(parser)
    _options.add_machine(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, write the table if asked, and print it."""
    from fastgmm.cli._main import UsageError
    from fastgmm.cli._progress import progress, show_names
    from fastgmm.cohort import measure_cohort
    from fastgmm.cohort._plan import check_output_file

    if options.labels is None and options.lungs is None:
        raise UsageError("fastgmm measure: expected --labels or --lungs, got neither; see fastgmm measure --help")
    if options.output is not None:
        measured = [path for path in [*(options.labels or []), *(options.lungs or [])] if not path.is_dir()]
        check_output_file(options.output, [*options.scans, *measured], overwrite=options.overwrite)
    machine = _options.first_line(options)
    show_names(options.scans)
    with progress(len(options.scans)) as tell:
        result = measure_cohort(
            options.scans,
            labels=options.labels,
            lungs=options.lungs,
            model=_options.model(options) if options.labels is None else None,
            li_formula=options.li_formula,
            on_event=tell,
            **_options.reading(options),
        )
    if options.output is not None and result.rows:
        result.outputs[""] = [write_table(options.output, result.rows)]
    if options.json:
        print_json(run_document("measure", machine, "", result))
    else:
        sys.stdout.write(measures_table(result))
    return 1 if result.failures else 0


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    """Write the rows as comma-separated values, complete or not at all."""
    from fastgmm.cohort._output_folder import OutputFolder
    from fastgmm.cohort._tables import measures_csv, write_text
    from fastgmm.lung import MEASURE_COLUMNS

    with OutputFolder(path.parent) as folder:
        staged = folder.staging / path.name
        write_text(staged, measures_csv(rows, MEASURE_COLUMNS))
        return folder.publish([staged])[0]
