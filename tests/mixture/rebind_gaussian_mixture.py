"""pytest plug-in for scikit-learn's own tests: `sklearn.mixture.GaussianMixture` is FastGMM there."""

import importlib.util

import pytest
import sklearn.mixture

from fastgmm import FastGMM


class GaussianMixture(FastGMM):
    """FastGMM by the name that scikit-learn's tests expect in messages."""


def pytest_configure(config):
    sklearn.mixture.GaussianMixture = GaussianMixture


def gpu_is_missing():
    """Whether PyTorch is built for CUDA but cannot use it: scikit-learn's own class fails those cases too."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.backends.cuda.is_built() and not torch.cuda.is_available()


def pytest_collection_modifyitems(items):
    if gpu_is_missing():
        for item in items:
            if "torch-cuda" in item.name:
                item.add_marker(pytest.mark.skip(reason="PyTorch finds no GPU"))
    reason = (
        "counts calls of sklearn.mixture._gaussian_mixture._estimate_gaussian_parameters, which FastGMM never calls"
    )
    for item in items:
        if item.originalname == "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters":
            item.add_marker(pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True))
