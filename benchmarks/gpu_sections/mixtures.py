"""EM in three and more dimensions: FastGMM and scikit-learn on the same CuPy rows, from the same start."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import Any

import numpy as np

from gpu_sections.rows import Row, attempt

N_COMPONENTS = 5
STEPS = 10


def mixtures(shape: tuple[int, int, int]) -> list[Row]:
    """Time ten EM steps, full covariances, for so many rows as fit a quarter of the volume's voxels by features."""
    n_values = int(np.prod(shape)) // 4
    rows = []
    for d in (3, 8, 32):
        X, means = _rows(max(n_values // d // 4, 200), d)
        found: dict[str, Any] = {}
        for who, fit in (("scikit-learn on CuPy", _scikit_learn), ("fastgmm", _fastgmm)):

            def measure(who=who, fit=fit, X=X, means=means, found=found):
                found[who], seconds = _timed(fit, X, means)
                alike = [np.allclose(found[who], other, rtol=1e-6) for other in found.values()]
                answer = "means as the other's" if all(alike) else "DIFFERS from the other's"
                return 1e3 * seconds / STEPS, answer if len(alike) > 1 else ""

            rows.append(attempt(Row("mixtures", f"EM step, {len(X)} rows, d = {d}", who), measure))
    return rows


def _rows(n: int, d: int) -> tuple[Any, np.ndarray]:
    import cupy

    rng = np.random.default_rng(d)
    means = rng.normal(0, 4, (N_COMPONENTS, d))
    return cupy.asarray(means[rng.integers(0, N_COMPONENTS, n)] + rng.normal(size=(n, d))), means + 0.1


def _timed(fit: Any, X: Any, means: np.ndarray) -> tuple[np.ndarray, float]:
    import cupy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # so few steps do not converge
        fit(X, means, 1)
        cupy.cuda.Device().synchronize()
        start = perf_counter()
        found = fit(X, means, STEPS)
        cupy.cuda.Device().synchronize()
    return found, perf_counter() - start


def _options(d: int, steps: int) -> dict[str, Any]:
    return {"n_components": N_COMPONENTS, "max_iter": steps, "tol": 0.0, "reg_covar": 1e-6, "random_state": 0}


def _fastgmm(X: Any, means: np.ndarray, steps: int) -> np.ndarray:
    from fastgmm import FastGMM

    given = _start(means)
    return np.asarray(FastGMM(**_options(X.shape[1], steps), **given).fit(X).means_)


def _scikit_learn(X: Any, means: np.ndarray, steps: int) -> np.ndarray:
    import cupy
    import sklearn
    from sklearn.mixture import GaussianMixture

    given = {name: cupy.asarray(value) for name, value in _start(means).items()}
    with sklearn.config_context(array_api_dispatch=True):
        model = GaussianMixture(**_options(X.shape[1], steps), **given, init_params="random")
        return cupy.asnumpy(model.fit(X).means_)


def _start(means: np.ndarray) -> dict[str, np.ndarray]:
    d = means.shape[1]
    weights = np.full(N_COMPONENTS, 1 / N_COMPONENTS)
    return {"weights_init": weights, "means_init": means, "precisions_init": np.tile(np.eye(d), (N_COMPONENTS, 1, 1))}
