"""Exact Gaussian mixtures from histograms, bit-packed CT volume kernels, and lung tissue labelling."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgmm._histogram import Histogram, PhasedHistogram
    from fastgmm.mixture import FastGMM

__all__ = ["FastGMM", "Histogram", "PhasedHistogram", "release_memory"]

_HOME = {"FastGMM": "fastgmm.mixture", "Histogram": "fastgmm._histogram", "PhasedHistogram": "fastgmm._histogram"}
_PACKAGES = ("backends", "cohort", "io", "lung", "mixture", "volume")


def release_memory() -> None:
    """Give the scratch memory that the compiled kernels keep for reuse back to the system."""
    core = sys.modules.get("fastgmm._core")
    if core is not None:
        core.release_memory()


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("fastgmm")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"fastgmm.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES, "__version__"])
