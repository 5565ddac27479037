// The Gaussian mixture in one dimension, made of IEEE additions, multiplications, divisions and square roots
// in a fixed order, so that CPU, GPU and every SIMD level give the same bits. Compile without contraction
// (-ffp-contract=off,
// --fmad=false). The polynomials interpolate at Chebyshev nodes; coefficients computed with 60 digits.
//
// exp_fixed: error below 1 ulp on [-708, 709], 0 below -708.8. log_fixed: error below 1 ulp on positive
// normal numbers. (tests/mixture/test_gaussian_functions.py measures both against decimal arithmetic.)
#pragma once
#include "shared/portable.h"

namespace fg {

constexpr int kLanes = 512;  // bin j is added to lane j mod 512; then a binary tree 256, 128, ..., 1
constexpr double kHalfLog2Pi = 0x1.d67f1c864beb5p-1;
constexpr double kTenEpsilon = 10 * 0x1p-52;  // scikit-learn adds this to the mass of a component
constexpr double kLn2High = 0x1.62e42p-1,
                 kLn2Low = 0x1.fdf473de6af28p-22;  // High has 21 bits: k * High is exact
constexpr double kRoundingShift = 0x1.8p52;  // adding it rounds to whole numbers, left in the lowest bits

FG_HD unsigned long long bits_of(double value) {
#if defined(__CUDA_ARCH__)
  return static_cast<unsigned long long>(__double_as_longlong(value));
#else
  return __builtin_bit_cast(unsigned long long, value);
#endif
}

FG_HD double double_of(unsigned long long bits) {
#if defined(__CUDA_ARCH__)
  return __longlong_as_double(static_cast<long long>(bits));
#else
  return __builtin_bit_cast(double, bits);
#endif
}

// exp(x) = 2^k exp(r), |r| <= ln(2) / 2, exp(r) = 1 + r + r^2 q(r).
// Below -708.7 k is -1023 or clamped to it, and 2^k becomes 0 by its bits: no branch that would stop
// vectorisation.
FG_HD double exp_fixed(double argument) {
  const double x = argument < -709.1 ? -709.1 : argument;
  const double shifted = x * 0x1.71547652b82fep+0 + kRoundingShift;
  const double k = shifted - kRoundingShift;
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double q = 0x1.af38a9b0ec855p-26;
  q = q * r + 0x1.289185613a3d6p-22;
  q = q * r + 0x1.71de0dae63bb3p-19;
  q = q * r + 0x1.a019b90d2ae7ap-16;
  q = q * r + 0x1.a01a01a7c41d5p-13;
  q = q * r + 0x1.6c16c1788bd90p-10;
  q = q * r + 0x1.11111111109b3p-7;
  q = q * r + 0x1.5555555553d63p-5;
  q = q * r + 0x1.5555555555556p-3;
  q = q * r + 0x1.0000000000001p-1;
  const double power = double_of((bits_of(shifted) + 1023) << 52);
  return (1.0 + (r + r * r * q)) * power;
}

// log(x) = k ln 2 + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2), log(1 + f) = f - s (f - z p(z)), s = f / (2 +
// f), z = s^2.
FG_HD double log_fixed(double x) {
  const unsigned long long bits = bits_of(x);
  const unsigned long long biased = (bits - 0x3fe6a09e667f3bcdull + (1024ull << 52)) >> 52;  // k + 1024
  const double k = double_of(biased | 0x4330000000000000ull) - (0x1p52 + 1024.0);
  const double f = double_of(bits - (biased << 52) + (1024ull << 52)) - 1.0;
  const double s = f / (2.0 + f), z = s * s;
  double p = 0x1.2b5900de53b32p-3;
  p = p * z + 0x1.39fe51a7c18f9p-3;
  p = p * z + 0x1.7462b51cb66b1p-3;
  p = p * z + 0x1.c71c62e3f11e6p-3;
  p = p * z + 0x1.2492492df281ap-2;
  p = p * z + 0x1.99999999952d7p-2;
  p = p * z + 0x1.5555555555558p-1;
  return k * kLn2High + (f - (s * (f - z * p) - k * kLn2Low));
}

// log of a weight or a precision, which may be 0 (or too small to be normal).
FG_HD double log_or_minus_infinity(double x) {
  return x >= 0x1p-1022 ? log_fixed(x) : -double_of(0x7ff0000000000000ull);
}

// log(weight N(x; mean, 1 / precision^2)) = offset - ((x - mean) precision)^2 / 2.
struct Component {
  double mean, precision, offset;
};

FG_HD Component make_component(double weight, double mean, double precision) {
  return {mean, precision, (log_or_minus_infinity(weight) + log_or_minus_infinity(precision)) - kHalfLog2Pi};
}

FG_HD double log_density(const Component& c, double x) {
  const double d = (x - c.mean) * c.precision;
  return c.offset - 0.5 * (d * d);
}

// Sums over bins of responsibility * count * (x - mean)^0, 1, 2, about the mean of the step before.
struct Moments {
  double s0, s1, s2;
};

struct Updated {
  double mass, mean, variance;
};

// The M-step of scikit-learn in terms of those sums: mean = sum(r x) / (s0 + 10 eps), variance about the new
// mean. A floor of 0 leaves the variance as it is.
FG_HD Updated update_component(const Moments& m, double old_mean, double reg_covar, double variance_floor) {
  const double mass = m.s0 + kTenEpsilon;
  const double mean = old_mean + (m.s1 - old_mean * kTenEpsilon) / mass;
  const double moved = mean - old_mean;
  const double scatter = (m.s2 - 2.0 * moved * m.s1) + moved * moved * m.s0;
  const double variance = scatter / mass + reg_covar;
  return {mass, mean, variance < variance_floor ? variance_floor : variance};
}

}  // namespace fg
