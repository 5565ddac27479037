"""The EM benchmark's own checks: right answers pass, wrong ones fail; what its tables say."""

import warnings

import numpy as np
import pytest
from harness import em_check, em_report
from harness.em_cases import CASES, Case, asked, fit_floor, rows_of, start_of
from rivals.em import SKLEARN, Answer, fit_ours, fit_scikit_learn, iterations, labels_by, why_not
from sklearn.exceptions import ConvergenceWarning

from fastgmm import FastGMM

CASE = Case("small", 2000, 2, 3)


@pytest.fixture(scope="module")
def fitted():
    X = rows_of(CASE)
    start = start_of(CASE, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return X, fit_ours(CASE, X, start, 3), fit_scikit_learn(CASE, X, start, 3)


def test_equal_mixtures_pass(fitted):
    em_check.check_answer(fitted[2], fitted[1])


@pytest.mark.parametrize("part", ["weights", "means", "covariances"])
def test_a_wrong_mixture_fails(fitted, part):
    wrong = fitted[1]._replace(**{part: getattr(fitted[1], part) * 1.01})
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        em_check.check_answer(wrong, fitted[1])


def test_wrong_labels_fail(fitted):
    X, answer, _ = fitted
    labels = labels_by(SKLEARN, answer, CASE, X)()
    em_check.check_labels(labels, labels.copy())
    with pytest.raises(AssertionError, match=r"0\.001 of the labels differ"):
        em_check.check_labels(np.r_[labels[:-2], (labels[-2:] + 1) % 3], labels)
    with pytest.raises(AssertionError, match="labels, expected"):
        em_check.check_labels(labels[1:], labels)


def test_a_likelihood_below_the_level_fails(fitted):
    X, answer, _ = fitted
    bound = FastGMM.from_parameters(*answer).score(X)
    em_check.check_reaches(answer, "full", X, bound)
    with pytest.raises(AssertionError, match="mean log-likelihood"):
        em_check.check_reaches(answer, "full", X, bound + 1e-5)


def test_another_maximum_of_default_arguments_fails():
    em_check.check_bound(-3.0, -3.0)
    for found in (-3.0001, -2.9999):
        with pytest.raises(AssertionError, match="mean log-likelihood"):
            em_check.check_bound(found, -3.0)


def test_the_table_says_what_was_missed(monkeypatch):
    monkeypatch.setattr(em_report, "ROWS", {})
    row = em_report.row_of("fit", "d=1")
    row.floor, row.asked = 0.001, {"scikit-learn": 40.0, "daal4py": 2.0}
    row.cells = {"fastgmm": em_report.Cell(0.002, 9), "scikit-learn": em_report.Cell(0.1, 5)}
    row.cells["daal4py"] = em_report.Cell(0.003, 2)
    row.absent["pomegranate"] = "not installed"
    assert em_report.tables()[-3:] == [
        "| data | floor | fastgmm | scikit-learn | daal4py | pomegranate | asked, reached |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        "| d=1 | 1 (ours 2×) | 2 | 100 (50×) | 3 (1.5×) n=2 | not installed "
        "| scikit-learn 40×: yes; daal4py 2×: **no, 1.5×** |",
    ]


def test_targets_are_those_of_the_issue():
    integers, floats, d128 = CASES[0], CASES[1], CASES[-1]
    assert [asked(t, integers, SKLEARN) for t in ("fit", "step", "predict")] == [200, 1000, 1000]
    assert [asked(t, integers, "daal4py") for t in ("fit", "step", "predict")] == [20, 100, None]
    assert [asked(t, floats, "daal4py") for t in ("fit", "step")] == [None, 2]
    assert asked("fit", d128, SKLEARN) == 1.2
    assert asked("equal", floats, SKLEARN) is None


def test_who_takes_part():
    tied = Case("tied", 100, 2, 2, "tied")
    assert why_not("fastgmm squarem", tied) is None
    assert why_not("no such package", tied) == "not installed"
    assert (iterations(SKLEARN, 3), iterations("fastgmm", 3)) == (4, 3)


def test_the_floor_grows_with_rows_and_components(monkeypatch):
    from harness import em_cases

    monkeypatch.setattr(em_cases, "bandwidth", lambda: {"read": 1e10, "fill": 1e10})
    few, many = np.zeros((1000, 8)), np.zeros((4000, 8))
    assert fit_floor(CASES[6], many) == pytest.approx(4 * fit_floor(CASES[6], few))
    assert fit_floor(CASES[6]._replace(n_components=16), few) > 1.9 * fit_floor(CASES[6], few)


def test_answers_are_shaped_as_scikit_learn_shapes_them(fitted):
    assert [part.shape for part in Answer(*fitted[1])] == [(3,), (3, 2), (3, 2, 2)]
