"""Rows of which two lie more than 2^32 numbers apart, in address space that costs no memory until it is written to."""

import mmap

import numpy as np
import pytest

from fastgmm.backends import get_backend
from fastgmm.backends._contract import Mixture

N_ROWS, N_FEATURES, FAR = 3, 3, (1 << 31) + 5
ROWS = np.random.default_rng(3).normal(0, 1, (N_ROWS, N_FEATURES)).astype(np.float32)
_NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python names it from 3.13 on
MEANS = np.array([[-1.0, 0, 1], [0.5, 0, -1]])


@pytest.fixture(params=["rows", "features"])
def far(request, cuda):
    """ROWS on the device with a distance of FAR between rows, or between features."""
    if not hasattr(cuda, "_functions"):
        pytest.skip("CuPy has a device here: test_large_arrays.py is for it")
    n_bytes = 4 * FAR * N_ROWS
    try:
        space = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
    except OSError as error:
        pytest.skip(f"this system gives no address space of {n_bytes >> 30} GiB: {error}")
    wide = np.frombuffer(space, np.float32).reshape(N_ROWS, FAR)[:, :N_FEATURES]
    host = wide if request.param == "rows" else wide.T
    host[...] = ROWS
    assert host.strides[0 if request.param == "rows" else 1] * (N_ROWS - 1) // 4 > 2**32
    return cuda.ndarray._of(host)


def mixture(kind):
    precisions = {"full": np.stack([np.eye(3), np.triu(np.ones((3, 3)))]), "diag": np.ones((2, 3)), "tied": np.eye(3)}
    return Mixture(kind, np.log([0.4, 0.6]), MEANS, precisions[kind])


@pytest.mark.parametrize("kind", ["full", "tied", "diag"])
def test_steps_of_em_reach_far_rows(cuda, far, kind):
    step = get_backend("cuda").em_step
    for found, expected in zip(
        step(far, None, mixture(kind), 1), step(cuda.asarray(ROWS), None, mixture(kind), 1), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_far_rows_are_assigned(cuda, far):
    results = []
    for rows in (far, cuda.asarray(ROWS)):
        labels, densities = cuda.empty(N_ROWS, np.int64), cuda.empty(N_ROWS, np.float32)
        get_backend("cuda").em_assign(rows, mixture("full"), labels, densities, None, 1)
        results.append((labels.tolist(), densities.tolist()))
    assert results[0] == results[1]


def test_k_means_reaches_far_rows(cuda, far):
    kernels, origin = get_backend("cuda"), np.zeros(3)
    results = []
    for rows in (far, cuda.asarray(ROWS)):
        labels, closest = cuda.full(N_ROWS, -1, np.int32), cuda.full(N_ROWS, np.inf)
        clusters = kernels.kmeans_step(rows, None, origin, MEANS, labels, 1)
        approached = kernels.kmeans_approach(rows, None, origin, MEANS[0], closest, 1)
        potentials = kernels.kmeans_potentials(rows, None, origin, MEANS, closest, 1)
        results.append([labels.get(), clusters.mass, clusters.first, closest.get(), approached, potentials])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_far_integers_get_their_labels(cuda, far):
    column = far._host[:, 0] if far.strides[0] > far.strides[1] else far._host[0]
    column = column.view(np.int32)
    column[...] = [5, 7, 6]
    table, labels = cuda.asarray(np.arange(10, dtype=np.uint8)), cuda.empty(3, np.int64)
    assert get_backend("cuda").label_values(cuda.ndarray._of(column), 0, table, labels, 1)
    assert labels.tolist() == [5, 7, 6]
