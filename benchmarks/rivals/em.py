"""FastGMM and its peers: a fit from a given start, with default arguments, and the labels of rows.

A fit gives `Answer`: weights, means and covariances as scikit-learn shapes them. `rows_for` makes of the rows what the
peer takes, outside of the time: float64 also for integers, tensors for what runs on PyTorch.
"""

import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import sklearn
from harness.em_cases import Case
from harness.memory import N_THREADS
from sklearn.mixture import GaussianMixture

from fastgmm import FastGMM

OURS, SKLEARN, DAAL, TORCH, POMEGRANATE = "fastgmm", "scikit-learn", "daal4py", "scikit-learn on torch", "pomegranate"
SQUAREM = "fastgmm squarem"
PEERS = (SKLEARN, DAAL, TORCH, POMEGRANATE)
_MODULES = {OURS: "fastgmm", SQUAREM: "fastgmm", SKLEARN: "sklearn", TORCH: "torch"}


class Answer(NamedTuple):
    """A fitted mixture."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


def why_not(who: str, case: Case) -> str | None:
    """Return why someone has no fit for a case, None if there is one."""
    module = _MODULES.get(who, who)
    if importlib.util.find_spec(module) is None:
        return "not installed"
    if who == DAAL and case.covariance_type not in ("full", "diag"):
        return "full and diagonal only"
    if who == POMEGRANATE and case.covariance_type != "full":
        return "its other types take no start"
    return None


def rows_for(who: str, X: np.ndarray) -> Any:
    """Return the rows as someone takes them."""
    if who in (OURS, SQUAREM):
        return X
    floats = np.ascontiguousarray(X, np.float64)
    if who in (TORCH, POMEGRANATE):
        import torch

        torch.set_num_threads(N_THREADS)
        return torch.from_numpy(floats)
    return floats


def fit_ours(case: Case, X: np.ndarray, start: dict, n_steps: int, **settings) -> Answer:
    return _answer(_model(FastGMM, case, start, n_steps, n_jobs=N_THREADS, **settings).fit(X))


def fit_squarem(case: Case, X: np.ndarray, start: dict, n_steps: int) -> Answer:
    return fit_ours(case, X, start, n_steps, acceleration="squarem")


def fit_scikit_learn(case: Case, X: np.ndarray, start: dict, n_steps: int) -> Answer:
    return _answer(_model(GaussianMixture, case, start, n_steps).fit(X))


def fit_torch(case: Case, X: Any, start: dict, n_steps: int) -> Answer:
    import torch

    tensors = {name: torch.from_numpy(value) for name, value in start.items()}
    with sklearn.config_context(array_api_dispatch=True):
        return _answer(_model(GaussianMixture, case, tensors, n_steps, init_params="random_from_data").fit(X))


def fit_daal4py(case: Case, X: np.ndarray, start: dict, n_steps: int) -> Answer:
    # daal4py 2024.7 fails to import its patches of scikit-learn 1.9, which are not needed for its own algorithms.
    sys.modules.setdefault("daal4py.sklearn", types.ModuleType("daal4py.sklearn"))
    import daal4py

    daal4py.daalinit(N_THREADS)
    full = case.covariance_type == "full"
    algorithm = daal4py.em_gmm(
        nComponents=case.n_components,
        maxIterations=n_steps,
        accuracyThreshold=0.0,
        covarianceStorage="full" if full else "diagonal",
    )
    precisions = start["precisions_init"]
    covariances = [np.ascontiguousarray(np.linalg.inv(p) if full else 1 / p[np.newaxis]) for p in precisions]
    found = algorithm.compute(X, start["weights_init"][np.newaxis], start["means_init"], covariances)
    parts = np.array([np.asarray(part) for part in found.covariances])
    return Answer(found.weights.reshape(-1), found.means, parts if full else parts[:, 0])


def fit_pomegranate(case: Case, X: Any, start: dict, n_steps: int) -> Answer:
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    parts = [
        Normal(torch.tensor(mean), torch.tensor(np.linalg.inv(precision)))
        for mean, precision in zip(start["means_init"], start["precisions_init"], strict=True)
    ]
    model = GeneralMixtureModel(parts, priors=torch.tensor(start["weights_init"]), max_iter=n_steps, tol=-np.inf)
    model.fit(X)
    means, covariances = (
        np.stack([getattr(p, name).numpy() for p in model.distributions]) for name in ("means", "covs")
    )
    return Answer(model.priors.numpy(), means, covariances)


FITS: dict[str, Callable[[Case, Any, dict, int], Answer]] = {
    OURS: fit_ours,
    SKLEARN: fit_scikit_learn,
    DAAL: fit_daal4py,
    TORCH: fit_torch,
    POMEGRANATE: fit_pomegranate,
}


def iterations(who: str, n_steps: int) -> int:
    """Return the E-steps in a fit of so many steps: scikit-learn has one more, for the labels."""
    return n_steps + (who in (SKLEARN, TORCH))


def fit_with_defaults(who: str, case: Case, X: np.ndarray) -> float:
    """Fit as users write it, k-means start included; return the mean log-likelihood it found."""
    kind = FastGMM if who == OURS else GaussianMixture
    return float(kind(case.n_components, random_state=0).fit(X).lower_bound_)


def labels_by(who: str, answer: Answer, case: Case, X: Any, out: np.ndarray | None = None) -> Callable[[], Any]:
    """Return the call that labels the rows by a given mixture."""
    if who == POMEGRANATE:
        return _pomegranate_labels(answer, X)
    ours = FastGMM.from_parameters(*answer, covariance_type=case.covariance_type).set_params(n_jobs=N_THREADS)
    if who == OURS:
        return lambda: ours.predict(X, out=out)
    judge = GaussianMixture(case.n_components, covariance_type=case.covariance_type)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(judge, name, getattr(ours, name))
    if who == SKLEARN:
        return lambda: judge.predict(X)
    return _torch_labels(judge, X)


def _torch_labels(judge: GaussianMixture, X: Any) -> Callable[[], Any]:
    import torch

    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(judge, name, torch.from_numpy(np.ascontiguousarray(getattr(judge, name))))

    def call():
        with sklearn.config_context(array_api_dispatch=True):
            return judge.predict(X)

    return call


def _pomegranate_labels(answer: Answer, X: Any) -> Callable[[], Any]:
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    parts = [Normal(torch.tensor(m), torch.tensor(c)) for m, c in zip(answer.means, answer.covariances, strict=True)]
    model = GeneralMixtureModel(parts, priors=torch.tensor(answer.weights))
    return lambda: model.predict(X)


def _model(kind: type, case: Case, start: dict, n_steps: int, **settings) -> GaussianMixture:
    return kind(case.n_components, covariance_type=case.covariance_type, tol=0, max_iter=n_steps, **start, **settings)


def _answer(model: GaussianMixture) -> Answer:
    return Answer(*(np.asarray(part) for part in (model.weights_, model.means_, model.covariances_)))
