"""Rows and mixtures to test the kernels of EM on, and how their sums are compared."""

import numpy as np
from tolerances import TOLERANCES

from fastgmm.backends._contract import Mixture

KINDS = ("full", "tied", "diag")


def make_case(kind, n, d, n_components, dtype=np.float64):
    """Rows, weights, and a mixture."""
    rng = np.random.default_rng(n + d)
    X = (rng.normal(size=(n, d)) + 5).astype(dtype)
    means, offsets = rng.normal(size=(n_components, d)) + 5, rng.normal(size=n_components)
    if kind == "diag":
        precisions = rng.uniform(0.5, 1.5, size=(n_components, d))
    else:
        shape = (n_components, d, d) if kind == "full" else (d, d)
        precisions = np.triu(rng.normal(size=shape)) / np.sqrt(d)
    return X, rng.uniform(0, 2, n), Mixture(kind, offsets, means, precisions)


def assert_sum_close(found, expected, n_terms):
    """Compare numbers or arrays, each a sum of so many terms that may cancel: see `TOLERANCES["reference"]`."""
    rtol, atol = TOLERANCES["reference"]
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol * n_terms)


def assert_sums_close(found, expected, n_terms):
    """Compare each of several."""
    for ours, judge in zip(found, expected, strict=True):
        assert_sum_close(ours, judge, n_terms)


def assert_assigned_alike(found, expected):
    """Compare labels, log densities and responsibilities."""
    np.testing.assert_array_equal(found[0], expected[0])
    for ours, judge in zip(found[1:], expected[1:], strict=True):
        rtol, atol = TOLERANCES["assignment_float32" if judge.dtype == np.float32 else "assignment"]
        np.testing.assert_allclose(ours, judge, rtol=rtol, atol=atol)
