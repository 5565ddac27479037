"""EM and k-means, judged by the reference, within what the rounding of the same terms allows, and by their own bits."""

import numpy as np
from fuzz.source import SIMD_LEVELS, Source

from fastgmm import _core
from fastgmm.backends import can_use, get_backend
from fastgmm.backends._contract import Mixture

KINDS = ("full", "tied", "diag")
# Roundings: of a sum's terms, and of the logarithm of a density, by its size.
_EPSILONS = 1000 * np.finfo(np.float64).eps


def _counted_values(source):
    """Rising values and how often each occurs; some never."""
    n_bins = source.pick((1, 2, 3, 7, 64, 65, 511, 512, 513, 1300)) if source.flag() else source.integer(1, 900)
    rng = source.rng()
    values = np.cumsum(rng.integers(1, source.pick((2, 3, 50)) + 1, n_bins)).astype(float)
    values = (values - source.pick((0, values[-1] / 2, 1000))) * source.pick((1.0, 1e-6, 1e6, 0.3))
    largest = source.pick((10, 1, 2**20, 2**40))
    counts = rng.integers(0 if source.flag() else 1, largest, n_bins, endpoint=True).astype(float)
    counts[source.integer(0, n_bins - 1)] += 1
    return values, counts


def _start(source, values, n_components):
    """Weights, means and precisions near the values, or far from them."""
    rng = source.rng()
    spread = max(float(np.ptp(values)), abs(float(values[0])), 1e-3)
    weights = rng.dirichlet(np.ones(n_components))
    if source.integer(0, 7) == 7:
        weights[0] = 0.0
        weights = weights / weights.sum() if n_components > 1 else np.ones(1)
    means = values[0] + rng.uniform(-0.2, 1.2, n_components) * spread
    return weights, means, 1 / (spread * rng.uniform(0.01, 1.5, n_components))


def _bits(result):
    return [np.asarray(part).tobytes() for part in result]


def em_counts(source: Source) -> None:
    """EM on counts: one step against the reference, many steps to the bit on all compiled paths."""
    values, counts = _counted_values(source)
    n_components = source.integer(1, 9)
    start = _start(source, values, n_components)
    floor = source.pick((0.0, 1e-8)) * float(np.ptp(values)) ** 2
    settings = {
        "tol": source.pick((0.0, 1e-3)),
        "max_iter": source.pick((1, 2, 20)),
        "reg_covar": source.pick((1e-6, 0.0, 1e-3)),
        "variance_floor": floor,
        "lower_bound": -np.inf,
    }
    names = [name for name in ("cpp", "numba") if can_use(name)[0]]
    found = []
    for name in names:
        for level in SIMD_LEVELS if name == "cpp" else SIMD_LEVELS[:1]:
            _core.set_simd_level(level)
            n_jobs = source.integer(1, 3)
            found.append(get_backend(name).em_histogram(values, counts, *start, **settings, n_jobs=n_jobs))
    for other in found[1:]:
        assert _bits(other) == _bits(found[0]), "backends or instruction sets differ in their bits"
    _compare_step(values, counts, start, settings | {"max_iter": 1})


def _compare_step(values, counts, start, settings):
    _, means, precisions = start
    with np.errstate(all="ignore"):
        judge = get_backend("reference").em_histogram(values, counts, *start, **settings, n_jobs=1)
        ours = get_backend("cpp").em_histogram(values, counts, *start, **settings, n_jobs=1)
        farthest = np.max(np.abs((values[:, np.newaxis] - means) * precisions))
    # Our moments are taken about the means of the start, which may lie far from all values.
    total, span = counts.sum(), sum(np.abs(numbers).max() for numbers in (values, means, judge.means))
    slack = _EPSILONS * (10 + farthest**2)
    np.testing.assert_allclose(ours.weights, judge.weights, rtol=0, atol=slack)
    masses = judge.weights * total
    well = (judge.weights > 1e-6) & (slack < 1e-9)
    moved = np.abs(ours.means - judge.means) * masses
    assert np.all(moved[well] <= slack * total * span)
    spread = np.abs(ours.variances - judge.variances) * masses
    assert np.all(spread[well] <= 8 * slack * total * (span**2 + settings["reg_covar"]))
    if judge.collapsed < 0 and ours.collapsed < 0:
        bound = np.abs(judge.lower_bounds).max(initial=1)
        np.testing.assert_allclose(ours.lower_bounds, judge.lower_bounds, rtol=0, atol=slack * (10 + bound))


def _rows(source):
    """Rows in any memory order, the weights of some of them 0, and a mixture near them."""
    n, d = source.pick((1, 2, 255, 256, 257, 700)) if source.flag() else source.integer(1, 600), source.integer(1, 9)
    if source.integer(0, 7) == 7:
        d = source.integer(10, 40)
    n_components, rng, kind = source.integer(1, 6), source.rng(), source.pick(KINDS)
    X = (rng.normal(size=(n, d)) * source.pick((1, 1e-3, 1e3)) + source.pick((0, 5, -300))).astype(
        source.pick((np.float64, np.float32))
    )
    weights = None if source.flag() else rng.uniform(0, 2, n) * (rng.random(n) < 0.8)
    spread = X.astype(float).std() + 1e-3
    if kind == "diag":
        precisions = rng.uniform(0.5, 1.5, (n_components, d)) / spread
    else:
        precisions = np.triu(rng.normal(size=(n_components, d, d))) / np.sqrt(d) / spread
    precisions = precisions[0] if kind == "tied" else precisions
    means = X[rng.integers(0, n, n_components)].astype(float) + rng.normal(size=(n_components, d)) * spread
    mixture = Mixture(kind, rng.normal(size=n_components), means, np.ascontiguousarray(precisions))
    given = (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[::-1].copy()[::-1])[source.integer(0, 3)]
    return given, weights, mixture


