"""One small call of every CUDA kernel, two blocks at a time under preemption; and those calls under sanitizers.

`.ci/sanitize` runs the first test under AddressSanitizer with UndefinedBehaviorSanitizer, and under ThreadSanitizer.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from doors import to_device
from em_cases import assert_sums_close, make_case
from emulation import schedule
from volumes import blobs, integers

from fastgmm._arrays import is_device_array
from fastgmm.backends import _reference as reference
from fastgmm.backends import get_backend
from fastgmm.volume import PackedMask

SHAPE = (3, 9, 65)
MASK = PackedMask.from_array(blobs(SHAPE, 0.6, 1))
SEEDS = [PackedMask.from_array(np.random.default_rng(i).random(SHAPE) < 0.02) for i in range(2)]
SCAN = integers(SHAPE, np.int16, -1100, 3000, 2)
SCAN[0, 0, :3] = -32768, 32767, -155
LABELS = integers(SHAPE, np.uint8, 0, 5, 3)
TABLE = integers(1 << 16, np.uint8, 0, 5, 4)
KERNEL_NAME = re.compile(r'extern "C" __global__ void __launch_bounds__\([^;]*?\)\s+(\w+)\(')


def large(table):
    return table["n_voxels"] > 3


CALLS = {
    "threshold_below": (SCAN, -155),
    "histogram": (SCAN, MASK, 4),
    "label_components": (MASK, 26),
    "component_table": (MASK, 6),
    "filter_components": (MASK, 6, large),
    "separate_components": (MASK, 6, large),
    "geodesic_flood": (MASK, SEEDS),
    "grow_region": (SCAN, SEEDS[0], [-900, 0, 1500], 900),
    "binary_opening": (MASK, 3),
    "binary_opening_ball": (MASK, (1, 2, 1)),
    "binary_closing_ball": (MASK, (3, 2, 5)),
}


def unpacked(result):
    if isinstance(result, list | tuple):
        return [part for item in result for part in unpacked(item)]
    if isinstance(result, PackedMask):
        return [PackedMask(_host(result.words), result.shape).to_array()]
    return [np.asarray(_host(result))]


def _host(value):
    return value.get() if is_device_array(value) else value


def check_written(name, *arguments):
    """Kernels that write to an array given, whose contents count for some."""
    expected, found = LABELS.copy(), to_device(LABELS)
    getattr(reference, name)(*arguments, expected, 1)
    getattr(get_backend("cuda"), name)(*map(to_device, arguments), found, 1)
    np.testing.assert_array_equal(found.get(), expected)


def check_volumes():
    kernels = get_backend("cuda")
    for name, arguments in CALLS.items():
        found = unpacked(getattr(kernels, name)(*map(to_device, arguments), 1))
        for ours, expected in zip(found, unpacked(getattr(reference, name)(*arguments, 1)), strict=True):
            np.testing.assert_array_equal(ours, expected, err_msg=name)
    check_written("apply_table", SCAN, TABLE, MASK)
    for size in ((3, 4, 2), (4, 4, 4)):
        check_written("median_filter", LABELS, size)
    check_written("keep_within", integers(SHAPE, np.uint8, 0, 1, 5))
    check_written("number_masks", SEEDS)


def check_rows(kind):
    X, weights, mixture = make_case(kind, 130, 3, 4)
    rows, w = to_device(X), to_device(weights)
    labels = np.random.default_rng(0).integers(0, 4, 130).astype(np.int32)
    kernels = get_backend("cuda")
    assert_sums_close(kernels.em_step(rows, w, mixture, 1), reference.em_step(X, weights, mixture, 1), 1e5)
    found = kernels.em_label_moments(rows, w, to_device(labels), mixture.means, kind, 1)
    assert_sums_close(found, reference.em_label_moments(X, weights, labels, mixture.means, kind, 1), 1e5)
    chosen = to_device(np.zeros(130, np.int64))
    kernels.em_assign(rows, mixture, chosen, None, None, 1)
    expected = np.zeros(130, np.int64)
    reference.em_assign(X, mixture, expected, None, None, 1)
    np.testing.assert_array_equal(chosen.get(), expected)


def check_starts():
    X, weights, mixture = make_case("diag", 130, 3, 4)
    closest = np.random.default_rng(1).uniform(0, 9, 130)
    origin, before = X.mean(axis=0), np.zeros(130, np.int32)
    for name, more in (
        ("kmeans_step", (mixture.means, before)),
        ("kmeans_potentials", (mixture.means, closest)),
        ("kmeans_approach", (mixture.means[0], closest)),
    ):
        expected = getattr(reference, name)(X, weights, origin, *[part.copy() for part in more], 1)
        centres, state = more
        ours = getattr(get_backend("cuda"), name)(
            *map(to_device, (X, weights)), origin, centres, to_device(state.copy()), 1
        )
        for part, wanted in zip(unpacked(ours), unpacked(expected), strict=True):
            np.testing.assert_allclose(part, wanted, rtol=1e-12, atol=1e-9)


def check_labels():
    """Labels of whole numbers, and sums of many components of one feature."""
    values = integers((300,), np.int16, 10, 40, 6)
    out = to_device(np.zeros(300, np.int64))
    expected = np.zeros(300, np.int64)
    assert get_backend("cuda").label_values(to_device(values), 10, to_device(TABLE[:31]), out, 1)
    assert reference.label_values(values, 10, TABLE[:31], expected, 1)
    np.testing.assert_array_equal(out.get(), expected)
    X, labels = np.random.default_rng(2).normal(size=(500, 1)), np.arange(500, dtype=np.int32) % 400
    means = np.zeros((400, 1))
    found = get_backend("cuda").em_label_moments(to_device(X), None, to_device(labels), means, "tied", 1)
    assert_sums_close(found, reference.em_label_moments(X, None, labels, means, "tied", 1), 1e3)


def check_counts():
    values, counts = np.arange(40.0), np.arange(1.0, 41.0)
    start = np.full(2, 0.5), np.array([5.0, 30.0]), np.full(2, 0.2)
    settings = {"tol": 0.0, "max_iter": 2, "reg_covar": 1e-6, "variance_floor": 0.0, "lower_bound": -np.inf}
    ours, expected = (
        get_backend(name).em_histogram(values, counts, *start, **settings, n_jobs=1) for name in ("cuda", "cpp")
    )
    assert [np.asarray(part).tobytes() for part in ours] == [np.asarray(part).tobytes() for part in expected]


def check_all():
    check_volumes()
    for kind in ("full", "tied", "diag"):
        check_rows(kind)
    check_starts()
    check_labels()
    check_counts()


def test_every_kernel_is_right_on_a_device(cuda):
    """Without a pool, so that compute-sanitizer, under which `make gpu` runs this, sees where each array ends."""
    if hasattr(cuda, "_functions"):
        pytest.skip("CuPy has no device here: the next test has the calls")
    cuda.cuda.set_allocator(None)
    try:
        check_all()
    finally:
        cuda.cuda.set_allocator(cuda.get_default_memory_pool().malloc)


def test_every_kernel_is_right(cuda, monkeypatch):
    if not hasattr(cuda, "_functions"):
        pytest.skip("CuPy has a device here: its kernels do not tell that they were launched")
    monkeypatch.setenv("CUEMU_WORKERS", "2")
    launched = set()
    launch = cuda.RawKernel.__call__
    monkeypatch.setattr(cuda.RawKernel, "__call__", lambda k, *a, **o: (launched.add(k.name), launch(k, *a, **o))[1])
    with schedule("random", 3, 5):
        check_all()
    declared = {name for variant in _variants() for name in KERNEL_NAME.findall(variant.source)}
    assert declared - launched == set()


def _variants():
    return sys.modules["fastgmm.backends._cuda"].VARIANTS


def test_the_csrc_folder_has_no_other_kernels(cuda):
    files = {f"cuda/{path.name}" for path in (Path(__file__).parents[2] / "csrc" / "cuda").glob("*.cu")}
    assert files == {variant.path for variant in _variants()}
