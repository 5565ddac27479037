"""Kernels compiled by Numba at run time: the em family in this version.

The machine code kept on disk does not follow changes of another file: after an edit here, remove __pycache__.
"""

from fastgmm.backends._numba.em import em_assign, em_histogram, em_histogram_batch, em_moments, em_step

__all__ = ["em_assign", "em_histogram", "em_histogram_batch", "em_moments", "em_step"]
