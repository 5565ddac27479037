"""Fixed seeds give fixed bits on the one-dimensional path: on every backend, instruction set and number of threads.

The numbers may change only with a new major version: stored models and other machines are compared with them.
"""

import numpy as np
import pytest

from fastgmm import FastGMM, Histogram, _core, backends

COUNTS = Histogram(np.arange(-1000, 1000, 3), np.arange(667) % 11 + 1)
SETTINGS = {"random_state": 7, "tol": 1e-12, "max_iter": 6, "reg_covar": 1e-6, "n_init": 2}
GOLDEN = {
    ("diag", "optimal"): [
        "-0x1.49cc73236c3f7p+9",
        "0x1.5f20698cab874p+15",
        "0x1.69b895bbc6f2cp-2",
        "-0x1.eaaa842bf1548p+2",
    ],
    ("full", "optimal"): [
        "-0x1.49cc73236c3f7p+9",
        "0x1.5f20698cab874p+15",
        "0x1.69b895bbc6f2cp-2",
        "-0x1.eaaa842bf1548p+2",
    ],
    ("full", "random"): [
        "-0x1.82b3b638eee9ap-2",
        "0x1.437a303c95ad1p+18",
        "0x1.4a7e5554aed35p-2",
        "-0x1.f18f6119888c1p+2",
    ],
    ("full", "random_from_data"): [
        "-0x1.6db9a6c6968a7p+9",
        "0x1.0d5c31438a8f0p+16",
        "0x1.859d64bd28faap-2",
        "-0x1.ea9b777be9394p+2",
    ],
    ("spherical", "optimal"): [
        "-0x1.49cc73236c3f7p+9",
        "0x1.5f20698cab874p+15",
        "0x1.69b895bbc6f2cp-2",
        "-0x1.eaaa842bf1548p+2",
    ],
    ("tied", "optimal"): [
        "-0x1.41e698579f13bp+9",
        "0x1.80706dda0883ep+15",
        "0x1.46b842bab3489p-2",
        "-0x1.ead767f6934b9p+2",
    ],
    ("tied", "random"): [
        "-0x1.73327af595e8ap+3",
        "0x1.437e832918645p+18",
        "0x1.5dfd85e738d43p-2",
        "-0x1.f18f6115b84adp+2",
    ],
    ("tied", "random_from_data"): [
        "-0x1.2f555c7ea613fp+1",
        "0x1.438ef711453b2p+18",
        "0x1.864839425923ap-3",
        "-0x1.f18f6119a220fp+2",
    ],
    ("tied_diag", "optimal"): [
        "-0x1.41e698579f13bp+9",
        "0x1.80706dda0883cp+15",
        "0x1.46b842bab348ap-2",
        "-0x1.ead767f6934b7p+2",
    ],
    ("tied_diag", "random"): [
        "-0x1.73327af595e8ap+3",
        "0x1.437e832918645p+18",
        "0x1.5dfd85e738d43p-2",
        "-0x1.f18f6115b84adp+2",
    ],
    ("tied_diag", "random_from_data"): [
        "-0x1.4faad9b7910dap+9",
        "0x1.8c8a90b2f22aep+15",
        "0x1.7b186a1ecc80ap-2",
        "-0x1.eb1832ee74b00p+2",
    ],
    ("tied_spherical", "optimal"): [
        "-0x1.41e698579f13bp+9",
        "0x1.80706dda0883cp+15",
        "0x1.46b842bab348ap-2",
        "-0x1.ead767f6934b7p+2",
    ],
}
RUNS = [("cpp", level, n_jobs) for level in ("baseline", "avx2", "avx512") for n_jobs in (1, 2, 3)]
RUNS += [("numba", "", 1), ("numba", "", 2)]


@pytest.fixture(params=RUNS, ids=str)
def run(request):
    backend, level, n_jobs = request.param
    usable, reason = backends.can_use(backend)
    if not usable:
        pytest.skip(f"backend {backend} cannot run here: {reason}")
    before = _core.simd_level()
    if level:
        _core.set_simd_level(level)
        if _core.simd_level() != level:
            pytest.skip(f"this processor has {_core.simd_supported()}, not {level}")
    yield {"backend": backend, "n_jobs": n_jobs}
    _core.set_simd_level(before)


def bits(model):
    numbers = [model.means_.ravel()[0], np.ravel(model.covariances_)[-1], model.weights_[1], model.lower_bounds_[-1]]
    return [float(number).hex() for number in numbers]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fixed_seeds_give_the_committed_bits(run):
    for (covariance_type, init_params), expected in GOLDEN.items():
        model = FastGMM(3, covariance_type=covariance_type, init_params=init_params, **SETTINGS, **run)
        assert bits(model.fit_histogram(COUNTS)) == expected, (covariance_type, init_params)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++"])
def test_starts_of_scikit_learn_lead_to_the_same_bits_everywhere(run, init_params):
    weights = np.random.default_rng(0).uniform(0, 2, 667)
    models = [
        FastGMM(3, init_params=init_params, **SETTINGS, **who).fit(COUNTS.values[:, np.newaxis], sample_weight=weights)
        for who in (run, {"backend": "cpp", "n_jobs": 1})
    ]
    assert models[0].means_.tobytes() == models[1].means_.tobytes()
    assert models[0].lower_bounds_ == models[1].lower_bounds_
