"""Rows to fit on a GPU, and the comparison with a fit on the processor."""

import numpy as np
from tolerances import TOLERANCES

FITTED = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


def make_rows(n_features, dtype=np.float64, n=180):
    """Two groups, and weights of which some are 0."""
    rng = np.random.default_rng(n_features)
    X = np.concatenate([rng.normal(mean, 1, (n // 2, n_features)) for mean in (0, 5)])
    weights = rng.uniform(0, 3, n)
    weights[::17] = 0
    return X.astype(dtype), weights


def make_integers(dtype=np.int16):
    rng = np.random.default_rng(5)
    return np.concatenate([rng.normal(m, 9, 200) for m in (20, 90)]).round().astype(dtype)[:, np.newaxis]


def assert_same_model(ours, judge):
    rtol, atol = TOLERANCES["cuda_fit"] if ours.means_.dtype == np.float64 else TOLERANCES["cuda_fit_float32"]
    assert ours.n_iter_ == judge.n_iter_
    assert ours.backend_ == "cuda"
    for name in FITTED:
        assert type(getattr(ours, name)) is type(getattr(judge, name)) is np.ndarray
        assert getattr(ours, name).dtype == getattr(judge, name).dtype
        np.testing.assert_allclose(getattr(ours, name), getattr(judge, name), rtol=rtol, atol=atol)
    np.testing.assert_allclose(ours.lower_bounds_, judge.lower_bounds_, rtol=rtol, atol=atol)
