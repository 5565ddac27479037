// Loops over the rows of one block. Arrays of rows have length n, a multiple of 64; row vectors of features
// are i * n apart.

#include "core/em_vectors.inl"

#include "core/em_few_features.inl"

// out = offset - |factor' diff|^2 / 2; factor is d rows of `stride` columns, zero below the diagonal and past
// d.
void density_full(const double* diff, int n, int d, const double* factor, int stride, double offset,
                  double* out) {
  for (int b = 0; b < n; b += kGroup * kWidth) {
    Vec total[kGroup] = {};
    for (int j0 = 0; j0 < d; j0 += 4) {
      Vec product[4][kGroup];
      multiply_columns(diff + b, n, j0 + 4 < d ? j0 + 4 : d, factor + j0, stride, product);
      for (int j = 0; j < 4; ++j) {
        for (int g = 0; g < kGroup; ++g) total[g] = multiply_add(product[j][g], product[j][g], total[g]);
      }
    }
    for (int g = 0; g < kGroup; ++g) store(out + b + g * kWidth, offset - 0.5 * total[g]);
  }
}

// projected = factor' diff, with rows of features for all `stride` columns.
void project(const double* diff, int n, int d, const double* factor, int stride, double* projected) {
  for (int b = 0; b < n; b += kGroup * kWidth) {
    for (int j0 = 0; j0 < d; j0 += 4) {
      Vec product[4][kGroup];
      multiply_columns(diff + b, n, j0 + 4 < d ? j0 + 4 : d, factor + j0, stride, product);
      for (int j = 0; j < 4; ++j) {
        for (int g = 0; g < kGroup; ++g) store(projected + (j0 + j) * n + b + g * kWidth, product[j][g]);
      }
    }
  }
}

// out = offset - sum of ((x - mean) scale)^2 / 2.
void density_diag(const double* x, int n, int d, const double* mean, const double* scale, double offset,
                  double* out) {
  for (int b = 0; b < n; b += kGroup * kWidth) {
    Vec total[kGroup] = {};
    for (int i = 0; i < d; ++i) {
      const Vec m = broadcast(mean[i]), s = broadcast(scale[i]);
      for (int g = 0; g < kGroup; ++g) {
        const Vec scaled = (load(x + i * n + b + g * kWidth) - m) * s;
        total[g] = multiply_add(scaled, scaled, total[g]);
      }
    }
    for (int g = 0; g < kGroup; ++g) store(out + b + g * kWidth, offset - 0.5 * total[g]);
  }
}

// Log densities (K, n) become exp(log density - largest); largest and total are per row.
void soften(double* density, int n, int n_components, double* largest, double* total) {
  for (int b = 0; b < n; ++b) largest[b] = density[b];
  for (int k = 1; k < n_components; ++k) {
    const double* const row = density + k * n;
    for (int b = 0; b < n; ++b) largest[b] = row[b] > largest[b] ? row[b] : largest[b];
  }
  for (int b = 0; b < n; ++b) total[b] = 0.0;
  for (int k = 0; k < n_components; ++k) {
    double* const row = density + k * n;
    for (int b = 0; b < n; ++b) {
      row[b] = exp_fixed(row[b] - largest[b]);
      total[b] += row[b];
    }
  }
}

// total becomes its logarithm plus largest.
void log_totals(const double* largest, int n, double* total) {
  for (int b = 0; b < n; ++b) total[b] = largest[b] + log_fixed(total[b]);
}

