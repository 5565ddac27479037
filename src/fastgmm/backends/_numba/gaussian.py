"""The formulas of csrc/shared/gaussian.h, operation by operation, for the same bits."""

from __future__ import annotations

import math

import numpy as np

from fastgmm._types import Float64Array
from fastgmm.backends._numba.compiled import compiled

_hex = float.fromhex
LANES = 512
HALF_LOG_2_PI = _hex("0x1.d67f1c864beb5p-1")
TEN_EPSILON = 10 * 2.0**-52
SMALLEST_NORMAL = 2.0**-1022
_LN2_HIGH, _LN2_LOW = _hex("0x1.62e42p-1"), _hex("0x1.fdf473de6af28p-22")
_ROUNDING_SHIFT = _hex("0x1.8p52")
_LOG2_E = _hex("0x1.71547652b82fep+0")
_BIAS, _MANTISSA_BITS = np.uint64(1023), np.uint64(52)
_SQRT_HALF_BITS, _OFFSET = np.uint64(0x3FE6A09E667F3BCD), np.uint64(1024 << 52)
_TWO_TO_52_BITS, _TWO_TO_52 = np.uint64(0x4330000000000000), 2.0**52 + 1024.0

E9, E8, E7 = _hex("0x1.af38a9b0ec855p-26"), _hex("0x1.289185613a3d6p-22"), _hex("0x1.71de0dae63bb3p-19")
E6, E5, E4 = _hex("0x1.a019b90d2ae7ap-16"), _hex("0x1.a01a01a7c41d5p-13"), _hex("0x1.6c16c1788bd90p-10")
E3, E2, E1 = _hex("0x1.11111111109b3p-7"), _hex("0x1.5555555553d63p-5"), _hex("0x1.5555555555556p-3")
E0 = _hex("0x1.0000000000001p-1")
L6, L5, L4 = _hex("0x1.2b5900de53b32p-3"), _hex("0x1.39fe51a7c18f9p-3"), _hex("0x1.7462b51cb66b1p-3")
L3, L2, L1 = _hex("0x1.c71c62e3f11e6p-3"), _hex("0x1.2492492df281ap-2"), _hex("0x1.99999999952d7p-2")
L0 = _hex("0x1.5555555555558p-1")


@compiled
def exp_fixed(argument: float) -> float:
    """Return exp for arguments up to 709, 0 below -708.8."""
    x = -709.1 if argument < -709.1 else argument
    shifted = x * _LOG2_E + _ROUNDING_SHIFT
    k = shifted - _ROUNDING_SHIFT
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    q = E9 * r + E8
    q = q * r + E7
    q = q * r + E6
    q = q * r + E5
    q = q * r + E4
    q = q * r + E3
    q = q * r + E2
    q = q * r + E1
    q = q * r + E0
    power = np.uint64((np.float64(shifted).view(np.uint64) + _BIAS) << _MANTISSA_BITS).view(np.float64)
    return (1.0 + (r + r * r * q)) * power


@compiled
def log_fixed(x: float) -> float:
    """Return log(x) of a positive normal number."""
    bits = np.float64(x).view(np.uint64)
    biased = (bits - _SQRT_HALF_BITS + _OFFSET) >> _MANTISSA_BITS
    k = np.uint64(biased | _TWO_TO_52_BITS).view(np.float64) - _TWO_TO_52
    f = np.uint64(bits - (biased << _MANTISSA_BITS) + _OFFSET).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = L6 * z + L5
    p = p * z + L4
    p = p * z + L3
    p = p * z + L2
    p = p * z + L1
    p = p * z + L0
    return k * _LN2_HIGH + (f - (s * (f - z * p) - k * _LN2_LOW))


@compiled
def log_or_minus_infinity(x: float) -> float:
    """Return the logarithm of a weight or a precision, which may be 0."""
    return log_fixed(x) if x >= SMALLEST_NORMAL else -math.inf


@compiled
def update_component(
    sums: Float64Array, old_mean: float, reg_covar: float, variance_floor: float
) -> tuple[float, float, float]:
    """Return mass, mean and variance from the sums of mass * (x - old mean)^0, 1, 2."""
    mass = sums[0] + TEN_EPSILON
    mean = old_mean + (sums[1] - old_mean * TEN_EPSILON) / mass
    moved = mean - old_mean
    scatter = (sums[2] - 2.0 * moved * sums[1]) + moved * moved * sums[0]
    variance = scatter / mass + reg_covar
    return mass, mean, variance_floor if variance < variance_floor else variance
