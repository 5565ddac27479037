"""pytest plug-in for scikit-learn's own tests: `sklearn.mixture.GaussianMixture` is FastGMM there."""

import pytest
import sklearn.mixture

from fastgmm import FastGMM


class GaussianMixture(FastGMM):
    """FastGMM by the name that scikit-learn's tests expect in messages."""


def pytest_configure(config):
    sklearn.mixture.GaussianMixture = GaussianMixture


def pytest_collection_modifyitems(items):
    reason = (
        "counts calls of sklearn.mixture._gaussian_mixture._estimate_gaussian_parameters, which FastGMM never calls"
    )
    for item in items:
        if item.originalname == "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters":
            item.add_marker(pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True))
