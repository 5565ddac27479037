"""What a run will write, checked before anything is computed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastgmm.cohort._cases import absolute, name_cases

TABLE_NAME = "measures.csv"
MODEL_NAME = "model.json"
_SHOWN = 3


@dataclass(frozen=True)
class Case:
    """One scan of a run: where it is, what it is called, and its place among the others (from 1)."""

    path: Path
    name: str
    index: int
    total: int


def plan_cases(paths: Sequence[str | os.PathLike[str]]) -> list[Case]:
    """Return the scans with their names.

    Raises
    ------
    ValueError
        If there are none, or one is given twice.
    """
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"paths must be a sequence of paths, got {paths!r}; put it in a list")
    if not paths:
        raise ValueError("paths must name at least one scan, got none")
    names = name_cases(paths)
    return [Case(Path(path), name, i, len(paths)) for i, (path, name) in enumerate(zip(paths, names, strict=True), 1)]


def check_outputs(
    out: Path,
    cases: Iterable[Case],
    *,
    kinds: Sequence[str],
    files: Sequence[str] = (),
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> None:
    """Raise if an output would replace a file that is an input, or any file unless `overwrite` is set.

    Parameters
    ----------
    out : Path
        The output folder; it need not exist.
    cases : iterable of Case
        Every one of `CASE_KIND.*` is an output, whatever its extension.
    kinds : sequence of str
        "labels", "median", "lungs", "overlay".
    files : sequence of str
        Names of the files written once per run.
    inputs : iterable of Path
        Further inputs, such as a model.

    Raises
    ------
    FileExistsError
        With the first few files in the way.
    ValueError
        If an output would be written to an input.
    """
    cases = list(cases)
    planned = {f"{case.name}_{kind}".casefold() for case in cases for kind in kinds}
    once = {name.casefold() for name in files}
    home = os.path.realpath(out)
    for path in [*(case.path for case in cases), *inputs]:
        real = os.path.realpath(path)
        if real == home:
            raise ValueError(f"{path}: an input is never written to, but this is the output folder; choose another -o")
        for place in {str(absolute(path)), real}:
            folder, name = os.path.split(place)
            if os.path.realpath(folder) == home and _is_planned(name, planned, once):
                raise ValueError(
                    f"{path}: an input is never written to, but it is named as an output; choose another -o"
                )
    if overwrite or not out.is_dir():
        return
    in_the_way = sorted(name for name in os.listdir(out) if _is_planned(name, planned, once))
    if in_the_way:
        more = f" and {len(in_the_way) - _SHOWN} more" if len(in_the_way) > _SHOWN else ""
        raise FileExistsError(
            f"{out}: expected no outputs of these scans, got {', '.join(in_the_way[:_SHOWN])}{more}; "
            "replace them with --overwrite or choose another -o"
        )


def check_output_file(path: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Raise if the one file a command writes is an input, or exists and `overwrite` is not set."""
    real = os.path.realpath(path)
    for given in inputs:
        source = os.path.realpath(given)
        if source == real or (os.path.isdir(source) and os.path.dirname(real) == source):
            raise ValueError(f"{path}: an input is never written to, and this is one or lies in one; choose another -o")
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"expected a file to write, got a folder; give -o {path}/NAME")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists already; replace it with --overwrite or choose another -o")


def _is_planned(name: str, planned: set[str], once: set[str]) -> bool:
    """Whether a file name is CASE_KIND with an extension (one or two parts), or one of the files written once."""
    name = name.casefold()
    stem, _, last = name.rpartition(".")
    return name in once or stem in planned or (last == "gz" and stem.rpartition(".")[0] in planned)
