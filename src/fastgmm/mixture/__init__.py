"""Gaussian mixtures: the estimator `FastGMM`, and functions beneath it that need NumPy only."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgmm.mixture._fast_gmm import FastGMM

__all__ = ["FastGMM"]


def __getattr__(name: str) -> Any:
    if name != "FastGMM":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fastgmm.mixture._fast_gmm import FastGMM

    return FastGMM
