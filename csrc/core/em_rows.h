// The E-step's side of the rows: how they are cut, what it needs of the mixture, and the arrays of one
// worker.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/em_blocks.h"

namespace fg {

constexpr std::int64_t kChunkBytes = 48 << 20;  // all partial sums together
constexpr std::int64_t kMaxChunks = 64;
constexpr std::int64_t kSmallWork =
    1 << 15;  // rows times components times features below which one thread is faster

constexpr int kFewFeatures = 8;  // full covariances of so few features stay in registers

inline int padded_features(int d) {
  return (d + 3) / 4 * 4;
}

// How the rows are cut: a function of the shape only.
struct Plan {
  int block_rows;
  std::int64_t n_blocks, n_chunks;
  int n_threads;

  Plan(std::int64_t n, const MixtureView& m, std::int64_t sums, int threads) {
    block_rows = m.n_features <= 32 ? 512 : 256;
    while (block_rows > 64 && block_rows / 2 >= n) block_rows /= 2;
    n_blocks = (n + block_rows - 1) / block_rows;
    const std::int64_t affordable = kChunkBytes / (8 * std::max<std::int64_t>(sums, 1));
    n_chunks = std::min(n_blocks, std::clamp<std::int64_t>(affordable, 2, kMaxChunks));
    n_threads = n * m.n_components * m.n_features < kSmallWork ? 1 : threads;
  }
  std::int64_t first_block(std::int64_t chunk) const { return chunk * n_blocks / n_chunks; }
};

// What the E-step needs of a mixture in the shape its loops want.
class Prepared {
 public:
  explicit Prepared(const MixtureView& m) : mixture(m), stride(padded_features(m.n_features)) {
    const int d = m.n_features;
    if (m.kind == Covariance::diag || !m.precisions) return;
    const int n_factors = m.kind == Covariance::full ? m.n_components : 1;
    factors_.assign(std::size_t(n_factors) * d * stride, 0.0);
    for (int k = 0; k < n_factors; ++k) {
      for (int i = 0; i < d; ++i) {
        const double* const from = m.precisions + (std::size_t(k) * d + i) * d;
        std::copy(from + i, from + d, factors_.data() + (std::size_t(k) * d + i) * stride + i);
      }
    }
    if (m.kind == Covariance::tied) project_means();
  }
  const double* factor(int k) const { return factors_.data() + std::size_t(k) * mixture.n_features * stride; }
  const double* mean(int k) const { return mixture.means + std::size_t(k) * mixture.n_features; }
  const double* projected_mean(int k) const {
    return projected_means_.data() + std::size_t(k) * mixture.n_features;
  }

  const double* ones() const { return ones_.data(); }

  MixtureView mixture;
  int stride;

 private:
  // Tied: the first mean is the centre, about which rows and means are projected.
  void project_means() {
    const int d = mixture.n_features;
    ones_.assign(d, 1.0);
    projected_means_.assign(std::size_t(mixture.n_components) * d, 0.0);
    for (int k = 0; k < mixture.n_components; ++k) {
      for (int i = 0; i < d; ++i) {
        const double diff = mean(k)[i] - mean(0)[i];
        for (int j = i; j < d; ++j)
          projected_means_[std::size_t(k) * d + j] += diff * factors_[i * stride + j];
      }
    }
  }
  std::vector<double> factors_, projected_means_, ones_;
};

// The arrays of one worker; [feature or component][row].
struct Workspace {
  double *x, *diff, *weighted, *density, *weights, *largest, *total, *ones;
  std::int64_t* labels;

  static std::int64_t numbers(int rows, const MixtureView& m) {
    return std::int64_t{rows} * (3 * padded_features(m.n_features) + m.n_components + 5);
  }
  Workspace(double* memory, int rows, const MixtureView& m) {
    const std::int64_t features = std::int64_t{rows} * padded_features(m.n_features);
    x = memory;
    diff = x + features;
    weighted = diff + features;
    density = weighted + features;
    weights = density + std::int64_t{rows} * m.n_components;
    largest = weights + rows;
    total = largest + rows;
    ones = total + rows;
    labels = reinterpret_cast<std::int64_t*>(ones + rows);
    std::fill(ones, ones + rows, 1.0);
  }
};

// Copies rows first..first + n - 1 feature by feature; rows past the end repeat the last with weight 0.
template <class T>
void load_block(const RowsView<T>& rows, std::int64_t first, int n, int d, Workspace& w) {
  const int used = static_cast<int>(std::min<std::int64_t>(n, rows.n_rows - first));
  for (int i = 0; i < d; ++i) {
    const T* const from = rows.values + first * rows.row_stride + i * rows.feature_stride;
    double* const to = w.x + std::int64_t{i} * n;
    for (int b = 0; b < used; ++b) to[b] = static_cast<double>(from[b * rows.row_stride]);
    std::fill(to + used, to + n, to[used - 1]);
  }
  const double* const weights = rows.weights ? rows.weights + first : w.ones;
  std::copy(weights, weights + used, w.weights);
  std::fill(w.weights + used, w.weights + n, 0.0);
}

}  // namespace fg
