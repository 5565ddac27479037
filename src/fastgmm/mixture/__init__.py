"""Gaussian mixtures: the estimator `FastGMM`, and functions beneath it that need NumPy only."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgmm.mixture._batch import fit_histograms
    from fastgmm.mixture._fast_gmm import FastGMM

__all__ = ["FastGMM", "fit_histograms"]

_HOME = {"FastGMM": "fastgmm.mixture._fast_gmm", "fit_histograms": "fastgmm.mixture._batch"}


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
