"""Kernels compiled by Numba at run time: the em family in this version."""

from fastgmm.backends._numba.em import em_assign, em_moments, em_step
from fastgmm.backends._numba.em_histogram import em_histogram

__all__ = ["em_assign", "em_histogram", "em_moments", "em_step"]
