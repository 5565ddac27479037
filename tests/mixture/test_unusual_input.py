"""What people do give: integer columns with gaps, frames, other libraries' arrays, wrong files, one-shot streams."""

import json

import numpy as np
import pandas
import polars
import pytest
import sklearn
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV

from fastgmm import FastGMM, Histogram
from fastgmm._threads import n_processors, resolve_n_jobs

TYPES = {
    "full": [np.eye(2), 2 * np.eye(2)],
    "tied": np.eye(2),
    "diag": np.ones((2, 2)),
    "spherical": [1, 1],
    "tied_diag": [1, 2],
    "tied_spherical": 3.0,
}


@pytest.fixture(scope="module", name="X")
def three_blobs():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(m, 1, (100, 2)) for m in (-4, 0, 4)])


# Rows


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_from_end_to_end_of_their_range(dtype):
    ends = np.iinfo(dtype)
    values = np.array([ends.min, ends.min + 1, ends.min + 2, ends.max - 2, ends.max - 1, ends.max], dtype)[:, None]
    model = FastGMM(2, init_params="optimal").fit(values)
    assert model.predict(values).tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(model.means_[:, 0], [ends.min + 1.0, ends.max - 1.0], rtol=1e-12)
    np.testing.assert_allclose(model.score_samples(values), model.score_samples(values.astype(float)), rtol=1e-12)


def test_booleans_and_other_byte_orders_equal_their_floats(X):
    flags = X > 0
    ours, judge = (kind(2, random_state=0).fit(flags) for kind in (FastGMM, GaussianMixture))
    np.testing.assert_allclose(ours.means_, judge.means_, atol=1e-12)
    swapped = FastGMM(3, random_state=0).fit(X.astype(">f8"))
    np.testing.assert_array_equal(swapped.means_, FastGMM(3, random_state=0).fit(X).means_)
    column = np.arange(300)[:, None] % 40
    swapped = FastGMM(2, init_params="optimal").fit(column.astype(">i2"))
    np.testing.assert_array_equal(swapped.means_, FastGMM(2, init_params="optimal").fit(column).means_)


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame({"a": pandas.array([1, 2, None, 50, 52], "Int64")}),
        polars.DataFrame({"a": [1, 2, None, 50, 52]}),
    ],
    ids=["pandas", "polars"],
)
def test_integer_columns_with_gaps_are_missing_values(frame):
    with pytest.raises(ValueError, match="Input X contains NaN"):
        FastGMM(1).fit(frame)
    model = FastGMM(2, covariance_type="diag", allow_nan=True, init_params="optimal").fit(frame)
    np.testing.assert_allclose(np.sort(model.means_[:, 0]), [1.5, 51], atol=1e-3)
    assert len(set(model.predict(frame)[[0, 1]])) == 1


def test_criteria_of_a_frame_keep_its_names_and_check_its_width(X):
    frame = pandas.DataFrame(X, columns=["a", "b"])
    named, plain = FastGMM(3, random_state=0).fit(frame), FastGMM(3, random_state=0).fit(X)
    assert named.icl(frame) == plain.icl(X.tolist())
    one = FastGMM(2, random_state=0, tol=1e-9, max_iter=1000).fit(frame[["a"]])
    assert one.standard_errors(frame[["a"]]).means.shape == (2,)
    with pytest.raises(ValueError, match="Feature names unseen at fit time:\n- b"):
        one.standard_errors(frame)
    with pytest.raises(ValueError, match="X has 2 features, but FastGMM is expecting 1 features"):
        FastGMM(1).fit(X[:, :1]).standard_errors(X)
    one.fit_histogram(Histogram.from_array([1, 2, 50, 51]))
    assert not hasattr(one, "feature_names_in_")


