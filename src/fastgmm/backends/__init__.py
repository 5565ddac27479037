"""Implementations of the kernels, and the choice between them."""

from fastgmm.backends._registry import BACKENDS, can_use, choose_backend, get_backend, usable_backends

__all__ = ["BACKENDS", "can_use", "choose_backend", "get_backend", "usable_backends"]
