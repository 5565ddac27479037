"""Arguments that several verbs share, and what they mean."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_scans(parser: argparse.ArgumentParser) -> None:
    """Declare the scans and how to read them."""
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="NRRD, NIfTI, MetaImage or DICOM folder")
    add_reading(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Declare how scans are read."""
    parser.add_argument("--assume-hu", action="store_true", help="take voxel values as HU as they are")
    parser.add_argument("--series", metavar="UID", help="DICOM series to read (default: the one with most slices)")


def add_lungs(parser: argparse.ArgumentParser) -> None:
    """Declare lungs that were made elsewhere."""
    parser.add_argument(
        "--lungs",
        metavar="FILE|PATTERN",
        help="take the lungs from this mask (all but 0); {case} in the path stands for the name of each scan",
    )


def add_out(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Declare the output folder."""
    parser.add_argument("-o", "--output", type=Path, required=required, metavar="DIR", help="folder for the results")
    add_overwrite(parser)


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Declare the permission to replace files."""
    parser.add_argument("--overwrite", action="store_true", help="replace existing outputs")


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Declare who computes, and output for programs."""
    from fastgmm.backends import BACKENDS

    choices = ("auto", *BACKENDS)
    parser.add_argument("--backend", default="auto", choices=choices, help="who computes (default: auto, which is cpp)")
    parser.add_argument("--jobs", type=_count, metavar="N", help="threads (default: the processors at hand)")
    add_json(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare output for programs."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output, nothing else")


def add_preset(parser: argparse.ArgumentParser) -> None:
    """Declare the preset."""
    from fastgmm.lung import PRESETS

    parser.add_argument(
        "--preset", default=PRESETS[0], choices=PRESETS, help=f"numbers of the method (default: {PRESETS[0]})"
    )


def add_fit(parser: argparse.ArgumentParser) -> None:
    """Declare how a mixture is fitted."""
    parser.add_argument(
        "--tol", type=_tolerance, help="convergence of the fit in log-likelihood per voxel (default: 0.001)"
    )
    add_unordered(parser)


def add_unordered(parser: argparse.ArgumentParser) -> None:
    """Declare the permission to go without tissue names."""
    parser.add_argument(
        "--allow-unordered", action="store_true", help="take a mixture whose classes cannot be given tissue names"
    )


def add_li_formula(parser: argparse.ArgumentParser) -> None:
    """Declare the formula of lung involvement."""
    from fastgmm.lung import LI_FORMULAS

    parser.add_argument(
        "--li-formula",
        default="default",
        choices=tuple(LI_FORMULAS),
        help="lung involvement: "
        + ", ".join(f"{name} = {text}" for name, text in LI_FORMULAS.items()).replace("%", "%%"),
    )


def settings(options: argparse.Namespace) -> Any:
    """Return the `LungSettings` that were asked for."""
    import dataclasses

    from fastgmm.lung import LungSettings

    chosen = LungSettings.from_preset(options.preset)
    tol = getattr(options, "tol", None)
    return chosen if tol is None else dataclasses.replace(chosen, tol=tol)


def model(options: argparse.Namespace) -> Any:
    """Return the `TissueModel` of `--model`: a file, or "published"."""
    from fastgmm.errors import ScanError
    from fastgmm.lung import TissueModel

    if options.model in (None, "published"):
        return TissueModel.published()
    try:
        return TissueModel.from_json(options.model, allow_unordered=getattr(options, "allow_unordered", False))
    except OSError as error:
        raise ScanError(
            f"{options.model}: expected a tissue model file, got {error.strerror}; make one with fastgmm fit"
        ) from error


def model_files(options: argparse.Namespace) -> list[str]:
    """Return the file of `--model` as an input that must not be written to."""
    return [] if options.model in (None, "published") else [options.model]


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments that say how scans are read and who computes."""
    return {
        "assume_hu": options.assume_hu,
        "series": options.series,
        "backend": options.backend,
        "n_jobs": options.jobs,
    }


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """Return who computes: the backend that was taken, its instruction set, the threads."""
    from fastgmm._threads import resolve_n_jobs
    from fastgmm.backends import choose_backend, get_backend

    name = choose_backend(options.backend)
    level = getattr(get_backend(name), "simd_level", None)
    return {"backend": name, "simd": level() if level else None, "threads": resolve_n_jobs(options.jobs)}


def first_line(options: argparse.Namespace, *more: str) -> dict[str, Any]:
    """Say on standard error who computes, and return it."""
    found = machine(options)
    words = [f"backend {found['backend']}", f"SIMD {found['simd'] or 'none'}", f"{found['threads']} threads", *more]
    print("fastgmm: " + ", ".join(words), file=sys.stderr, flush=True)
    return found


def _count(text: str) -> int:
    """Return a number of threads: positive, or negative to count from all of them."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number of threads other than 0 (-1 = all), got {text!r}")
    return number


def _tolerance(text: str) -> float:
    """Return a positive finite number."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return number
