"""What FastGMM adds: streams, acceleration, floors, missing values, criteria and standard errors."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.mixture import GaussianMixture
from tolerances import TOLERANCES

from fastgmm import FastGMM, Histogram

TYPES = ("full", "tied", "diag", "spherical", "tied_diag", "tied_spherical")
FITTED = ("weights_", "means_", "covariances_", "lower_bounds_")


def blobs(d=2, n=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.permutation(np.concatenate([rng.normal(m, s, (n, d)) for m, s in ((0, 1), (5, 2), (-5, 0.5))]))


def assert_same_fit(ours, judge, rtol, atol=0.0):
    for name in FITTED:
        np.testing.assert_allclose(getattr(ours, name), getattr(judge, name), rtol=rtol, atol=atol, err_msg=name)


# Streams


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("init_params", ["random", "random_from_data", "optimal"])
def test_a_stream_equals_the_rows_in_memory(covariance_type, init_params):
    X = blobs(3)
    settings = {"init_params": init_params, "random_state": 0, "covariance_type": covariance_type, "max_iter": 300}
    whole = FastGMM(3, **settings).fit(X)
    chunks = [X[:1], X[1:1], X[1:400], X[400:]]
    rtol, atol = 1e-9, TOLERANCES["reference"][1]
    for source in (chunks, lambda: iter(chunks)):
        streamed = FastGMM(3, **settings).fit_stream(source)
        assert streamed.n_iter_ == whole.n_iter_
        assert_same_fit(streamed, whole, rtol, 100 * atol)


def test_one_step_of_a_stream_equals_one_in_memory_to_1e_12():
    X = blobs(4)
    start = {
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": X[:3],
        "precisions_init": np.repeat(np.eye(4)[None], 3, axis=0),
        "max_iter": 50,
        "tol": 1e-6,
    }
    whole, streamed = FastGMM(3, **start).fit(X), FastGMM(3, **start).fit_stream(np.array_split(X, 7))
    assert streamed.n_iter_ == whole.n_iter_
    assert_same_fit(streamed, whole, *TOLERANCES["reference"])


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++"])
def test_kmeans_starts_of_a_stream_look_at_the_first_chunk(init_params):
    X = blobs(2)
    streamed = FastGMM(3, init_params=init_params, random_state=0, max_iter=0).fit_stream([X[:400], X[400:]])
    assert_same_fit(streamed, FastGMM(3, init_params=init_params, random_state=0, max_iter=0).fit(X[:400]), 1e-12)


def test_a_stream_of_integers_is_counted():
    values = np.random.default_rng(0).integers(-9, 9, (500, 1)).astype(np.int16)
    settings = {"init_params": "optimal", "max_iter": 500}
    streamed = FastGMM(2, **settings).fit_stream([values[:100], values[100:].astype(np.int32)])
    assert streamed.means_.tobytes() == FastGMM(2, **settings).fit(values).means_.tobytes()
    with pytest.raises(TypeError, match="every chunk must be one column of integers as the first one"):
        FastGMM(2).fit_stream([values, values.astype(float)])


def test_streams_that_cannot_be_fitted_are_refused():
    X = blobs(2)
    with pytest.raises(TypeError, match="an iterator or generator can be read only once; give a list"):
        FastGMM(2).fit_stream(iter([X]))
    with pytest.raises(TypeError, match=r"chunks must be an iterable of arrays or a function .* got int"):
        FastGMM(2).fit_stream(3)
    with pytest.raises(ValueError, match="chunks must give at least one array, got none"):
        FastGMM(2).fit_stream([])
    with pytest.raises(ValueError, match="every chunk must have 2 features as the first one, got 1"):
        FastGMM(2).fit_stream([X, X[:, :1]])
    with pytest.raises(ValueError, match="Input chunk contains NaN"):
        FastGMM(2).fit_stream([X, np.full((1, 2), np.nan)])
    passes = iter([[X], [X], [X], [X[:5]]])
    with pytest.raises(ValueError, match=r"the same rows on every pass: the first pass had 900 rows, a later one 5"):
        FastGMM(2, init_params="random", means_init=X[:2]).fit_stream(lambda: next(passes, [X[:5]]))


def test_a_stream_keeps_the_names_of_its_features():
    import pandas

    frame = pandas.DataFrame(blobs(2), columns=["a", "b"])
    model = FastGMM(2, random_state=0).fit_stream([frame[:500], frame[500:]])
    assert model.feature_names_in_.tolist() == ["a", "b"]
    assert model.predict(frame).shape == (900,)


# Collapse


@pytest.mark.parametrize("covariance_type", TYPES)
def test_variance_floor_holds_and_names_the_component(covariance_type):
    X = np.concatenate([np.random.default_rng(0).normal(0, 1, (200, 2)), np.full((50, 2), 9.0)])
    X = np.full((250, 2), 9.0) + [0, 0] if covariance_type.startswith("tied") else X
    X[:5] += np.random.default_rng(1).normal(0, 1e-1, (5, 2))
    floor = 0.05 if not covariance_type.startswith("tied") else 0.999
    model = FastGMM(2, covariance_type=covariance_type, variance_floor=floor, init_params="optimal", max_iter=500)
    who = "the shared variance" if covariance_type.startswith("tied") else r"component 1 \(mass 50, variance"
    with pytest.warns(UserWarning, match=rf"Collapsed to the variance_floor {floor:g} or below: {who}"):
        model.fit(X)
    least = floor * X.var(axis=0)
    matrices = {
        "full": lambda c: c[1],
        "tied": lambda c: c,
        "diag": lambda c: np.diag(c[1]),
        "spherical": lambda c: c[1] * np.eye(2),
        "tied_diag": np.diag,
        "tied_spherical": lambda c: c * np.eye(2),
    }
    least = np.full(2, least.mean()) if "spherical" in covariance_type else least
    scaled = matrices[covariance_type](model.covariances_) / np.sqrt(np.outer(least, least))
    assert np.linalg.eigvalsh(scaled).min() == pytest.approx(1, rel=1e-9)


def test_a_floor_that_nothing_reaches_changes_nothing():
    X = blobs(2)
    floored, free = (FastGMM(3, random_state=0, variance_floor=f).fit(X) for f in (1e-6, None))
    assert_same_fit(floored, free, 1e-12)


def test_counts_with_a_floor(backend):
    values = np.concatenate([np.random.default_rng(0).normal(0, 30, 900).round(), np.full(300, 500)]).astype(np.int16)
    model = FastGMM(2, init_params="optimal", variance_floor=1e-3, backend=backend)
    with pytest.warns(UserWarning, match=r"Collapsed to the variance_floor 0.001 or below: component 1 \(mass 300"):
        model.fit(values[:, np.newaxis])
    assert model.covariances_[1, 0, 0] == pytest.approx(1e-3 * values.var(), rel=1e-9)


def test_integers_that_collapse_to_one_value_are_warned_about():
    values = np.array([0, 0, 0, 70, 80, 90, 100], dtype=np.int16)[:, np.newaxis]
    message = r"Collapsed to 1/12 of the squared step of the values, 8.333 or below: component 0 \(mass 3, variance"
    with pytest.warns(UserWarning, match=message):
        FastGMM(2, init_params="optimal").fit(values)


# Missing values


def marginal_density(model, X):
    """Each row's log density by SciPy's normal distribution, over the features that are there."""
    deviations = np.sqrt(
        np.broadcast_to(np.array(model.covariances_).reshape(len(model.means_), -1), model.means_.shape)
    )
    logs = norm.logpdf(X[:, np.newaxis], model.means_, deviations)
    return np.logaddexp.reduce(np.log(model.weights_) + np.nansum(logs, axis=2), axis=1)


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_missing_values_are_left_out_of_the_likelihood(covariance_type):
    X = blobs(3)
    X[np.random.default_rng(1).random(X.shape) < 0.2] = np.nan
    X[0] = np.nan
    model = FastGMM(3, covariance_type=covariance_type, allow_nan=True, random_state=0, tol=1e-10, max_iter=2000).fit(X)
    assert np.all(np.diff(model.lower_bounds_) > -1e-12)
    np.testing.assert_allclose(model.score_samples(X), marginal_density(model, X), rtol=1e-10, atol=1e-10)
    assert model.predict(X)[0] == np.argmax(model.weights_)
    np.testing.assert_allclose(model.predict_proba(X)[0], model.weights_, rtol=1e-9)
    best = model.score(X)
    for k in range(3):
        for shift in (-1e-2, 1e-2):
            means = model.means_.copy()
            means[k] += shift
            other = FastGMM.from_parameters(model.weights_, means, model.covariances_, covariance_type, allow_nan=True)
            assert other.score(X) < best


def test_nothing_missing_is_the_usual_fit():
    X = blobs(2)
    allowed, usual = (FastGMM(3, covariance_type="diag", allow_nan=a, random_state=0).fit(X) for a in (True, False))
    assert_same_fit(allowed, usual, 0)


@pytest.mark.parametrize("covariance_type", ["tied_diag", "tied_spherical"])
def test_missing_values_with_a_shared_variance(covariance_type):
    X = blobs(2)
    X[::7, 1] = np.nan
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    settings = {"covariance_type": covariance_type, "allow_nan": True, "init_params": "optimal", "max_iter": 500}
    weighted = FastGMM(3, **settings).fit(X, sample_weight=weights)
    repeated = FastGMM(3, **settings).fit(np.repeat(X, weights, axis=0))
    assert_same_fit(weighted, repeated, 1e-8)


def test_missing_values_need_uncorrelated_features():
    X = blobs(2)
    with pytest.raises(ValueError, match=r"allow_nan=True needs a covariance_type without correlations.* got 'full'"):
        FastGMM(2, allow_nan=True).fit(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        FastGMM(2, covariance_type="diag").fit(np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match=r"every feature of X needs a value in .*NaN in column 1; leave"):
        FastGMM(2, covariance_type="diag", allow_nan=True).fit(np.c_[X[:, 0], np.full(len(X), np.nan)])


# Criteria and errors


def test_entropy_and_icl():
    X = blobs(2)
    model = FastGMM(3, random_state=0).fit(X)
    shares = GaussianMixture(3, random_state=0).fit(X).predict_proba(X)
    expected = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)))
    assert model.entropy(X) == pytest.approx(expected, rel=1e-6)
    assert model.icl(X) == pytest.approx(model.bic(X) + 2 * expected, rel=1e-9)
    weights = np.arange(len(X)) % 3
    assert model.entropy(X, weights) == pytest.approx(model.entropy(np.repeat(X, weights, axis=0)), rel=1e-9)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_the_number_of_components_is_found(criterion):
    X = blobs(2)
    best = FastGMM(random_state=0).select_components(X, range(1, 5), criterion)
    assert best.n_components == 3 or criterion == "aic"
    assert [s.n_components for s in best.selection_] == [1, 2, 3, 4]
    for chosen in best.selection_:
        model = FastGMM(chosen.n_components, random_state=0).fit(X)
        assert chosen.value == pytest.approx(getattr(model, criterion)(X))
    assert min(best.selection_, key=lambda s: s.value).n_components == best.n_components


def test_the_number_of_components_of_a_histogram():
    values = np.round(blobs(1, n=2000)[:, 0] * 20).astype(np.int16)
    best = FastGMM(init_params="optimal", max_iter=1000).select_components(Histogram.from_array(values), [1, 2, 3])
    assert best.n_components == 3
    with pytest.raises(ValueError, match="criterion must be 'bic', 'aic' or 'icl', got 'r2'"):
        best.select_components(values[:, None], [1], "r2")
    with pytest.raises(ValueError, match="at least one number of components, got none"):
        best.select_components(values[:, None], [])


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_standard_errors_equal_numerical_second_derivatives(covariance_type):
    X = blobs(1)
    model = FastGMM(2, covariance_type=covariance_type, tol=1e-13, reg_covar=0, max_iter=9000, random_state=0).fit(X)
    errors = model.standard_errors(X)
    point = np.concatenate([model.weights_[:1], model.means_[:, 0], np.ravel(model.covariances_)])

    def log_likelihood(p):
        weights, means, variances = np.array([p[0], 1 - p[0]]), p[1:3], p[3:]
        return np.log(norm.pdf(X, means, np.sqrt(variances)) @ weights).sum()

    steps = 1e-4 * np.maximum(np.abs(point), 0.1)
    hessian = np.empty((5, 5))
    for i in range(5):
        for j in range(5):
            corners = [
                a * b * log_likelihood(point + a * steps * (np.arange(5) == i) + b * steps * (np.arange(5) == j))
                for a in (1, -1)
                for b in (1, -1)
            ]
            hessian[i, j] = sum(corners) / (4 * steps[i] * steps[j])
    expected = np.sqrt(np.diagonal(np.linalg.inv(-hessian)))
    found = np.concatenate([errors.weights[:1], errors.means, errors.variances])
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert errors.weights[0] == pytest.approx(errors.weights[1])


def test_standard_errors_of_one_component_are_the_textbook_ones():
    X = np.random.default_rng(0).normal(3, 2, (500, 1))
    model = FastGMM(1, reg_covar=0).fit(X)
    errors = model.standard_errors(X)
    assert errors.means[0] == pytest.approx(X.std() / np.sqrt(500), rel=1e-9)
    assert errors.variances[0] == pytest.approx(X.var() * np.sqrt(2 / 500), rel=1e-9)


def test_standard_errors_say_when_there_are_none():
    X = blobs(1)
    with pytest.raises(ValueError, match="one feature with a variance per component, got 2 features"):
        FastGMM(2).fit(blobs(2)).standard_errors(blobs(2))
    flat = FastGMM.from_parameters([0.5, 0.5], [0, 0], [1, 1])
    with pytest.raises(ValueError, match="the observed information is not positive definite"):
        flat.standard_errors(X)