def _assert_moments(found, judge, slack, n, span):
    sizes = {"log_likelihood": slack * n, "mass": slack * n, "first": slack * n * span, "second": slack * n * span**2}
    for name, atol in sizes.items():
        ours, expected = np.asarray(getattr(found, name)), np.asarray(getattr(judge, name))
        assert np.all(np.abs(ours - expected) <= 8 * atol), name


def em_rows(source: Source) -> None:
    """One EM step, moments of labelled rows, and the assignment of rows."""
    machine = source.machine()
    kernels, judge, n_jobs = get_backend(machine["backend"]), get_backend("reference"), machine["n_jobs"]
    X, weights, mixture = _rows(source)
    n, n_components = len(X), len(mixture.means)
    joint = _log_joint(X.astype(float), mixture)
    slack = _EPSILONS * (10 + np.abs(joint).max())
    span = np.abs(X.astype(float)[:, np.newaxis] - mixture.means).max() + 1
    step = kernels.em_step(X, weights, mixture, n_jobs)
    _assert_moments(step, judge.em_step(X, weights, mixture, 1), slack * (1 + np.abs(joint).max()), 2 * n, span)
    assert _bits(step[1:]) == _bits(kernels.em_step(np.ascontiguousarray(X), weights, mixture, 4 - n_jobs)[1:])
    labels = source.rng().integers(0, n_components, n).astype(np.int32)
    ours, expected = (
        k.em_label_moments(X, weights, labels, mixture.means, mixture.kind, n_jobs) for k in (kernels, judge)
    )
    _assert_moments(ours, expected, slack, 2 * n, span)
    chosen, density = np.empty(n, np.int64), np.empty(n, X.dtype)
    shares = np.empty((n, n_components), X.dtype)
    kernels.em_assign(X, mixture, chosen, density, shares, n_jobs)
    best = joint.max(axis=1)
    assert np.all(joint[np.arange(n), chosen] >= best - slack * np.maximum(np.abs(best), 1))
    total = np.logaddexp.reduce(joint, axis=1)
    loose = slack + 4 * np.finfo(X.dtype).eps
    np.testing.assert_allclose(density, total, rtol=loose, atol=loose)
    np.testing.assert_allclose(shares, np.exp(joint - total[:, np.newaxis]), rtol=0, atol=loose)


def _log_joint(rows, mixture):
    columns = []
    for k, mean in enumerate(mixture.means):
        factor = mixture.precisions if mixture.kind == "tied" else mixture.precisions[k]
        scaled = (rows - mean) * factor if mixture.kind == "diag" else (rows - mean) @ factor
        columns.append(mixture.offsets[k] - 0.5 * (scaled**2).sum(axis=1))
    return np.stack(columns, axis=1)


def kmeans(source: Source) -> None:
    """The passes of k-means."""
    machine = source.machine()
    kernels, judge, n_jobs = get_backend(machine["backend"]), get_backend("reference"), machine["n_jobs"]
    X, weights, mixture = _rows(source)
    origin = X.astype(float).mean(axis=0)
    rows, centres = X.astype(float) - origin, mixture.means - origin
    n, n_centres = len(X), len(centres)
    size = (np.abs(rows).max() + np.abs(centres).max() + 1) ** 2 * X.shape[1]
    labels = source.rng().integers(0, n_centres, n).astype(np.int32)
    before = labels.copy()
    found = kernels.kmeans_step(X, weights, origin, centres, labels, n_jobs)
    costs = (centres**2).sum(axis=1) - 2 * rows @ centres.T
    assert np.all(costs[np.arange(n), labels] <= costs.min(axis=1) + _EPSILONS * size)
    assert found.n_changed == np.count_nonzero(labels != before)
    members = np.eye(n_centres)[labels] * (1 if weights is None else weights[:, np.newaxis])
    np.testing.assert_allclose(found.mass, members.sum(axis=0), rtol=_EPSILONS, atol=_EPSILONS)
    np.testing.assert_allclose(found.first, members.T @ rows, rtol=0, atol=_EPSILONS * n * size)
    closest = source.rng().uniform(0, size, n)
    ours = kernels.kmeans_potentials(X, weights, origin, centres, closest, n_jobs)
    expected = judge.kmeans_potentials(X, weights, origin, centres, closest, 1)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=_EPSILONS * n * size)
    nearer, lower = closest.copy(), closest.copy()
    sums = kernels.kmeans_approach(X, weights, origin, centres[0], nearer, n_jobs)
    expected = judge.kmeans_approach(X, weights, origin, centres[0], lower, 1)
    np.testing.assert_allclose(nearer, lower, rtol=0, atol=_EPSILONS * size)
    np.testing.assert_allclose(sums, expected, rtol=0, atol=_EPSILONS * n * size)
