"""`FastGMM` on CuPy arrays: the fit on the processor is the judge."""

import pickle

import numpy as np
import pytest
from device_fits import FITTED, assert_same_model, make_integers, make_rows
from tolerances import TOLERANCES

from fastgmm import FastGMM
from fastgmm._arrays import is_device_array
from fastgmm.mixture._covariance import COVARIANCE_TYPES
from fastgmm.mixture._fast_gmm import starts

STARTS = ("kmeans", "k-means++", "random", "random_from_data", "optimal")
PER_ROW = ("predict", "predict_proba", "score_samples")

pytestmark = [
    pytest.mark.usefixtures("cuda"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weighted"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_fit_equals_that_of_the_processor(cuda, covariance_type, n_features, dtype, weighted):
    X, weights = make_rows(n_features, dtype)
    weights = weights if weighted else None
    settings = {"covariance_type": covariance_type, "random_state": 0}
    judge = FastGMM(2, **settings).fit(X, sample_weight=weights)
    ours = FastGMM(2, **settings).fit(cuda.asarray(X), sample_weight=None if weights is None else cuda.asarray(weights))
    assert_same_model(ours, judge)


@pytest.mark.parametrize("dtype", [np.float64, np.int16], ids=["rows", "integers"])
def test_rows_and_weights_of_any_layout(cuda, dtype):
    X, weights = make_rows(3)
    X, weights = (np.rint(10 * X).astype(dtype), weights) if dtype == np.int16 else (X, weights)
    gaps = cuda.asarray(np.repeat(weights, 3))[::3]
    judge = FastGMM(2, random_state=0).fit(X, sample_weight=weights)
    for rows in (cuda.asarray(np.asfortranarray(X)), cuda.asarray(np.repeat(X, 2, axis=0))[::2], np.asfortranarray(X)):
        w = gaps if is_device_array(rows) else np.repeat(weights, 3)[::3]
        ours = FastGMM(2, random_state=0, backend="cuda").fit(rows, sample_weight=w)
        assert_same_model(ours, judge)
        np.testing.assert_array_equal(cuda.asnumpy(ours.predict(rows)), judge.predict(X))


@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("n_features", [1, 3])
def test_starts_are_those_of_the_processor(cuda, n_features, init_params):
    X, weights = make_rows(n_features)
    settings = {"init_params": init_params, "random_state": 3, "n_init": 2, "tol": 1e-6, "n_jobs": 2}
    for w in (None, weights):
        judge = FastGMM(3, **settings).fit(X, sample_weight=w)
        ours = FastGMM(3, **settings).fit(cuda.asarray(X), sample_weight=None if w is None else cuda.asarray(w))
        assert_same_model(ours, judge)
        assert [start.n_iter for start in ours.starts_] == [start.n_iter for start in judge.starts_]


@pytest.mark.parametrize("init_params", STARTS)
def test_starts_look_at_some_of_many_rows(cuda, monkeypatch, init_params):
    monkeypatch.setattr(starts, "DEVICE_ROWS", 64)
    X, weights = make_rows(2)
    settings = {"init_params": init_params, "random_state": 3, "max_iter": 30}
    fits = [FastGMM(2, **settings).fit(cuda.asarray(X), sample_weight=cuda.asarray(weights)) for _ in range(2)]
    for name in FITTED:
        assert getattr(fits[0], name).tobytes() == getattr(fits[1], name).tobytes()
    judge = FastGMM(2, means_init=fits[0].means_, weights_init=fits[0].weights_, precisions_init=fits[0].precisions_)
    likelihood = judge.set_params(max_iter=1).fit(X, sample_weight=weights).lower_bound_
    np.testing.assert_allclose(fits[0].lower_bound_, likelihood, atol=1e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32], ids=str)
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_either_side_predicts_for_both(cuda, covariance_type, dtype):
    X = (make_rows(2)[0] * 4).astype(dtype)
    on_device = cuda.asarray(X)
    models = [FastGMM(2, covariance_type=covariance_type, random_state=0).fit(rows) for rows in (X, on_device)]
    # A model that was fitted on a GPU may be used where there is none.
    models.append(pickle.loads(pickle.dumps(models[1])))
    rtol, atol = TOLERANCES["assignment_float32" if dtype == np.float32 else "cuda_fit"]
    for model in models:
        for name in PER_ROW:
            ours, judge = getattr(model, name)(on_device), getattr(model, name)(X)
            assert is_device_array(ours)
            assert type(judge) is np.ndarray
            assert ours.dtype == judge.dtype
            np.testing.assert_allclose(ours.get(), judge, rtol=rtol, atol=atol)


def test_scores_and_criteria(cuda):
    rtol, _ = TOLERANCES["cuda_fit"]
    for X in (make_rows(2)[0], make_integers()):
        weights = np.random.default_rng(0).uniform(0, 2, len(X))
        model, there, w = FastGMM(2, random_state=0).fit(X), cuda.asarray(X), cuda.asarray(weights)
        for name in ("score", "bic", "aic", "entropy", "icl"):
            method = getattr(model, name)
            assert type(method(there)) is float
            np.testing.assert_allclose(method(there), method(X), rtol=rtol, atol=1e-9)
            found, judge = method(there, sample_weight=w), method(X, sample_weight=weights)
            np.testing.assert_allclose(found, judge, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(model.standard_errors(there).means, model.standard_errors(X).means, rtol=rtol)
    chosen = FastGMM(random_state=0).select_components(there, range(1, 4))
    assert chosen.n_components == FastGMM(random_state=0).select_components(X, range(1, 4)).n_components


def test_labels_go_where_they_are_asked_for(cuda):
    for X in (make_rows(2)[0], make_integers()):
        there = cuda.asarray(X)
        model = FastGMM(2, random_state=0)
        labels = model.fit_predict(there)
        out = cuda.full(len(X), -1, np.int64)
        assert model.predict(there, out=out) is out
        np.testing.assert_array_equal(out.get(), labels.get())
        np.testing.assert_array_equal(out.get(), model.predict(X))
        with pytest.raises(TypeError, match="out must be a CuPy array as X is, got a NumPy array"):
            model.predict(there, out=np.empty(len(X), np.int64))
        with pytest.raises(TypeError, match=r"out must be a NumPy array as X is, got a CuPy.*cupy\.asnumpy\(out"):
            model.predict(X, out=out)
        with pytest.raises(ValueError, match="out must be a contiguous int64 array of shape"):
            model.predict(there, out=cuda.empty(len(X), np.int32))


def test_samples_are_numpys_and_those_of_the_seed(cuda):
    model = FastGMM(2, random_state=0).fit(cuda.asarray(make_rows(2)[0]))
    X, y = model.sample(7)
    again = pickle.loads(pickle.dumps(model)).sample(7)
    assert type(X) is type(y) is np.ndarray
    np.testing.assert_array_equal(X, again[0])


def test_numpy_and_cupy_in_one_call_are_refused(cuda):
    X, weights = make_rows(2)
    there, w = cuda.asarray(X), cuda.asarray(weights)
    model = FastGMM(2, random_state=0).fit(X)
    for call in (model.fit, model.fit_predict, model.score, model.bic, model.aic, model.entropy):
        with pytest.raises(TypeError, match=r"sample_weight must be a CuPy array as X is.*cupy\.asarray\(s"):
            call(there, sample_weight=weights)
        with pytest.raises(TypeError, match="sample_weight must be a CuPy array as X is, got list"):
            call(there, sample_weight=weights.tolist())
        with pytest.raises(TypeError, match=r"sample_weight must be a NumPy array.*cupy\.asnumpy\(s.*, or X"):
            call(X, sample_weight=w)
    with pytest.raises(TypeError, match="every chunk must be a CuPy array as the first one is"):
        FastGMM(2).fit_stream([there, X])
    with pytest.raises(TypeError, match=r"'cpp' does not take CuPy arrays; move them with cupy\.asnumpy"):
        FastGMM(2, backend="cpp").fit(there)
    with pytest.raises(TypeError, match=r"got CuPy rows; move them: cupy\.asnumpy"):
        FastGMM(1).fit(there[:, :1]).standard_errors(there[:, :1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X[:, 0], "Expected 2D array, got 1D CuPy array of shape"),
        (lambda X: X[:1], r"Found array with 1 sample\(s\)"),
        (lambda X: X[:, :0], r"Found array with 0 feature\(s\)"),
        (lambda X: X * np.inf, "Input X contains infinity or a value too large"),
        (lambda X: X * np.nan, "Input X contains NaN"),
        (lambda X: X.astype(np.complex128), "Complex data not supported"),
    ],
    ids=["one dimension", "one row", "no feature", "infinity", "NaN", "complex"],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_wrong_rows_are_refused(cuda, change, message):
    X = change(cuda.asarray(make_rows(2)[0]))
    with pytest.raises(ValueError, match=message):
        FastGMM(2).fit(X)


def test_wrong_weights_and_features_are_refused(cuda):
    X, weights = map(cuda.asarray, make_rows(2))
    for wrong, message in (
        (weights[1:], r"sample_weight.shape == \(179,\), expected \(180,\)!"),
        (-weights, "Negative values in data passed to `sample_weight`"),
        (weights * 0, "must contain at least one non-zero number"),
        (weights * np.nan, "Input sample_weight contains NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            FastGMM(2).fit(X, sample_weight=wrong)
    with pytest.raises(ValueError, match="X has 1 features, but FastGMM is expecting 2 features"):
        FastGMM(2).fit(X).predict(X[:, :1])
    large = cuda.asarray(np.full((3, 2), 3e38, np.float32))  # the sum of which float32 does not hold
    assert FastGMM(2).fit(X).predict(large).shape == (3,)


def test_starting_points_may_be_on_either_side(cuda):
    X, _ = make_rows(2)
    given = {"weights_init": np.array([0.4, 0.6]), "means_init": np.array([[0.0, 1], [4, 5]]), "precisions_init": None}
    given["precisions_init"] = np.repeat(np.eye(2)[np.newaxis], 2, axis=0)
    judge = FastGMM(2, **given).fit(X)
    for side in (cuda.asarray, np.asarray):
        ours = FastGMM(2, **{name: side(value) for name, value in given.items()}).fit(cuda.asarray(X))
        assert_same_model(ours, judge)


@pytest.mark.parametrize(
    "options",
    [{"warm_start": True, "max_iter": 3}, {"acceleration": "squarem", "tol": 1e-7}, {"variance_floor": 1e-4}],
    ids=lambda options: next(iter(options)),
)
def test_options_of_the_fit(cuda, options):
    X, weights = make_rows(2)
    models = [FastGMM(2, random_state=0, covariance_type="tied", **options) for _ in range(2)]
    for _ in range(2):
        models[0].fit(X, sample_weight=weights)
        models[1].fit(cuda.asarray(X), sample_weight=cuda.asarray(weights))
        assert_same_model(models[1], models[0])


def test_the_gpu_of_the_rows_is_the_current_one(cuda, monkeypatch):
    if "on the CPU" not in cuda.__version__:
        pytest.skip("takes the place of a method of CuPy's")
    there, weights = map(cuda.asarray, make_rows(2))
    entered = []
    enter = cuda.cuda.Device.__enter__
    monkeypatch.setattr(cuda.cuda.Device, "__enter__", lambda gpu: entered.append(gpu.id) or enter(gpu))
    model = FastGMM(2).fit(there)
    model.predict(there), model.score(there, sample_weight=weights), model.entropy(there)
    assert entered == [0, 0, 0, 0]


def test_a_model_works_where_the_rows_lie(cuda):
    if cuda.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("needs two GPUs")
    for X, weights in (make_rows(2), (make_integers(), np.linspace(0.5, 1.5, len(make_integers())))):
        with cuda.cuda.Device(1):
            there, w = cuda.asarray(X), cuda.asarray(weights)
        judge, model = FastGMM(2, random_state=0).fit(X, None, weights), FastGMM(2, random_state=0)
        assert_same_model(model.fit(there, None, w), judge)
        assert int(model.predict(there).device) == 1
        assert model.score(there, sample_weight=w) == pytest.approx(judge.score(X, sample_weight=weights))
        assert model.bic(there) == pytest.approx(judge.bic(X))
        with pytest.raises(ValueError, match=r"is on GPU 1, but CuPy's current one is GPU 0; .*Device\(1\)"):
            FastGMM(2).fit_stream([there])
        with pytest.raises(ValueError, match="sample_weight must be on GPU 1 as X is, got one on GPU 0"):
            model.fit(there, None, cuda.asarray(weights))
        with pytest.raises(ValueError, match="out must be on GPU 1 as X is, got one on GPU 0"):
            model.predict(there, out=cuda.empty(len(X), np.int64))
