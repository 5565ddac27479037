"""Implementations of the kernels, and the choice between them."""

from fastgmm.backends._registry import (
    BACKENDS,
    arrays_for,
    backend_for,
    can_use,
    choose_backend,
    get_backend,
    usable_backends,
)

__all__ = ["BACKENDS", "arrays_for", "backend_for", "can_use", "choose_backend", "get_backend", "usable_backends"]
