"""The exponential and the logarithm of csrc/shared/gaussian.h against decimal arithmetic."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from fastgmm import _core

LEVELS = ["baseline", "avx2", "avx512"]


@pytest.fixture(params=LEVELS)
def level(request):
    before = _core.simd_level()
    _core.set_simd_level(request.param)
    if _core.simd_level() != request.param:
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    _core.set_simd_level(before)


def largest_error_in_ulp(values, results, function):
    with localcontext() as context:
        context.prec = 40
        exact = [function(Decimal(v)) for v in values.tolist()]
        errors = [abs(Decimal(r) - e) for r, e in zip(results.tolist(), exact, strict=True)]
        return max(
            float(error / Decimal(u)) for error, u in zip(errors, np.spacing(np.abs(results)).tolist(), strict=True)
        )


@pytest.mark.parametrize("low", [-708.0, -1.0, -1e-8])
def test_exp_is_within_one_ulp(level, low):
    values = np.random.default_rng(0).uniform(low, 0, 3000)
    assert largest_error_in_ulp(values, _core.exp_fixed(values), Decimal.exp) < 1


def test_log_is_within_one_ulp(level):
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [rng.uniform(0.5, 8, 2000), 10 ** rng.uniform(-300, 300, 1000), 1 + rng.uniform(0, 1e-6, 500)]
    )
    assert largest_error_in_ulp(values, _core.log_fixed(values), Decimal.ln) < 1


def test_special_values(level):
    assert _core.exp_fixed(np.array([0.0, -708.8, -np.inf])).tolist() == [1, 0, 0]
    assert np.isnan(_core.exp_fixed(np.array([np.nan]))[0])
    assert _core.log_fixed(np.array([1.0]))[0] == 0


def test_every_instruction_set_gives_the_same_bits():
    values = np.random.default_rng(1).uniform(-708, 0, 5000)
    before, results = _core.simd_level(), []
    for name in LEVELS:
        _core.set_simd_level(name)
        results.append((_core.exp_fixed(values).tobytes(), _core.log_fixed(-values).tobytes()))
    _core.set_simd_level(before)
    assert len(set(results)) == 1
