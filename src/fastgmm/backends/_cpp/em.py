"""EM on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._types import Float64Array
from fastgmm.backends._contract import HistogramFit


def em_histogram(
    values: Float64Array,
    counts: Float64Array,
    weights: Float64Array,
    means: Float64Array,
    precisions_cholesky: Float64Array,
    *,
    tol: float,
    max_iter: int,
    reg_covar: float,
    lower_bound: float,
    n_jobs: int,
) -> HistogramFit:
    """Run EM on values that occur counts times."""
    outcome = _core.em_histogram(
        values,
        counts,
        weights,
        means,
        precisions_cholesky,
        tol=tol,
        max_iter=max_iter,
        reg_covar=reg_covar,
        lower_bound=lower_bound,
        n_jobs=n_jobs,
    )
    return HistogramFit(*outcome)
