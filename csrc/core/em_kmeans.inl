// Loops over the rows x (d, n) of one block. `columns` has d rows of `stride` numbers, a column for each
// centre and zeros past the last; norms has their squared lengths, infinite past the last.

#include "core/em_vectors.inl"

// Takes four centres from j0 on into the best score and its centre so far.
inline void compare_centres(const Vec (&product)[4][kGroup], const double* norms, int j0, Vec (&best)[kGroup],
                            Vec (&found)[kGroup]) {
  for (int j = 0; j < 4; ++j) {
    const Vec norm = broadcast(norms[j0 + j]), number = broadcast(j0 + j);
    for (int g = 0; g < kGroup; ++g) {
      const Vec score = norm - (product[j][g] + product[j][g]);
      found[g] = score < best[g] ? number : found[g];
      best[g] = score < best[g] ? score : best[g];
    }
  }
}

// nearest[b] becomes the centre of least |c|^2 - 2 x.c, as a double.
void nearest_centre(const double* x, int n, int d, const double* columns, const double* norms, int stride,
                    double* nearest) {
  for (int b = 0; b < n; b += kGroup * kWidth) {
    Vec best[kGroup], found[kGroup] = {};
    for (int g = 0; g < kGroup; ++g) best[g] = broadcast(norms[stride]);
    for (int j0 = 0; j0 < stride; j0 += 4) {
      Vec product[4][kGroup];
      multiply_columns(x + b, n, d, columns + j0, stride, product);
      compare_centres(product, norms, j0, best, found);
    }
    for (int g = 0; g < kGroup; ++g) store(nearest + b + g * kWidth, found[g]);
  }
}

inline double weighted_sum(const double* weights, const double* x, int n) {
  Vec sums[2] = {};
  for (int b = 0; b < n; b += 2 * kWidth) {
    for (int g = 0; g < 2; ++g) {
      sums[g] = multiply_add(load(weights + b + g * kWidth), load(x + b + g * kWidth), sums[g]);
    }
  }
  return sum_lanes(sums[0] + sums[1]);
}

// Adds the weights and the weighted rows of each cluster; `member` is room for n numbers.
void add_clusters(const double* x, const double* weights, const double* nearest, int n, int d, int n_centres,
                  double* member, double* mass, double* first) {
  for (int k = 0; k < n_centres; ++k) {
    const Vec number = broadcast(k);
    Vec total = {};
    for (int b = 0; b < n; b += kWidth) {
      const Vec weight = load(nearest + b) == number ? load(weights + b) : Vec{};
      store(member + b, weight);
      total += weight;
    }
    const double sum = sum_lanes(total);
    if (sum == 0.0) continue;
    mass[k] += sum;
    for (int i = 0; i < d; ++i) first[k * d + i] += weighted_sum(member, x + i * n, n);
  }
}

void squared_lengths(const double* x, int n, int d, double* out) {
  for (int b = 0; b < n; ++b) out[b] = 0.0;
  for (int i = 0; i < d; ++i) {
    for (int b = 0; b < n; ++b) out[b] += x[i * n + b] * x[i * n + b];
  }
}

// The terms of add_potentials for a group of rows and four centres.
inline void add_terms(const Vec (&product)[4][kGroup], const double* lengths, const double* weights,
                      const double* closest, const double* norms, Vec (&totals)[4]) {
  for (int g = 0; g < kGroup; ++g) {
    const int at = g * kWidth;
    const Vec length = load(lengths + at), near = load(closest + at), weight = load(weights + at);
    for (int j = 0; j < 4; ++j) {
      Vec distance = (broadcast(norms[j]) - (product[j][g] + product[j][g])) + length;
      distance = distance > Vec{} ? distance : Vec{};
      totals[j] = multiply_add(weight, distance < near ? distance : near, totals[j]);
    }
  }
}

// sums[j] += weight * min(closest, squared distance to centre j) over the rows; lengths as squared_lengths.
void add_potentials(const double* x, const double* lengths, const double* weights, const double* closest,
                    int n, int d, const double* columns, const double* norms, int stride, double* sums) {
  for (int j0 = 0; j0 < stride; j0 += 4) {
    Vec totals[4] = {};
    for (int b = 0; b < n; b += kGroup * kWidth) {
      Vec product[4][kGroup];
      multiply_columns(x + b, n, d, columns + j0, stride, product);
      add_terms(product, lengths + b, weights + b, closest + b, norms + j0, totals);
    }
    for (int j = 0; j < 4; ++j) sums[j0 + j] += sum_lanes(totals[j]);
  }
}

// closest becomes the least of itself and the squared distance to the centre; returns the sum of weight *
// closest.
double approach(const double* x, const double* lengths, const double* weights, int n, int d,
                const double* centre, double norm, double* closest) {
  Vec total = {};
  for (int b = 0; b < n; b += kWidth) {
    Vec product = {};
    for (int i = 0; i < d; ++i) product = multiply_add(load(x + i * n + b), broadcast(centre[i]), product);
    Vec distance = (norm - (product + product)) + load(lengths + b);
    distance = distance > Vec{} ? distance : Vec{};
    const Vec near = load(closest + b);
    distance = distance < near ? distance : near;
    store(closest + b, distance);
    total = multiply_add(load(weights + b), distance, total);
  }
  return sum_lanes(total);
}
