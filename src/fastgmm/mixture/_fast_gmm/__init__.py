"""The estimator: the only part of fastgmm that imports scikit-learn."""

from fastgmm.mixture._fast_gmm.estimator import FastGMM

__all__ = ["FastGMM"]
