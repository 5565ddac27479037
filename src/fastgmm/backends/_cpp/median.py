"""The median of labels on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._types import Shape3, UInt8Array


def median_filter(labels: UInt8Array, size: Shape3, out: UInt8Array, n_jobs: int) -> None:
    """Count the labels above each level in every box."""
    _core.median_filter(labels, size, out, n_jobs=n_jobs)
