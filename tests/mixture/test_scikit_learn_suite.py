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
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_check_estimator_with_a_random_start():
    expected = {"check_sample_weight_equivalence_on_dense_data": RANDOM_START}
    results = check_estimator(FastGMM(3), expected_failed_checks=expected, on_skip=None, on_fail=None)
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(expected)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


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
