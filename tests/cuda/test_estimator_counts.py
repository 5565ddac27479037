"""`FastGMM` and the device: integers counted there, streams, NumPy rows uploaded, and how much moves and is held."""

import numpy as np
import pytest
from device_fits import FITTED, assert_same_model, make_integers, make_rows
from device_traffic import traffic

from fastgmm import FastGMM, Histogram
from fastgmm.backends import get_backend
from fastgmm.mixture._counts import count_column, count_device_column
from fastgmm.mixture._fast_gmm import starts

pytestmark = [
    pytest.mark.usefixtures("cuda"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weighted"])
def test_integers_of_any_type_are_counted(cuda, dtype, weighted):
    column = make_integers(dtype)[:, 0]
    weights = np.random.default_rng(0).uniform(0.1, 2, column.size) if weighted else None
    columns = [column, column[:1], column // 16]
    if np.dtype(dtype).itemsize >= 4:
        columns.append(column * dtype((np.iinfo(dtype).max - 9) // 130))
        columns.append(column + dtype(np.iinfo(dtype).max - 200))
    for values in columns:
        w = None if weights is None else weights[: values.size]
        found = count_device_column(cuda.asarray(values), None if w is None else cuda.asarray(w), get_backend("cuda"))
        judge = count_column(values, w)
        np.testing.assert_array_equal(found[0], judge[0])
        np.testing.assert_allclose(found[1], judge[1], rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "spherical", "tied", "tied_diag"])
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data", "optimal", "random"])
def test_a_fit_of_integers_equals_that_of_the_processor(cuda, covariance_type, init_params):
    X = make_integers()
    settings = {"covariance_type": covariance_type, "init_params": init_params, "random_state": 1, "n_init": 3}
    judge, ours = FastGMM(2, **settings).fit(X), FastGMM(2, **settings).fit(cuda.asarray(X))
    assert_same_model(ours, judge)
    counted = FastGMM(2, backend="cuda", **settings).fit_histogram(Histogram.from_array(X[:, 0]))
    for name in FITTED:
        np.testing.assert_array_equal(getattr(counted, name), getattr(ours, name))


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_fits_of_integers_have_the_bits_of_the_processor(cuda, covariance_type):
    X = make_integers()
    settings = {"covariance_type": covariance_type, "init_params": "optimal", "tol": 1e-6}
    judge = FastGMM(3, backend="cpp", **settings).fit(X)
    for ours in (
        FastGMM(3, **settings).fit(cuda.asarray(X)),
        FastGMM(3, backend="cuda", **settings).fit_histogram(Histogram.from_array(X[:, 0])),
    ):
        assert ours.backend_ == "cuda"
        for name in FITTED:
            assert getattr(ours, name).tobytes() == getattr(judge, name).tobytes()


def test_a_shared_variance_without_a_floor(cuda):
    X = make_integers()
    settings = {"covariance_type": "tied", "reg_covar": 0, "random_state": 1}
    assert_same_model(FastGMM(2, **settings).fit(cuda.asarray(X)), FastGMM(2, **settings).fit(X))


def test_all_starts_of_counted_rows_run_in_one_launch(cuda, monkeypatch):
    launches = []
    kernels = get_backend("cuda")
    batch = kernels.em_histogram_batch
    monkeypatch.setattr(kernels, "em_histogram_batch", lambda b, **s: launches.append(len(b.weights)) or batch(b, **s))
    FastGMM(2, n_init=4, init_params="random_from_data", random_state=0).fit(cuda.asarray(make_integers()))
    assert launches == [4]


@pytest.mark.parametrize("n_features", [1, 2])
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64], ids=lambda dtype: dtype.__name__)
def test_equal_rows_are_counted_on_request(cuda, n_features, dtype):
    X, weights = make_rows(n_features)
    X = X.round().astype(dtype)
    for w in (None, weights):
        settings = {"histogram": True, "random_state": 0}
        judge = FastGMM(2, **settings).fit(X, sample_weight=w)
        ours = FastGMM(2, **settings).fit(cuda.asarray(X), sample_weight=None if w is None else cuda.asarray(w))
        assert_same_model(ours, judge)


@pytest.mark.parametrize("on_device", [False, True], ids=["NumPy", "CuPy"])
@pytest.mark.parametrize("init_params", ["kmeans", "random_from_data", "optimal"])
@pytest.mark.parametrize("n_features", [1, 2])
def test_streams(cuda, n_features, init_params, on_device):
    """Chunks of NumPy are uploaded one at a time where backend="cuda" is asked for."""
    for X in (make_rows(n_features)[0], make_integers()):
        chunks, settings = np.array_split(X, 3), {"init_params": init_params, "random_state": 0}
        judge = FastGMM(2, **settings).fit_stream(chunks)
        given = [cuda.asarray(chunk) for chunk in chunks] if on_device else chunks
        ours = FastGMM(2, backend="auto" if on_device else "cuda", **settings).fit_stream(given)
        assert_same_model(ours, judge)


@pytest.mark.parametrize("X", [make_rows(3)[0], make_integers()], ids=["floats", "integers"])
def test_numpy_rows_are_uploaded_once_where_cuda_is_named(X):
    judge = FastGMM(2, random_state=0).fit(X)
    ours = FastGMM(2, random_state=0, backend="cuda")
    with traffic() as seen:
        ours.fit(X)
    # Integers are counted where they are: only counts go to the device.
    assert sum(size >= X.nbytes // 2 and X.dtype == np.float64 for size in seen.uploads) == (X.dtype == np.float64)
    assert_same_model(ours, judge)
    for name in ("predict", "predict_proba", "score_samples"):
        found = getattr(ours, name)(X)
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, getattr(judge, name)(X), rtol=1e-9, atol=1e-9)
    labels = np.empty(len(X), np.int64)
    assert ours.predict(X, out=labels) is labels
    np.testing.assert_array_equal(labels, judge.predict(X))
    np.testing.assert_allclose(ours.score(X, sample_weight=np.ones(len(X))), judge.score(X))


def test_missing_values_are_refused_and_complete_rows_taken(cuda):
    X, _ = make_rows(2)
    model = FastGMM(2, covariance_type="diag", allow_nan=True, random_state=0).fit(cuda.asarray(X))
    assert model.backend_ == "cuda"
    gaps = X.copy()
    gaps[3, 1] = np.nan
    message = r"missing values \(allow_nan=True\) are for the backends of the processor: give NumPy rows"
    for call in (model.fit, model.predict):
        with pytest.raises(ValueError, match=message):
            call(cuda.asarray(gaps))
    with pytest.raises(ValueError, match=message):
        FastGMM(2, covariance_type="diag", allow_nan=True, backend="cuda").fit(gaps)
    assert model.predict(gaps).shape == (len(gaps),)


def test_names_of_features_are_kept_apart_from_arrays_without(cuda):
    pandas = pytest.importorskip("pandas")
    X, _ = make_rows(2)
    model = FastGMM(2, backend="cuda", random_state=0).fit(pandas.DataFrame(X, columns=["a", "b"]))
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(cuda.asarray(X))
    assert not hasattr(model.fit(cuda.asarray(X)), "feature_names_in_")


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "optimal"])
@pytest.mark.parametrize("kind", ["floats", "integers", "one float column", "weighted integers"])
def test_nothing_of_the_size_of_the_rows_moves(cuda, monkeypatch, kind, init_params):
    """With many rows, whatever moves is bounded by the rows of a start."""
    monkeypatch.setattr(starts, "DEVICE_ROWS", 256)
    n = 20_000
    rng = np.random.default_rng(0)
    d = 2 if kind == "floats" else 1
    X = np.concatenate([rng.normal(mean, 9, (n // 2, d)) for mean in (0, 60)])
    X = X.round().astype(np.int16) if "integers" in kind else X
    there = cuda.asarray(X)
    weights = cuda.asarray(rng.uniform(0.5, 1, n)) if "weighted" in kind else None
    model = FastGMM(2, init_params=init_params, random_state=0, max_iter=3)
    with traffic() as seen:
        model.fit(there, sample_weight=weights)
        model.predict(there), model.predict_proba(there), model.score_samples(there), model.score(there)
    assert seen.largest <= max(256 * 8 * 2, 65536 * 8 * ("integers" in kind))


@pytest.mark.parametrize("covariance_type", ["full", "tied", "tied_spherical"])
def test_memory_does_not_grow_with_rows_times_components(cuda, monkeypatch, covariance_type):
    kernels = get_backend("cuda")
    monkeypatch.setitem(kernels.em_step.__globals__, "_SLAB", 1 << 15)
    monkeypatch.setattr(starts, "DEVICE_ROWS", 1 << 10)
    n, n_components = 30_000, 40
    there = cuda.asarray(np.random.default_rng(0).normal(size=(n, 2)))
    given = np.random.default_rng(1).normal(size=(n_components, 2))
    model = FastGMM(n_components, covariance_type=covariance_type, means_init=given, max_iter=1, random_state=0)
    with traffic() as seen:
        model.fit(there)
        model.predict(there)
    # Two slabs of responsibilities, labels, and small things.
    assert seen.peak < 2 * 4096 * n_components * 8 + 8 * n + (1 << 16) < n * n_components * 8 / 3
