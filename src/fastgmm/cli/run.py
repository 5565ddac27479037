"""Find the lungs of chest CTs, label every voxel as one of five tissues, measure, and draw a picture of each scan."""

from __future__ import annotations

import argparse
import sys

from fastgmm.cli import _options
from fastgmm.cli._tables import measures_table, print_json, run_document
from fastgmm.cohort import RunResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _options.add_scans(parser)
    _options.add_out(parser)
    _options.add_preset(parser)
    _options.add_lungs(parser)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--model", metavar="FILE", help="model.json to label with (default: published)")
    chosen.add_argument("--fit", action="store_true", help="label with one mixture fitted on all scans given")
    _options.add_fit(parser)
    _options.add_li_formula(parser)
    parser.add_argument("--no-preview", action="store_true", help="draw no pictures")
    _options.add_machine(parser)


def run(options: argparse.Namespace) -> int:
    """Run the method and print the table."""
    from fastgmm.cli._progress import progress, show_names
    from fastgmm.cohort import run_cohort

    settings, model = _options.settings(options), None if options.fit else _options.model(options)
    check_preview(options)
    taken = "fitted on these scans" if options.fit else options.model or "published"
    machine = _options.first_line(options, f"preset {options.preset}", f"model {taken}")
    show_names(options.scans)
    with progress(len(options.scans)) as tell:
        result = run_cohort(
            options.scans,
            options.output,
            settings=settings,
            model=model,
            fit=options.fit,
            allow_unordered=options.allow_unordered,
            preview=not options.no_preview,
            overwrite=options.overwrite,
            li_formula=options.li_formula,
            inputs=_options.model_files(options),
            on_event=tell,
            lungs=options.lungs,
            **_options.reading(options),
        )
    if options.json:
        print_json(run_document("run", machine, options.preset, result))
    else:
        sys.stdout.write(measures_table(result))
    return exit_code(result)


def exit_code(result: RunResult) -> int:
    """Return 0 if every scan was done, else 1."""
    return 1 if result.failures else 0


def check_preview(options: argparse.Namespace) -> None:
    """Raise before the run if pictures are wanted and cannot be drawn."""
    from importlib.util import find_spec

    from fastgmm.cli._main import UsageError

    if not options.no_preview and find_spec("PIL") is None:
        raise UsageError("pictures need Pillow: pip install 'fastgmm[ct]', or go without them by --no-preview")
