"""Rows of any layout, byte order and distance from zero, weights of any unit, and what is no number at all."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from fastgmm import FastGMM

TYPES = ("full", "tied", "diag", "spherical", "tied_diag", "tied_spherical")


@pytest.fixture(scope="module", name="X")
def three_blobs():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(m, 1, (100, 2)) for m in (-4, 0, 4)])


@pytest.mark.parametrize("rows", [np.array([["1"], ["2"]]), [["1"], ["2"]], np.array([[b"1"], [b"2"]])])
def test_texts_are_fitted_and_not_predicted_as_in_scikit_learn(rows):
    for model in (FastGMM(), GaussianMixture()):
        assert model.fit(rows).means_.item() == pytest.approx(1.5)
        with pytest.raises(ValueError, match="'numeric' is not compatible with arrays of bytes/strings"):
            model.predict(rows)


def test_dates_are_no_numbers():
    with pytest.raises(ValueError, match=r"X must be numbers, got datetime64\[s\]; convert dates and times"):
        FastGMM().fit(np.arange(9).astype("M8[s]")[:, None])


@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1e-3, 1e300, 1.7e308])
@pytest.mark.parametrize("dtype", [np.float64, np.int16])
def test_the_unit_of_the_weights_does_not_matter(X, unit, dtype):
    rows, weights = (X * 50).astype(dtype)[:, :1], np.arange(1, 301) % 4 / 3
    settings = {"n_components": 2, "init_params": "optimal", "tol": 1e-6, "max_iter": 500}
    usual, other = (FastGMM(**settings).fit(rows, sample_weight=w) for w in (weights, weights * unit))
    np.testing.assert_allclose(other.means_, usual.means_, rtol=1e-6)
    np.testing.assert_allclose(other.covariances_, usual.covariances_, rtol=1e-5)
    np.testing.assert_allclose(other.weights_, usual.weights_, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X[::-1, ::-1],
        np.ma.masked_array,
        np.ndarray.tolist,
    ]
    + [lambda X, dtype=dtype: X.astype(dtype) for dtype in (object, np.longdouble)],
    ids=["fortran", "every second", "backwards", "masked", "list", "object", "longdouble"],
)
def test_any_layout_and_type_of_rows_is_fitted_as_by_scikit_learn(X, change):
    rows = change(X)
    ours, judge = (kind(3, random_state=0).fit(rows) for kind in (FastGMM, GaussianMixture))
    np.testing.assert_allclose(ours.means_, judge.means_, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(ours.predict(rows), judge.predict(rows))
    np.testing.assert_allclose(ours.predict_proba(rows), judge.predict_proba(rows), atol=1e-7)


@pytest.mark.parametrize("layout", [lambda a: a[::3], lambda a: a[::-1], lambda a: a.astype(a.dtype.newbyteorder())])
@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64])
def test_integers_of_any_layout_are_labelled_right(layout, dtype):
    values = np.random.default_rng(0).integers(0, 100, 300_000).astype(dtype)
    rows = layout(values)[:, None]
    model = FastGMM.from_parameters([0.3, 0.7], [20, 60], [100, 400])
    np.testing.assert_array_equal(model.predict(rows), model.predict(rows.astype(np.float64)))
    wide = np.stack([values, values], axis=1)[:, :1]
    np.testing.assert_array_equal(model.predict(wide), model.predict(values[:, None].astype(float)))


def test_records_that_are_not_aligned_are_labelled_right():
    records = np.zeros(1000, np.dtype([("flag", "u1"), ("hu", "<i2")]))
    records["hu"] = np.arange(1000) - 500
    model = FastGMM.from_parameters([0.3, 0.7], [-300, 60], [100, 400])
    rows = records["hu"][:, None]
    np.testing.assert_array_equal(model.predict(rows), model.predict(rows.astype(float)))


@pytest.mark.parametrize("offset", [0, 1e8, -1e10])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_rows_far_from_zero_are_fitted_as_near_it(X, offset, covariance_type):
    settings = {"n_components": 3, "covariance_type": covariance_type, "init_params": "optimal", "max_iter": 300}
    near, far = FastGMM(**settings).fit(X), FastGMM(**settings).fit(X + offset)
    np.testing.assert_allclose(far.covariances_, near.covariances_, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(far.predict(X + offset), near.predict(X))
