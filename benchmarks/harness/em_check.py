"""When an answer counts as right: the tolerances of `bench_em.py`."""

from typing import Any

import numpy as np

from fastgmm import FastGMM

MEANS_RTOL, MEANS_ATOL = 1e-5, 1e-5  # of the means after the same steps, in units of the data
COVARIANCES_RTOL = 1e-3  # daal4py and pomegranate add other constants to variances than scikit-learn's reg_covar
LABELS_SHARE = 1e-5  # rows on the border between two components that rounding may give to the other one
BOUND_ATOL = 1e-6  # mean log-likelihoods called equal
DEFAULT_RTOL = 1e-6  # mean log-likelihoods of the same default arguments


def check_answer(found: Any, expected: Any) -> None:
    """Raise AssertionError unless two mixtures are equal."""
    np.testing.assert_allclose(found.means, expected.means, rtol=MEANS_RTOL, atol=MEANS_ATOL)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=MEANS_RTOL, atol=MEANS_ATOL)
    scale = np.abs(expected.covariances).max()
    np.testing.assert_allclose(
        found.covariances, expected.covariances, rtol=COVARIANCES_RTOL, atol=COVARIANCES_RTOL * scale
    )


def check_labels(found: Any, expected: np.ndarray) -> None:
    """Raise AssertionError unless nearly all labels are equal."""
    found = np.asarray(found)
    assert found.shape == expected.shape, f"{found.shape} labels, expected {expected.shape}"
    share = float(np.mean(found != expected))
    assert share <= LABELS_SHARE, f"{share:.3g} of the labels differ"


def check_reaches(answer: Any, covariance_type: str, X: np.ndarray, bound: float) -> None:
    """Raise AssertionError unless a mixture has at least a mean log-likelihood."""
    weights = answer.weights / answer.weights.sum()  # pomegranate's have a rounding error that FastGMM refuses
    found = FastGMM.from_parameters(weights, *answer[1:], covariance_type=covariance_type).score(X)
    assert found >= bound - BOUND_ATOL, f"mean log-likelihood {found:.9g}, expected {bound:.9g}"


def check_bound(found: float, expected: float) -> None:
    """Raise AssertionError unless two fits with default arguments ended alike."""
    assert abs(found - expected) <= abs(expected) * DEFAULT_RTOL, f"mean log-likelihood {found:.9g}, not {expected:.9g}"