def test_a_histogram_is_scored_without_weights_and_never_predicted():
    counts = Histogram.from_array([1, 2, 3, 50, 51])
    model = FastGMM(2, init_params="optimal").fit_histogram(counts)
    with pytest.raises(ValueError, match="sample_weight must be None for a Histogram"):
        model.score(counts, sample_weight=[1, 1, 1, 0, 0])
    with pytest.raises(TypeError, match=r"got a Histogram; give its values as rows: histogram.values\[:, None\]"):
        model.predict(counts)
    with pytest.raises(ValueError, match=r"a Histogram must have values.*Histogram\(0 values"):
        model.score(Histogram([], []))
    with pytest.raises(ValueError, match=r"counts must add up to at most 2\^63 - 1"):
        Histogram([1], [2**62]) + Histogram([1], [2**62])


def test_out_must_be_writeable(X):
    locked = np.empty(300, np.int64)
    locked.flags.writeable = False
    with pytest.raises(ValueError, match=r"got int64 of shape \(300,\), not writeable"):
        FastGMM(2, random_state=0).fit(X).predict(X, out=locked)


def test_floats_that_are_counted_have_no_step_to_collapse_to():
    FastGMM(2, init_params="optimal", histogram=True).fit([[0], [0.1], [0.15], [7.3], [8.8]])  # warnings are errors


# scikit-learn's ways


@pytest.mark.parametrize("init_params", ["random_from_data", "random"])
def test_without_iterations_the_last_start_is_kept(X, init_params):
    settings = {"max_iter": 0, "n_init": 3, "random_state": 0, "init_params": init_params}
    ours, judge = (kind(3, **settings).fit(X) for kind in (FastGMM, GaussianMixture))
    np.testing.assert_allclose(ours.means_, judge.means_, rtol=1e-9, atol=1e-9)


def test_too_few_rows_are_noticed_before_wrong_starts(X):
    for kind in (FastGMM, GaussianMixture):
        with pytest.raises(ValueError, match="got n_components = 5, n_samples = 3"):
            kind(5, weights_init=[1, 2]).fit(X[:3])


def test_warm_start_goes_on_from_parameters_that_fit(X):
    model = FastGMM(2, warm_start=True, random_state=0).fit(X)
    for change in ({"n_components": 3}, {"covariance_type": "diag"}):
        other = FastGMM(2, warm_start=True, random_state=0).fit(X).set_params(**change)
        with pytest.raises(ValueError, match=r"warm_start=True goes on from .*; set warm_start=False to begin anew"):
            other.fit(X)
    with pytest.raises(ValueError, match=r"means of shape \(2, 1\)"):
        model.fit(X[:, :1])


def threads_of_a_fit(model, X, y=None):
    return float(resolve_n_jobs(model.n_jobs))


@pytest.mark.parametrize("parallel", ["loky", "threading"])
def test_a_parallel_search_does_not_oversubscribe(X, parallel):
    import joblib

    search = GridSearchCV(FastGMM(), {"n_components": [1, 2]}, scoring=threads_of_a_fit, n_jobs=-1, refit=False)
    with joblib.parallel_config(parallel):
        search.fit(X)
    most = search.cv_results_["mean_test_score"].max()
    assert most * n_processors() <= max(n_processors(), 1)