// Multiplies the rows of density (K, n) by weight / total, and returns the sum of weight * log density.
double share_out(double* density, int n, int n_components, const double* weights, const double* largest,
                 double* total) {
  alignas(64) double sums[64] = {};
  for (int b = 0; b < n; b += 64) {
    for (int i = 0; i < 64; ++i) sums[i] += weights[b + i] * (largest[b + i] + log_fixed(total[b + i]));
  }
  for (int b = 0; b < n; ++b) total[b] = weights[b] / total[b];
  for (int k = 0; k < n_components; ++k) {
    double* const row = density + k * n;
    for (int b = 0; b < n; ++b) row[b] *= total[b];
  }
  for (int half = 32; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

double sum_rows(const double* values, int n) {
  Vec total = {};
  for (int b = 0; b < n; b += kWidth) total += load(values + b);
  return sum_lanes(total);
}

// first[i] += sum of mass (x - mean), and second[i] += sum of mass (x - mean)^2 unless it is null.
void add_moments_diag(const double* x, const double* mass, int n, int d, const double* mean, double* first,
                      double* second) {
  for (int i = 0; i < d; ++i) {
    const Vec m = broadcast(mean[i]);
    Vec sum1[2] = {}, sum2[2] = {};
    for (int b = 0; b < n; b += 2 * kWidth) {
      for (int g = 0; g < 2; ++g) {
        const Vec diff = load(x + i * n + b + g * kWidth) - m;
        const Vec moment = load(mass + b + g * kWidth) * diff;
        sum1[g] += moment;
        sum2[g] = multiply_add(moment, diff, sum2[g]);
      }
    }
    first[i] += sum_lanes(sum1[0] + sum1[1]);
    if (second) second[i] += sum_lanes(sum2[0] + sum2[1]);
  }
}

// sums[i][j] += sum of left[i] right[j], lane by lane.
inline void multiply_tile(const double* const (&left)[4], const double* const (&right)[kTile], int n,
                          Vec (&sums)[4][kTile]) {
  for (int b = 0; b < n; b += kWidth) {
    Vec column[kTile];
    for (int j = 0; j < kTile; ++j) column[j] = load(right[j] + b);
    for (int i = 0; i < 4; ++i) {
      const Vec row = load(left[i] + b);
      for (int j = 0; j < kTile; ++j) sums[i][j] = multiply_add(row, column[j], sums[i][j]);
    }
  }
}

// second[i, j] += sum of weighted[i] diff[j] for i <= j, four by kTile at a time; some of j < i are written
// too.
void add_moments_full(const double* diff, const double* weighted, int n, int d, double* second) {
  const int last = d - 1;
  for (int i0 = 0; i0 < d; i0 += 4) {
    const double* left[4];
    for (int i = 0; i < 4; ++i) left[i] = weighted + (i0 + i < last ? i0 + i : last) * n;
    for (int j0 = i0 / kTile * kTile; j0 < d; j0 += kTile) {
      const double* right[kTile];
      for (int j = 0; j < kTile; ++j) right[j] = diff + (j0 + j < last ? j0 + j : last) * n;
      Vec sums[4][kTile] = {};
      multiply_tile(left, right, n, sums);
      for (int i = 0; i < 4 && i0 + i < d; ++i) {
        for (int j = 0; j < kTile && j0 + j < d; ++j) second[(i0 + i) * d + j0 + j] += sum_lanes(sums[i][j]);
      }
    }
  }
}

// diff = x - mean, weighted = mass diff, and first[i] += sum of weighted[i].
void weigh_rows(const double* x, const double* mean, const double* mass, int n, int d, double* diff,
                double* weighted, double* first) {
  for (int i = 0; i < d; ++i) {
    const Vec m = broadcast(mean[i]);
    Vec total = {};
    for (int b = 0; b < n; b += kWidth) {
      const Vec apart = load(x + i * n + b) - m, moment = load(mass + b) * apart;
      store(diff + i * n + b, apart);
      store(weighted + i * n + b, moment);
      total += moment;
    }
    first[i] += sum_lanes(total);
  }
}

// The first component of greatest log density.
void largest_component(const double* density, int n, int n_components, double* largest,
                       std::int64_t* labels) {
  for (int b = 0; b < n; ++b) {
    largest[b] = density[b];
    labels[b] = 0;
  }
  for (int k = 1; k < n_components; ++k) {
    const double* const row = density + k * n;
    for (int b = 0; b < n; ++b) {
      const bool greater = row[b] > largest[b];
      labels[b] = greater ? k : labels[b];
      largest[b] = greater ? row[b] : largest[b];
    }
  }
}
