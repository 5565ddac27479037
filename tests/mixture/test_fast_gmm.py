"""FastGMM on floats: scikit-learn's answers, and what goes beyond them."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture
from tolerances import TOLERANCES

from fastgmm import FastGMM, Histogram

TYPES = ("full", "tied", "diag", "spherical")
STARTS = ("kmeans", "random", "random_from_data", "k-means++")
FITTED = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "lower_bounds_")


def blobs(d, n=300, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.normal(m, s, size=(n, d)) for m, s in ((0, 1), (4, 2), (-5, 0.5))])
    return rng.permutation(X).astype(dtype)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_same_seed_same_fit_as_scikit_learn(backend, d, covariance_type, init_params):
    X = blobs(d)
    for seed in range(2):
        settings = {"covariance_type": covariance_type, "init_params": init_params, "random_state": seed, "tol": 1e-4}
        judge, ours = GaussianMixture(3, **settings).fit(X), FastGMM(3, backend=backend, **settings).fit(X)
        assert ours.n_iter_ == judge.n_iter_
        assert ours.converged_ == judge.converged_
        single_rows = covariance_type in ("diag", "spherical") and init_params in ("random_from_data", "k-means++")
        rtol, atol = TOLERANCES["sklearn_single_rows" if single_rows else "sklearn"]
        for name in FITTED:
            np.testing.assert_allclose(getattr(ours, name), getattr(judge, name), rtol=rtol, atol=atol, err_msg=name)
        np.testing.assert_array_equal(ours.predict(X), judge.predict(X))
        np.testing.assert_allclose(ours.predict_proba(X), judge.predict_proba(X), rtol=1e-7, atol=1e-9)
        for method in ("score", "bic", "aic"):
            assert getattr(ours, method)(X) == pytest.approx(getattr(judge, method)(X), rel=1e-9)
        for a, b in zip(ours.sample(20), judge.sample(20), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_float32_is_kept_and_summed_in_float64(covariance_type):
    X = blobs(2, dtype=np.float32)
    ours = FastGMM(3, covariance_type=covariance_type, random_state=0).fit(X)
    judge = FastGMM(3, covariance_type=covariance_type, random_state=0).fit(X.astype(np.float64))
    for name in FITTED[:-1]:
        assert getattr(ours, name).dtype == np.float32
        np.testing.assert_allclose(getattr(ours, name), getattr(judge, name), rtol=1e-5, atol=1e-6)
    assert ours.score_samples(X).dtype == ours.predict_proba(X).dtype == np.float32


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical", "tied", "tied_diag", "tied_spherical"])
def test_variance_is_right_far_from_zero_in_float32(covariance_type):
    X = np.random.default_rng(0).normal(-1000, 3, (20_000, 1)).astype(np.float32)
    fitted = float(np.ravel(FastGMM(1, covariance_type=covariance_type, reg_covar=0.0).fit(X).covariances_)[0])
    assert fitted == pytest.approx(X.astype(np.float64).var(), rel=1e-5)


@pytest.mark.parametrize("covariance_type", ["tied_diag", "tied_spherical"])
def test_pooled_types_equal_the_average_of_their_free_ones_for_one_component(covariance_type):
    X = blobs(3)
    pooled = FastGMM(1, covariance_type=covariance_type).fit(X)
    expected = X.var(axis=0) if covariance_type == "tied_diag" else X.var(axis=0).mean()
    np.testing.assert_allclose(pooled.covariances_, expected + 1e-6, rtol=1e-9)
    assert pooled._n_parameters() == {"tied_diag": 6, "tied_spherical": 4}[covariance_type]


@pytest.mark.parametrize("covariance_type", ["tied_diag", "tied_spherical"])
def test_pooled_types_climb_to_a_tied_likelihood(covariance_type):
    X = blobs(2)
    model = FastGMM(3, covariance_type=covariance_type, random_state=0, tol=1e-6, max_iter=500).fit(X)
    assert np.all(np.diff(model.lower_bounds_) > -1e-12)
    shape = {"tied_diag": (2,), "tied_spherical": ()}[covariance_type]
    assert model.covariances_.shape == shape
    matrix = np.diag(np.broadcast_to(model.covariances_, 2))
    judge = FastGMM.from_parameters(model.weights_, model.means_, matrix, "tied")
    np.testing.assert_allclose(model.score_samples(X), judge.score_samples(X), rtol=1e-10)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical", "tied", "tied_diag", "tied_spherical"])
@pytest.mark.parametrize("d", [1, 3])
def test_weights_are_frequencies(d, covariance_type):
    X, rng = blobs(d, n=60), np.random.default_rng(1)
    weights = rng.integers(0, 4, len(X))
    start = {"means_init": X[:3], "weights_init": [0.3, 0.3, 0.4], "random_state": 0, "max_iter": 200}
    start["init_params"] = "optimal"
    ours = FastGMM(3, covariance_type=covariance_type, **start).fit(X, sample_weight=weights)
    repeated = np.repeat(X, weights, axis=0)
    judge = FastGMM(3, covariance_type=covariance_type, **start).fit(repeated)
    for name in FITTED:
        np.testing.assert_allclose(getattr(ours, name), getattr(judge, name), rtol=1e-9, atol=1e-9)
    for method in ("score", "bic", "aic"):
        assert getattr(ours, method)(X, sample_weight=weights) == pytest.approx(getattr(judge, method)(repeated))


def test_too_little_weight_is_refused():
    X = np.arange(4.0)[:, np.newaxis]
    FastGMM(3, init_params="optimal").fit(X[:2], sample_weight=[2, 2])
    with pytest.raises(ValueError, match="got n_components = 3, n_samples = 2"):
        FastGMM(3).fit(X, sample_weight=[1, 1, 0, 0])
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        FastGMM(1).fit(X, sample_weight=[1, 1, 1, -1])


@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_same_bits_for_any_number_of_threads(covariance_type):
    X = blobs(3, n=5000)
    fits = [
        FastGMM(3, covariance_type=covariance_type, init_params="random", random_state=0, n_init=3, n_jobs=n).fit(X)
        for n in (1, 2, 3)
    ]
    for other in fits[1:]:
        assert other.means_.tobytes() == fits[0].means_.tobytes()
        assert other.covariances_.tobytes() == fits[0].covariances_.tobytes()
        assert other.lower_bounds_ == fits[0].lower_bounds_
        assert other.starts_ == fits[0].starts_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_start_is_reported_and_the_best_is_taken():
    X = blobs(2)
    model = FastGMM(4, n_init=5, init_params="random_from_data", random_state=0, max_iter=20).fit(X)
    assert len(model.starts_) == 5
    best = max(model.starts_, key=lambda start: start.log_likelihood)
    assert (model.lower_bound_, model.n_iter_, model.converged_) == best
    judge = GaussianMixture(4, n_init=5, init_params="random_from_data", random_state=0, max_iter=20).fit(X)
    assert model.lower_bound_ == pytest.approx(judge.lower_bound_, rel=1e-9)


def test_optimal_start_needs_no_seed_and_no_row_order():
    X = blobs(2)
    one, other = (FastGMM(3, init_params="optimal", tol=1e-8).fit(rows) for rows in (X, X[::-1]))
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-9)
    judge = FastGMM(3, n_init=5, random_state=0, tol=1e-8).fit(X)
    assert one.lower_bound_ == pytest.approx(judge.lower_bound_, rel=1e-6)


def test_no_iterations_keep_the_start():
    X = blobs(2)
    judge, ours = (kind(3, max_iter=0, random_state=0).fit(X) for kind in (GaussianMixture, FastGMM))
    np.testing.assert_allclose(ours.means_, judge.means_, rtol=1e-12)
    assert (ours.n_iter_, ours.converged_, ours.lower_bounds_) == (0, False, [])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_warm_start_goes_on_where_it_stopped():
    X = blobs(2)
    whole = FastGMM(3, init_params="random", random_state=0, tol=1e-5, max_iter=300).fit(X)
    parts = FastGMM(3, init_params="random", random_state=0, tol=1e-5, max_iter=1, warm_start=True)
    for _ in range(whole.n_iter_):
        parts.fit(X)
    assert parts.converged_
    np.testing.assert_allclose(parts.means_, whole.means_, rtol=1e-10)


def test_sorted_and_files_keep_the_mixture(tmp_path):
    X = blobs(2)
    for covariance_type in ("full", "tied", "diag", "spherical", "tied_diag", "tied_spherical"):
        model = FastGMM(3, covariance_type=covariance_type, random_state=0).fit(X)
        rising = model.sorted()
        assert np.all(np.diff(rising.means_[:, 0]) > 0)
        np.testing.assert_allclose(rising.score_samples(X), model.score_samples(X), rtol=1e-12)
        assert np.all(np.diff(model.sorted(by="weight").weights_) >= 0)
        model.to_json(tmp_path / "model.json")
        read = FastGMM.from_json(tmp_path / "model.json")
        for name in (*FITTED, "n_iter_", "lower_bound_", "n_features_in_"):
            np.testing.assert_array_equal(getattr(read, name), getattr(model, name))
        assert read.get_params() == model.get_params()
        np.testing.assert_array_equal(read.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="by must be 'mean' or 'weight', got 'size'"):
        model.sorted(by="size")


def test_files_that_are_not_models_are_refused(tmp_path):
    path = tmp_path / "model.json"
    path.write_text('{"schema": "fastgmm-mixture-99"}')
    with pytest.raises(ValueError, match=r"model.json: expected schema 'fastgmm-mixture-1', got 'fastgmm-mixture-99'"):
        FastGMM.from_json(path)
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"model.json: expected a JSON file written by FastGMM.to_json"):
        FastGMM.from_json(path)


def test_from_parameters_checks_what_it_gets():
    with pytest.raises(ValueError, match=r"covariances must have shape \(2, 1, 1\) for 'full', got \(3,\)"):
        FastGMM.from_parameters([0.5, 0.5], [0, 1], [1, 1, 1])
    with pytest.raises(ValueError, match=r"^covariances must be positive.*Component 1 with mass 0.5"):
        FastGMM.from_parameters([0.5, 0.5], [[0, 0], [1, 1]], [np.eye(2), [[1, 2], [2, 1]]])
    with pytest.raises(ValueError, match=r"^covariances must be positive.*Component 0 with mass 0.5 has variance"):
        FastGMM.from_parameters([0.5, 0.5], [[0, 0], [1, 1]], [[0, 1], [1, 1]], "diag")


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("rows_dtype", [np.float64, np.float32, np.int16, np.uint64])
@pytest.mark.parametrize("d", [1, 2])
def test_predict_writes_where_it_is_told(backend, dtype, rows_dtype, d):
    X = (blobs(d) * 5 + 100).astype(rows_dtype)
    model, out = FastGMM(2, init_params="optimal", max_iter=500, backend=backend).fit(X), np.empty(len(X), dtype)
    assert model.predict(X, out=out) is out
    np.testing.assert_array_equal(out, model.predict(X))
    np.testing.assert_array_equal(out, model.predict(X.astype(np.float64)))


@pytest.mark.parametrize(
    ("out", "text"),
    [
        (
            np.empty(9, np.int64),
            r"out must be a contiguous array of integers of shape \(900,\), got int64 of shape \(9,\)",
        ),
        (np.empty(900), r"got float64 of shape \(900,\)"),
        (np.empty(900, bool), "got bool of shape"),
        (np.empty(1800, np.int64)[::2], "must be a contiguous array"),
        (np.empty(900, ">i8"), "got >i8 of shape"),
        ([0] * 900, "got list"),
    ],
)
def test_predict_refuses_an_out_that_does_not_fit(out, text):
    X = blobs(2)
    with pytest.raises(ValueError, match=text):
        FastGMM(2, random_state=0).fit(X).predict(X, out=out)


def test_predict_refuses_an_out_that_is_too_narrow_or_is_the_rows():
    X = np.arange(-900, 900, dtype=np.int16)[:, None]
    many = FastGMM.from_parameters(np.full(129, 1 / 129), np.arange(129.0), np.ones(129))
    with pytest.raises(ValueError, match=r"out must hold labels 0..128, got int8; give one of a wider dtype"):
        many.predict(X, out=np.empty(len(X), np.int8))
    np.testing.assert_array_equal(many.predict(X, out=np.empty(len(X), np.uint8)), many.predict(X.astype(float)))
    with pytest.raises(ValueError, match="shares memory with X"):
        many.predict(X, out=X[:, 0])


def test_more_labels_than_a_byte_holds():
    X = np.arange(-900, 900, dtype=np.int16)[:, None]
    many = FastGMM.from_parameters(np.full(400, 1 / 400), 2.0 * np.arange(400), np.ones(400))
    np.testing.assert_array_equal(many.predict(X), many.predict(X.astype(float)))


@pytest.mark.parametrize("far", [[], [5000], [-30000, 31000], [2**31 - 1]])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_integers_far_from_most_others_are_labelled_right(dtype, far):
    """More rows than are sampled for a guess of the span, and a few where no sample sees them."""
    if far and far[-1] > np.iinfo(dtype).max:
        far = [32767]
    X = np.random.default_rng(0).integers(-50, 60, 100_000).astype(dtype)
    X[[77_777 + i for i in range(len(far))]] = far
    model = FastGMM.from_parameters([0.4, 0.3, 0.3], [-40, 0, 9], [20, 1, 900])
    out = np.empty(len(X), np.uint8)
    np.testing.assert_array_equal(model.predict(X[:, None], out=out), model.predict(X[:, None].astype(float)))
    np.testing.assert_array_equal(model.predict(X[:, None]), out)
    np.testing.assert_allclose(
        model.score_samples(X[:, None]), model.score_samples(X[:, None].astype(float)), rtol=1e-12
    )
    np.testing.assert_array_equal(model.predict_proba(X[:, None]), model.predict_proba(X[:, None].astype(float)))


def test_counting_equal_rows_changes_nothing():
    X = np.random.default_rng(0).integers(0, 5, (2000, 2))
    start = {"means_init": [[1, 1], [3, 3]], "init_params": "optimal", "tol": 1e-6, "max_iter": 500}
    counted, plain = (FastGMM(2, histogram=h, **start).fit(X) for h in (True, False))
    np.testing.assert_allclose(counted.covariances_, plain.covariances_, rtol=1e-8)


def test_histogram_scores_like_its_values():
    X = np.random.default_rng(0).integers(-5, 9, 500)
    model = FastGMM(2, random_state=0).fit(X[:, np.newaxis])
    assert model.aic(Histogram.from_array(X)) == pytest.approx(model.aic(X[:, np.newaxis].astype(float)))


def test_unknown_settings_are_refused():
    X = blobs(1)
    with pytest.raises(ValueError, match="The 'init_params' parameter of FastGMM must be a str among"):
        FastGMM(init_params="best").fit(X)
    with pytest.raises(ValueError, match="backend must be one of"):
        FastGMM(backend="fortran").fit(X)
    with pytest.raises(ValueError, match="n_samples': 0"):
        FastGMM().fit(X).sample(0)