def test_pytorch_tensors_under_array_api_dispatch(X, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    settings = {"init_params": "random", "random_state": 0, "max_iter": 300}
    judge = FastGMM(3, **settings).fit(X)
    with sklearn.config_context(array_api_dispatch=True):
        tensor = torch.asarray(X)
        model = FastGMM(3, **settings).fit(tensor)
        assert isinstance(model.means_, torch.Tensor)
        assert isinstance(model.predict(tensor), torch.Tensor)
        np.testing.assert_array_equal(model.means_.numpy(), judge.means_)
        assert model.icl(tensor) == judge.icl(X)
        assert isinstance(model.sorted().sample(3)[0], torch.Tensor)


# Streams


def test_a_function_that_gives_the_same_iterator_twice_is_noticed(X):
    shared = iter([X[:100], X[100:]])
    with pytest.raises(TypeError, match="a function that returns a new iterator each time it is called"):
        FastGMM(2).fit_stream(lambda: shared)
    column = np.arange(300, dtype=np.int16)[:, None]
    once = iter([column[:100], column[100:]])  # counts need one pass only
    assert FastGMM(1).fit_stream(lambda: once).means_.item() == column.mean()


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([np.zeros(3)], r"every chunk must be a 2-D array of shape \(rows, features\), got one of shape \(3,\)"),
        (np.zeros((3, 2)), r"2-D array of shape \(rows, features\), got one of shape \(2,\)"),
        ("rows.npy", "chunks must be an iterable of arrays or a function that returns one, got str"),
        (pandas.DataFrame({"a": [1.0]}), "got DataFrame"),
        (lambda: None, "got a function that returned NoneType"),
    ],
)
def test_what_is_no_stream_of_rows_is_refused(chunks, text):
    with pytest.raises((TypeError, ValueError), match=text):
        FastGMM(1).fit_stream(chunks)


def test_chunks_keep_their_names_and_the_wider_type(X):
    frame = pandas.DataFrame(X, columns=["a", "b"])
    with pytest.raises(ValueError, match=r"must have the features \['a', 'b'\] as the first one, got \['b', 'a'\]"):
        FastGMM(1).fit_stream([frame, frame[["b", "a"]]])
    assert FastGMM(1).fit_stream([X[:9].astype(np.float32), X]).means_.dtype == np.float64
    assert FastGMM(1).fit_stream([X.astype(np.float32)] * 2).means_.dtype == np.float32


# Parameters and files


@pytest.mark.parametrize("covariance_type", TYPES)
def test_given_parameters_survive_a_strict_json_file(covariance_type, tmp_path, X):
    model = FastGMM.from_parameters(
        [0.4, 0.6], [[0, 0], [5, 5]], TYPES[covariance_type], covariance_type, max_iter=np.int64(7)
    )
    model.to_json(tmp_path / "model.json")
    json.loads((tmp_path / "model.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    read = FastGMM.from_json(tmp_path / "model.json")
    assert (read.max_iter, read.lower_bound_) == (7, -np.inf)
    assert read.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert read.sample(5, random_state=1)[0].tobytes() == model.sample(5, random_state=1)[0].tobytes()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (([1.0], [[0, 0]], [[[1, 0.5], [0, 1]]]), "covariances must be symmetric"),
        (([1.0], [[0, 0]], [[[np.nan, 0], [0, 1]]]), "covariances must be finite, got nan"),
        (([1.0], [np.inf], [1]), "means must be finite, got inf"),
        (([0.5, np.nan], [0, 1], [1, 1]), "weights must be finite, got nan"),
        (([0.5, 0.5], [0, 1], [1, -1], "diag"), "^covariances must be positive .*got: Component 1 .*variance .-1"),
        (([1.0], [[0, 0]], [[1, 2], [2, 1]], "tied"), "^covariances must be positive .*got: The tied covariance has"),
        (([1.0], [0], [1], "round"), "covariance_type must be one of .* got 'round'"),
    ],
)
def test_parameters_that_are_no_mixture_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        FastGMM.from_parameters(*arguments)


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c.pop("params"),
        lambda c: c["params"].update(unknown=1),
        lambda c: c["params"].update(covariance_type="round"),
        lambda c: c["arrays"].update(means_=[[1], [2]]),
        lambda c: c["arrays"].update(means_=[[1], [2, 3]]),
        lambda c: c["arrays"].update(weights_=[float("nan"), 1]),
        lambda c: c.update(dtype="object"),
        lambda c: c["numbers"].pop("n_iter_"),
    ],
)
def test_damaged_files_are_named(damage, tmp_path, X):
    path = tmp_path / "model.json"
    FastGMM(2, random_state=0).fit(X).to_json(path)
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"model.json: expected a JSON file written by FastGMM.to_json, got"):
        FastGMM.from_json(path)
