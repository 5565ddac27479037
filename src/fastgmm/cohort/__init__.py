"""Many scans: names, plan, run, tables, pictures."""

from fastgmm.cohort._cases import case_stem, name_cases
from fastgmm.cohort._fit import fit_cohort
from fastgmm.cohort._measure import measure_cohort
from fastgmm.cohort._results import Event, Failure, FitResult, RunResult
from fastgmm.cohort._run import label_cohort, run_cohort

__all__ = [
    "Event",
    "Failure",
    "FitResult",
    "RunResult",
    "case_stem",
    "fit_cohort",
    "label_cohort",
    "measure_cohort",
    "name_cases",
    "run_cohort",
]
