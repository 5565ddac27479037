"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastgmm.io._problems import scan_error, system_error


def write_whole(path: Path, pieces: Iterable[Any], inputs: Iterable[Path] = ()) -> None:
    """Write pieces of bytes to a file under a temporary name in its folder, then give it its name.

    Parameters
    ----------
    path : Path
        An existing file is replaced, unless it is one of the inputs.
    pieces : iterable of buffers
    inputs : iterable of Path
        Files that must not be written to.

    Raises
    ------
    ScanError
        The file cannot be written; nothing is left behind.
    """
    _check_not_an_input(path, inputs)
    unfinished = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        with open(unfinished, "xb", buffering=0) as file:
            for piece in pieces:
                _write_all(file, piece)
        os.replace(unfinished, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            way_out = "choose a folder that exists, can be written to and has room"
            raise system_error(path, "written", error, way_out) from error
        raise


def _check_not_an_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raise if the path is the same file as one of the inputs, whatever it is called."""
    if not path.exists():
        return
    for source in inputs:
        if source.exists() and os.path.samefile(path, source):
            raise scan_error(path, "a file to write to", "one of the scan's own files", "choose another output")


def _write_all(file: Any, piece: Any) -> None:
    rest = memoryview(piece).cast("B")
    while len(rest):
        rest = rest[file.write(rest) :]
