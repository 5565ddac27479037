// What the row loops of the em family share: vectors of doubles, their sums, and the products of rows with
// columns. Included by other .inl files, once per instruction set. Arrays of rows have length n, a multiple
// of 64; row vectors of features are i * n apart.

#if FG_LEVEL == 2
typedef double Vec __attribute__((vector_size(64), may_alias));
constexpr int kGroup = 4, kTile = 4;  // 16 sums in the 32 registers
#elif FG_LEVEL == 1
typedef double Vec __attribute__((vector_size(32), may_alias));
constexpr int kGroup = 2, kTile = 2;  // 8 sums in the 16 registers
#elif defined(__GNUC__)
typedef double Vec __attribute__((vector_size(16), may_alias));
constexpr int kGroup = 2, kTile = 2;
#else
typedef double Vec;
constexpr int kGroup = 2, kTile = 2;
#endif
constexpr int kWidth = sizeof(Vec) / sizeof(double);

inline Vec load(const double* p) {
  return *reinterpret_cast<const Vec*>(p);
}
inline void store(double* p, Vec v) {
  *reinterpret_cast<Vec*>(p) = v;
}
inline Vec broadcast(double value) {
  return value - Vec{};
}

inline Vec multiply_add(Vec a, Vec b, Vec c) {
#if FG_LEVEL == 2
  return static_cast<Vec>(_mm512_fmadd_pd(a, b, c));
#elif FG_LEVEL == 1
  return static_cast<Vec>(_mm256_fmadd_pd(a, b, c));
#else
  return a * b + c;
#endif
}

inline double sum_lanes(Vec v) {
  alignas(64) double lanes[kWidth];
  store(lanes, v);
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

inline void subtract_mean(const double* x, const double* mean, int n, int d, double* diff) {
  for (int i = 0; i < d; ++i) {
    const double m = mean[i];
    for (int b = 0; b < n; ++b) diff[i * n + b] = x[i * n + b] - m;
  }
}

// The products with four columns of an upper triangular factor, for kGroup * kWidth rows.
inline void multiply_columns(const double* diff, int n, int n_used, const double* columns, int stride,
                             Vec (&product)[4][kGroup]) {
  for (int j = 0; j < 4; ++j) {
    for (int g = 0; g < kGroup; ++g) product[j][g] = Vec{};
  }
  for (int i = 0; i < n_used; ++i) {
    const double* const factor = columns + i * stride;
    for (int g = 0; g < kGroup; ++g) {
      const Vec v = load(diff + i * n + g * kWidth);
      for (int j = 0; j < 4; ++j) product[j][g] = multiply_add(v, broadcast(factor[j]), product[j][g]);
    }
  }
}
