"""Find the lungs of scans and write their labels, the median map and the mask: no measures, no pictures."""

from __future__ import annotations

import argparse
import sys

from fastgmm.cli import _options
from fastgmm.cli._tables import print_json, run_document, table_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _options.add_scans(parser)
    _options.add_out(parser)
    _options.add_preset(parser)
    _options.add_lungs(parser)
    parser.add_argument("--model", metavar="FILE", help="model.json to label with (default: published)")
    _options.add_unordered(parser)
    _options.add_machine(parser)


def run(options: argparse.Namespace) -> int:
    """Label and list what was written."""
    from fastgmm.cli._progress import progress, show_names
    from fastgmm.cohort import label_cohort

    settings, model = _options.settings(options), _options.model(options)
    machine = _options.first_line(options, f"preset {options.preset}", f"model {options.model or 'published'}")
    show_names(options.scans)
    with progress(len(options.scans)) as tell:
        result = label_cohort(
            options.scans,
            options.output,
            model=model,
            settings=settings,
            overwrite=options.overwrite,
            inputs=_options.model_files(options),
            on_event=tell,
            lungs=options.lungs,
            **_options.reading(options),
        )
    if options.json:
        print_json(run_document("label", machine, options.preset, result))
    else:
        rows = [[case, ", ".join(path.name for path in files)] for case, files in result.outputs.items()]
        rows += [[failure.case, "failed"] for failure in result.failures]
        sys.stdout.write(table_text(["case", "files"], rows))
    return 1 if result.failures else 0
