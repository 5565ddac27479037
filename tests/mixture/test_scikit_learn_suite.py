"""scikit-learn's own tests of GaussianMixture, unmodified, run on FastGMM; and its checks of estimators."""

import os
import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from fastgmm import FastGMM, backends

SUITE = ["sklearn.mixture.tests.test_gaussian_mixture", "sklearn.mixture.tests.test_mixture"]
OLD = tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 9)
RANDOM_START = "the random starts draw one number per row, so repeated rows are drawn differently from their weight"


@pytest.mark.slow
@pytest.mark.skipif(OLD, reason="the suite of scikit-learn 1.9 is the one to pass")
def test_scikit_learns_own_tests_pass(backend, tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    switches = {"SKLEARN_RUN_FLOAT32_TESTS": "1", "SCIPY_ARRAY_API": "1", "FASTGMM_BACKEND": backend}
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    options = ["-q", "-p", "rebind_gaussian_mixture", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini")]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--pyargs", *SUITE],
        env={**os.environ, **switches, **paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|xfailed|failed|xpassed)", run.stdout)}
    assert counts.keys() == {"passed", "xfailed"}
    assert counts["passed"] >= 120
    assert counts["xfailed"] == 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("model", [FastGMM(), FastGMM(3, init_params="optimal")], ids=["default", "optimal"])
def test_check_estimator(model):
    results = check_estimator(model, on_skip=None)
    assert len(results) > 45
    assert {r["check_name"] for r in results if "sample_weight" in r["check_name"]} >= {
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weights_shape",
    }
    assert {r["status"] for r in results} <= {"passed", "skipped"}


class OnOneColumn(FastGMM):
    """FastGMM on the first feature of what scikit-learn's checks give it, as floats or rounded to integers."""

    whole_numbers = False

    def _column(self, X):
        column = np.asarray(X)[:, :1]
        return np.round(column * 20).astype(np.int16) if self.whole_numbers else column

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(self._column(X), y, sample_weight)

    def predict(self, X):
        return super().predict(self._column(X))

    def predict_proba(self, X):
        return super().predict_proba(self._column(X))


class OnOneColumnOfIntegers(OnOneColumn):
    """The same on integers, which are counted."""

    whole_numbers = True


@pytest.mark.skipif(OLD, reason="the check is named otherwise before scikit-learn 1.9")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Collapsed to:UserWarning")  # four whole numbers, three components
@pytest.mark.parametrize("kind", [OnOneColumn, OnOneColumnOfIntegers])
@pytest.mark.parametrize("settings", [{}, {"n_components": 3, "init_params": "optimal"}], ids=["default", "optimal"])
def test_scikit_learns_checks_of_weights_pass_on_one_feature(kind, settings):
    checks = [
        estimator_checks.check_sample_weight_equivalence_on_dense_data,
        estimator_checks.check_sample_weights_shape,
    ]
    for check in checks:
        check("FastGMM", kind(**settings))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_check_estimator_with_a_random_start(init_params):
    expected = {"check_sample_weight_equivalence_on_dense_data": RANDOM_START}
    model = FastGMM(3, init_params=init_params)
    results = check_estimator(model, expected_failed_checks=expected, on_skip=None, on_fail=None)
    assert {r["check_name"] for r in results if r["status"] == "xfail"} <= set(expected)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("dtype", [np.float64, np.int16])
@pytest.mark.parametrize("d", [1, 3])
def test_weights_equal_repeated_rows_from_a_given_start(init_params, covariance_type, dtype, d):
    """What the expected failure above leaves out, for the configurations whose own starts are random."""
    rng = np.random.default_rng(d)
    X = np.concatenate([rng.normal(m, s, (40, d)) for m, s in ((-40, 6), (0, 9), (50, 7))]).astype(dtype)
    weights = rng.integers(0, 4, len(X))
    shape = {"full": (3, d, d), "tied": (d, d), "diag": (3, d), "spherical": (3,)}[covariance_type]
    square = covariance_type in ("full", "tied")
    start = {
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": [[-45.0] * d, [5.0] * d, [40.0] * d],
        "precisions_init": np.broadcast_to(np.eye(d) / 90, shape) if square else np.full(shape, 1 / 90),
    }
    model = FastGMM(3, init_params=init_params, covariance_type=covariance_type, max_iter=500, **start)
    repeated = np.repeat(X, weights, axis=0)
    weighted, judge = clone(model).fit(X, sample_weight=weights), clone(model).fit(repeated)
    assert weighted.n_iter_ == judge.n_iter_
    for name in ("weights_", "means_", "covariances_", "lower_bound_"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(judge, name), rtol=1e-9, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(weighted.predict(X), judge.predict(X))
    assert weighted.score(X, sample_weight=weights) == pytest.approx(judge.score(repeated), rel=1e-9)


class PassThrough(TransformerMixin, BaseEstimator):
    """A transformer without metadata."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(m, 1, (100, 2)) for m in (-4, 0, 4)])


def test_pipelines_and_searches(rows):
    search = GridSearchCV(
        make_pipeline(PassThrough(), FastGMM(random_state=0)), {"fastgmm__n_components": [1, 2, 3]}, n_jobs=2
    )
    assert search.fit(rows).best_params_ == {"fastgmm__n_components": 3}


def test_set_output_is_that_of_the_pipeline(rows):
    assert hasattr(FastGMM(), "set_output") == hasattr(GaussianMixture(), "set_output")
    for kind in (GaussianMixture, FastGMM):
        model = make_pipeline(StandardScaler(), kind(3, random_state=0)).set_output(transform="pandas")
        assert model.fit(pandas.DataFrame(rows, columns=["a", "b"]))[-1].feature_names_in_.tolist() == ["a", "b"]


def threads_of_this_process(model, X, y=None):
    """Live threads of the worker after a fit that is large enough for several."""
    model.fit(np.random.default_rng(0).normal(size=(60_000, 3)))
    return float(len(os.listdir("/proc/self/task")))


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="the threads of a process are counted in /proc")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_workers_of_a_search_start_no_threads_beyond_their_share(rows):
    from joblib.externals.loky import get_reusable_executor

    def most_threads(n_jobs):
        get_reusable_executor().shutdown(wait=True)  # fresh workers: threads of a pool live as long as their process
        model = FastGMM(2, max_iter=3, init_params="random_from_data", random_state=0, n_jobs=n_jobs)
        search = GridSearchCV(
            model, {"tol": [1e-3, 1e-4]}, scoring=threads_of_this_process, n_jobs=-1, refit=False, cv=3
        )
        with joblib.parallel_config("loky"):
            search.fit(rows)
        return max(search.cv_results_[f"split{i}_test_score"].max() for i in range(3))

    alone = most_threads(1)
    assert most_threads(4) >= alone + 3  # threads that are asked for are seen
    share = max(joblib.cpu_count() // joblib.effective_n_jobs(-1), 1)
    assert most_threads(None) <= alone + share - 1


def test_clones_and_pickles_and_memory_maps(rows, tmp_path):
    model = FastGMM(3, random_state=0, n_jobs=2, histogram=False)
    assert clone(model).get_params() == model.get_params()
    model.fit(rows)
    joblib.dump(model, tmp_path / "model.joblib")
    read = joblib.load(tmp_path / "model.joblib")
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    np.testing.assert_array_equal(read.predict(mapped), model.predict(rows))
    np.testing.assert_array_equal(clone(model).fit(mapped).means_, model.means_)


def test_frames_keep_their_names(rows):
    frame = pandas.DataFrame(rows, columns=["a", "b"])
    model = FastGMM(3, random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_allclose(model.means_, FastGMM(3, random_state=0).fit(rows).means_, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(polars.DataFrame(frame.to_dict("list"))), model.predict(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"a": "c"}))


@pytest.mark.parametrize("kind", [pandas.DataFrame, polars.DataFrame])
def test_integer_columns_of_frames_are_counted(kind):
    values = np.random.default_rng(0).integers(-5, 5, 300)
    settings = {"n_components": 2, "init_params": "optimal", "max_iter": 500}
    framed, plain = FastGMM(**settings).fit(kind({"hu": values})), FastGMM(**settings).fit(values[:, np.newaxis])
    assert framed.means_.tobytes() == plain.means_.tobytes()
    np.testing.assert_array_equal(framed.predict(kind({"hu": values})), plain.predict(values[:, np.newaxis]))


def test_sparse_rows_are_refused(rows):
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
        FastGMM().fit(scipy.sparse.csr_array(rows))


def test_sample_weight_can_be_routed(rows):
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(PassThrough(), FastGMM(2, random_state=0).set_fit_request(sample_weight=True))
        model.fit(rows, sample_weight=np.ones(len(rows)))
        assert not hasattr(FastGMM, "set_predict_request")


def test_the_backend_is_shown_and_must_exist(rows):
    assert FastGMM(backend="reference").fit(rows).backend_ == "reference"
    assert FastGMM().fit(rows).backend_ in backends.BACKENDS
