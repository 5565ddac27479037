"""How the functions of this backend are compiled: to machine code on first use, kept on disk, without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_SETTINGS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


def compiled(function: F) -> F:
    """Compile exactly what is written: no contraction, no other order of operations."""
    return cast(F, numba.njit(**_SETTINGS)(function))


def compiled_sums(function: F) -> F:
    """Compile a function whose sums may be taken in the order that suits the processor, the same for every call."""
    return cast(F, numba.njit(fastmath={"reassoc", "contract"}, **_SETTINGS)(function))
