"""The k-means start: its kernels against the definition, its labels against scikit-learn, its memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans, kmeans_plusplus
from tolerances import TOLERANCES

from fastgmm.backends import get_backend
from fastgmm.mixture._kmeans import kmeans_labels, kmeans_seeds
from fastgmm.mixture._rows import ArrayRows


def make_rows(seed):
    """Continuous values, so that no two centres are equally near but for rounding."""
    rng = np.random.default_rng(seed)
    n, d, n_clusters = int(rng.integers(20, 3000)), int(rng.choice([1, 2, 3, 8, 20])), int(rng.integers(1, 12))
    X = rng.normal(size=(n, d)) * 2 + rng.integers(0, 4, size=(n, 1)) * rng.normal(size=d) * 3 + 10
    X = X.astype(np.float32) if seed % 5 == 2 else X
    return X, rng.uniform(0.2, 3, n) if seed % 3 == 0 else None, n_clusters


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(12))
def test_labels_and_random_numbers_are_scikit_learns(backend, seed):
    X, weights, n_clusters = make_rows(seed)
    ours, judge = np.random.RandomState(seed), np.random.RandomState(seed)
    rows = ArrayRows(X, weights, get_backend(backend), 2)
    labels, n_distinct = kmeans_labels(rows, n_clusters, ours)
    expected = KMeans(n_clusters, n_init=1, random_state=judge).fit(X, sample_weight=weights).labels_
    np.testing.assert_array_equal(labels, expected)
    assert n_distinct == np.unique(expected).size
    assert ours.randint(1 << 30) == judge.randint(1 << 30)


@pytest.mark.parametrize("seed", range(6))
def test_seeds_are_scikit_learns(backend, seed):
    X, weights, n_clusters = make_rows(seed)
    rows = ArrayRows(X, weights, get_backend(backend), 2)
    seeds = kmeans_seeds(rows, np.zeros(X.shape[1]), n_clusters, np.random.RandomState(seed))
    judge = kmeans_plusplus(X, n_clusters, sample_weight=weights, random_state=np.random.RandomState(seed))[1]
    np.testing.assert_array_equal(seeds, judge)


@pytest.mark.parametrize("shape", [(1, 1, 1), (700, 3, 5), (1500, 1, 9), (300, 40, 3)], ids=str)
def test_passes_equal_the_definition(backend, shape):
    n, d, n_centres = shape
    rng = np.random.default_rng(n)
    X, weights, origin = rng.normal(size=(n, d)), rng.uniform(0, 2, n), rng.normal(size=d)
    centres, labels, closest = rng.normal(size=(n_centres, d)), np.full(n, -1, np.int32), rng.uniform(0, 9, n)
    distances = ((X[:, np.newaxis] - origin - centres) ** 2).sum(axis=2)
    kernels, (rtol, atol) = get_backend(backend), TOLERANCES["reference"]
    found = kernels.kmeans_step(X, weights, origin, centres, labels, 2)
    members = np.eye(n_centres)[distances.argmin(axis=1)] * weights[:, np.newaxis]
    assert found.n_changed == n
    np.testing.assert_array_equal(labels, distances.argmin(axis=1))
    np.testing.assert_allclose(found.mass, members.sum(axis=0), rtol=rtol, atol=atol)
    np.testing.assert_allclose(found.first, members.T @ (X - origin), rtol=rtol, atol=atol * n)
    potentials = kernels.kmeans_potentials(X, weights, origin, centres, closest, 2)
    nearer = np.minimum(closest[:, np.newaxis], distances)
    np.testing.assert_allclose(potentials, weights @ nearer, rtol=rtol)
    sums = kernels.kmeans_approach(X, weights, origin, centres[0], closest, 2)
    np.testing.assert_allclose(closest, nearer[:, 0], rtol=rtol, atol=atol)
    np.testing.assert_allclose(sums, np.add.reduceat(weights * closest, np.arange(0, n, 256)), rtol=rtol, atol=atol)


def test_a_start_has_the_same_bits_for_any_threads(simd):
    X = np.random.default_rng(3).normal(size=(30_000, 4))
    weights, centres, origin = np.ones(30_000), X[:5].copy(), np.zeros(4)
    results = []
    for n_jobs in (1, 2, 3):
        labels, closest = np.zeros(30_000, np.int32), np.full(30_000, np.inf)
        kernels = get_backend("cpp")
        step = kernels.kmeans_step(X, weights, origin, centres, labels, n_jobs)
        sums = kernels.kmeans_approach(X, None, origin, centres[0], closest, n_jobs)
        potentials = kernels.kmeans_potentials(X, None, origin, centres, closest, n_jobs)
        moments = kernels.em_label_moments(X, weights, labels, centres, "full", n_jobs)
        parts = (step.mass, step.first, labels, sums, potentials, *moments[1:])
        results.append([np.asarray(part).tobytes() for part in parts])
    assert results[0] == results[1] == results[2]


PROGRAM = """
import re, warnings
from pathlib import Path
import numpy as np
from fastgmm import FastGMM
warnings.simplefilter("ignore")
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
n, d = {n}, {d}
X, labels = np.random.default_rng(0).random((n, d)), np.full(n, -1)
means = np.random.default_rng(1).random((4, d))
given = dict(weights_init=[.25] * 4, means_init=means, precisions_init=np.repeat(np.eye(d)[None] * 9, 4, axis=0))
FastGMM(4, max_iter=2, random_state=0).fit(X[:2000]).predict(X[:2000])
before = peak()
FastGMM(4, max_iter=2, random_state=0, tol=0, n_jobs=2, **({start})).fit(X).predict(X, out=labels)
print(peak() - before)
"""


def memory_added(n, d, start):
    """Growth of the peak of a fresh process by fit and predict, rows and labels there before."""
    text = PROGRAM.format(n=n, d=d, start=start)
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
@pytest.mark.parametrize(("n", "d"), [(10_000_000, 1), (2_000_000, 5)])
def test_memory_does_not_grow_with_the_rows(n, d):
    assert memory_added(n, d, "given") < 64e6
    # The start takes 8 bytes a row; that these are seen shows that growth would be.
    assert 7 * n < memory_added(n, d, "{}") < 24 * n + 64e6
