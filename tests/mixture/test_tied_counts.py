"""Counted values with one variance for all components and no reg_covar: exact, and with the same bits everywhere."""

import numpy as np
import pytest
from tolerances import TOLERANCES

from fastgmm import FastGMM
from fastgmm.backends import usable_backends


@pytest.fixture(scope="module")
def lung():
    rng = np.random.default_rng(0)
    parts = ((1200, -950, 44), (1200, -829, 58), (600, -13, 194))
    return np.concatenate([rng.normal(mean, sd, n) for n, mean, sd in parts]).clip(-1000).round().astype(np.int16)


TIED = {"tied": (1, 1), "tied_diag": (1,), "tied_spherical": ()}


@pytest.mark.parametrize("covariance_type", TIED)
@pytest.mark.parametrize("means", [[10.0, 60.0], [0.0, 120.0]])
@pytest.mark.parametrize("alone", [False, True])
def test_a_tied_variance_without_reg_covar_goes_through_the_histogram(lung, covariance_type, means, alone):
    """Also where one component has a single value, and so no variance of its own."""
    rows = lung // 16 + 63
    rows = np.concatenate([rows[rows < 40], np.full(90, 120)]) if alone else rows
    start = {
        "weights_init": [0.5, 0.5],
        "means_init": np.array(means)[:, np.newaxis],
        "precisions_init": np.full(TIED[covariance_type], 0.01),
        "covariance_type": covariance_type,
        "reg_covar": 0.0,
        "tol": 1e-9,
        "max_iter": 500,
    }
    counted, row_wise = (FastGMM(2, histogram=h, **start).fit(rows[:, np.newaxis]) for h in ("auto", False))
    assert counted.n_iter_ == row_wise.n_iter_
    rtol, atol = TOLERANCES["sklearn"]
    for name in ("weights_", "means_", "covariances_", "precisions_", "lower_bound_"):
        np.testing.assert_allclose(getattr(counted, name), getattr(row_wise, name), rtol=rtol, atol=atol)
    for backend, n_jobs in (("cpp", 2), ("numba", 1)):
        if backend not in usable_backends():
            continue  # the oldest versions are tested without Numba
        other = FastGMM(2, backend=backend, n_jobs=n_jobs, **start).fit(rows[::-1, np.newaxis])
        assert other.means_.tobytes() == counted.means_.tobytes()
        assert other.covariances_.tobytes() == counted.covariances_.tobytes()


@pytest.mark.parametrize("covariance_type", TIED)
def test_a_tied_variance_that_vanishes_is_named(covariance_type):
    X = np.array([[1], [1], [5], [5], [5]])
    model = FastGMM(2, covariance_type=covariance_type, init_params="optimal", reg_covar=0.0)
    named = r"ill-defined empirical covariance.*The tied (variance|covariance)|Collapsed to 1/12.*the shared variance"
    with pytest.raises((ValueError, UserWarning), match=named):  # by rounding it may stay a little above 0
        model.fit(X)
