"""The optimal one-dimensional partition and the table of most probable components."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from fastgmm.mixture._starts import optimal_clusters, parameters_of_labels
from fastgmm.mixture._tables import map_table


def sum_of_squares(values, counts, labels):
    total = 0.0
    for k in np.unique(labels):
        inside = labels == k
        total += counts[inside] @ (values[inside] - np.average(values[inside], weights=counts[inside])) ** 2
    return total


def least_by_trying_all(values, counts, n_clusters):
    n = len(values)
    cuts = combinations(range(1, n), min(n_clusters, n) - 1)
    return min(sum_of_squares(values, counts, np.searchsorted(cut, np.arange(n), side="right")) for cut in cuts)


@pytest.mark.parametrize("seed", range(40))
def test_partition_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    n, n_clusters = int(rng.integers(1, 11)), int(rng.integers(1, 6))
    values, counts = np.sort(rng.choice(40, n, replace=False)), rng.integers(1, 9, n)
    labels = optimal_clusters(values, counts, n_clusters)
    assert np.unique(labels).tolist() == list(range(min(n, n_clusters)))
    assert np.all(np.diff(labels) >= 0)
    assert sum_of_squares(values, counts, labels) == pytest.approx(
        least_by_trying_all(values, counts, n_clusters), abs=1e-9
    )


def test_counts_equal_repeated_values():
    values, counts = np.array([-5, -4, 0, 3, 9]), np.array([4, 1, 7, 2, 3])
    repeated = optimal_clusters(np.repeat(values, counts), np.ones(counts.sum()), 3)
    np.testing.assert_array_equal(np.repeat(optimal_clusters(values, counts, 3), counts), repeated)


def test_an_empty_component_gets_the_parameters_scikit_learn_gives_it():
    weights, means, variances = parameters_of_labels(
        np.array([1.0, 2.0]), np.array([1.0, 3.0]), np.array([0, 0]), 2, reg_covar=0.5
    )
    assert means.tolist() == pytest.approx([1.75, 0.0])
    assert variances.tolist() == pytest.approx([0.1875 + 0.5, 0.5])
    assert weights[1] < 1e-14


def test_table_equals_scikit_learn_on_floats():
    weights, means, variances = np.array([0.2, 0.5, 0.3]), np.array([-900.0, -500.0, 0.0]), np.array([900.0, 8e3, 4e4])
    judge = GaussianMixture(3)
    judge.weights_, judge.means_, judge.covariances_ = weights, means[:, None], variances[:, None, None]
    judge.precisions_cholesky_ = 1 / np.sqrt(judge.covariances_)
    values = np.arange(-2000, 2000)
    np.testing.assert_array_equal(
        map_table(weights, means, variances, values), judge.predict(values[:, None].astype(float))
    )
