"""EM on rows beside scikit-learn's on the same CuPy rows, from the same start; starts and batches beside the CPU's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from gpu_sections.rows import Row, attempt

N_COMPONENTS = 5
STEPS = 10
KINDS = (  # covariances, dtype, features
    ("full", "float64", 3),
    ("full", "float64", 8),
    ("full", "float64", 32),
    ("tied", "float64", 8),
    ("diag", "float64", 8),
    ("spherical", "float64", 8),
    ("full", "float32", 8),
)
RTOL = {"float64": 1e-6, "float32": 1e-3}
START_ROWS, START_FEATURES = 1 << 18, 8  # as many as a start looks at
FITS = 2000


def mixtures(shape: tuple[int, int, int]) -> list[Row]:
    """Time ten EM steps of every kind of covariance, the k-means start, and many fits of histograms at once."""
    n_values = int(np.prod(shape)) // 4
    rows = []
    for kind, dtype, d in KINDS:
        rows += _em_steps(kind, dtype, d, max(n_values // d // 4, 200))
    return rows + _start_rows(min(START_ROWS, max(n_values, 200))) + _batch_rows(min(FITS, max(n_values // 10_000, 4)))


def _em_steps(kind: str, dtype: str, d: int, n: int) -> list[Row]:
    """Compare with scikit-learn: the steps of both on the same rows."""
    X, means = _rows(n, d, dtype)
    found: dict[str, Any] = {}
    rows = []
    for who, fit in (("scikit-learn on CuPy", _scikit_learn), ("fastgmm", _fastgmm)):

        def measure(who=who, fit=fit):
            found[who], seconds = _timed(fit, X, means, kind)
            alike = [np.allclose(found[who], other, rtol=RTOL[dtype]) for other in found.values()]
            answer = "means as the other's" if all(alike) else "DIFFERS from the other's"
            return 1e3 * seconds / STEPS, answer if len(alike) > 1 else ""

        rows.append(attempt(Row("mixtures", f"EM step, {kind}, {dtype}, {n} rows, d = {d}", who), measure))
    return rows


def _start_rows(n: int) -> list[Row]:
    """Time a fit of one step from k-means, which is nearly all of it, on either side."""
    from fastgmm import FastGMM

    X, _ = _rows(n, START_FEATURES, "float64")
    on_host = X.get()

    def fit(rows: Any) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(FastGMM(N_COMPONENTS, max_iter=1, random_state=0).fit(rows).means_)

    name = f"k-means start and a step, {n} rows, d = {START_FEATURES}"
    return _on_both_sides(name, lambda: fit(on_host), lambda: fit(X), lambda a, b: np.allclose(a, b, rtol=1e-6))


def _batch_rows(n_fits: int) -> list[Row]:
    """Time fits of resampled histograms, a block of the device or a thread for each."""
    from fastgmm import Histogram
    from fastgmm.mixture import fit_histograms

    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.normal(mean, 60, 200_000) for mean in (-900, -750, -400, -50, 60)]).round()
    lung = Histogram.from_array(drawn.astype(np.int16))
    resamples = [
        Histogram(lung.values[counts > 0], counts[counts > 0])
        for counts in rng.multinomial(lung.n, lung.counts / lung.n, size=n_fits)
    ]

    def fit(backend: str) -> list[Any]:
        means, precisions = np.linspace(-900, 50, N_COMPONENTS), np.full(N_COMPONENTS, 1e-4)
        start = {"weights": np.full(N_COMPONENTS, 1 / N_COMPONENTS), "means": means, "precisions": precisions}
        return fit_histograms(resamples, N_COMPONENTS, **start, backend=backend)

    def same_bits(ours: list[Any], theirs: list[Any]) -> bool:
        pairs = zip(ours, theirs, strict=True)
        return all(np.array_equal(a.means, b.means) and np.array_equal(a.variances, b.variances) for a, b in pairs)

    return _on_both_sides(f"{n_fits} fits of histograms", lambda: fit("cpp"), lambda: fit("cuda"), same_bits)


def _on_both_sides(
    name: str, on_host: Callable[[], Any], on_device: Callable[[], Any], alike: Callable[[Any, Any], bool]
) -> list[Row]:
    """Time the second of two calls on either side, by the clock; the results must be alike."""
    expected: list[Any] = []

    def host() -> tuple[float, str]:
        expected[:], ms = [on_host()], _clocked_ms(on_host)
        return ms, ""

    def device() -> tuple[float, str]:
        assert alike(on_device(), expected[0]), "differs from the CPU"
        return _clocked_ms(on_device), "as cpp"

    return [
        attempt(Row("mixtures", name, "fastgmm, cpp"), host),
        attempt(Row("mixtures", name, "fastgmm, cuda"), device),
    ]


def _clocked_ms(call: Callable[[], Any]) -> float:
    import cupy

    cupy.cuda.Device().synchronize()
    start = perf_counter()
    call()
    cupy.cuda.Device().synchronize()
    return 1e3 * (perf_counter() - start)


def _rows(n: int, d: int, dtype: str) -> tuple[Any, np.ndarray]:
    import cupy

    rng = np.random.default_rng(d)
    means = rng.normal(0, 4, (N_COMPONENTS, d))
    rows = means[rng.integers(0, N_COMPONENTS, n)] + rng.normal(size=(n, d))
    return cupy.asarray(rows.astype(dtype)), means + 0.1


def _timed(fit: Any, X: Any, means: np.ndarray, kind: str) -> tuple[np.ndarray, float]:
    import cupy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # so few steps do not converge
        fit(X, means, kind, 1)
        cupy.cuda.Device().synchronize()
        start = perf_counter()
        found = fit(X, means, kind, STEPS)
        cupy.cuda.Device().synchronize()
    return found, perf_counter() - start


def _fastgmm(X: Any, means: np.ndarray, kind: str, steps: int) -> np.ndarray:
    from fastgmm import FastGMM

    return np.asarray(FastGMM(**_options(kind, steps), **_start(means, kind)).fit(X).means_)


def _scikit_learn(X: Any, means: np.ndarray, kind: str, steps: int) -> np.ndarray:
    import cupy
    import sklearn
    from sklearn.mixture import GaussianMixture

    given = {name: cupy.asarray(value.astype(X.dtype)) for name, value in _start(means, kind).items()}
    with sklearn.config_context(array_api_dispatch=True):
        model = GaussianMixture(**_options(kind, steps), **given, init_params="random")
        return cupy.asnumpy(model.fit(X).means_)


def _options(kind: str, steps: int) -> dict[str, Any]:
    fixed = {"n_components": N_COMPONENTS, "tol": 0.0, "reg_covar": 1e-6, "random_state": 0}
    return {**fixed, "covariance_type": kind, "max_iter": steps}


def _start(means: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    d = means.shape[1]
    precisions = {
        "full": np.tile(np.eye(d), (N_COMPONENTS, 1, 1)),
        "tied": np.eye(d),
        "diag": np.ones((N_COMPONENTS, d)),
        "spherical": np.ones(N_COMPONENTS),
    }[kind]
    return {"weights_init": np.full(N_COMPONENTS, 1 / N_COMPONENTS), "means_init": means, "precisions_init": precisions}
