"""The words for what can be wrong with a file: each error says the path, what was expected, what came, the way out."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from fastgmm.errors import ScanError

ANOTHER_COPY = "copy or download the file again"


def scan_error(path: Path, expected: str, got: str, way_out: str) -> ScanError:
    """Return the one-line error for a file that is not what it should be."""
    return ScanError(one_line(f"{path}: expected {expected}, got {got}; {way_out}"))


def system_error(path: Path, doing: str, error: OSError, way_out: str) -> ScanError:
    """Return the one-line error for a file that the system does not let us read or write."""
    reason = error.strerror or os.strerror(error.errno) if error.errno else str(error)
    return ScanError(one_line(f"{path}: could not be {doing}: {reason}; {way_out}"))


def one_line(text: str) -> str:
    """Return the text without line breaks."""
    return " ".join(text.split())


def require(module: str, path: Path, purpose: str) -> Any:
    """Import a module of the extra `ct`, or say which extra is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ScanError(
            f"{path}: expected the package {package} for {purpose}, which is not installed here; "
            "pip install 'fastgmm[ct]'"
        ) from error
