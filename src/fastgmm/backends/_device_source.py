"""The text of the kernels under `csrc`, for compilers that run at run time."""

from __future__ import annotations

import re
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
_QUOTED_INCLUDE = re.compile(r'^[ \t]*#include "([^"]+)"[^\n]*\n', re.MULTILINE)


def csrc_root() -> Path:
    """Return the folder of `shared/` and `cuda/`: package data, or `csrc` of the checkout in an editable install."""
    installed = _PACKAGE / "_csrc"
    return installed if installed.is_dir() else _PACKAGE.parent.parent / "csrc"


def device_source(path: str, defines: dict[str, str] | None = None) -> str:
    """Return the text of a file under `csrc` with `#define` lines in front and each quoted include pasted in once."""
    lines = [f"#define {name} {value}\n" for name, value in (defines or {}).items()]
    return "".join(lines) + _paste(path, set())


def _paste(path: str, seen: set[str]) -> str:
    if path in seen:
        return ""
    seen.add(path)
    text = (csrc_root() / path).read_text(encoding="utf-8").replace("#pragma once\n", "")
    return _QUOTED_INCLUDE.sub(lambda match: _paste(match[1], seen), text)
