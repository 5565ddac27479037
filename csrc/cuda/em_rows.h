// What the kernels of em_rows.cu share: rows and mixtures as they lie in memory, log densities, sums over a
// block.
#pragma once
#include "cuda/device.h"
#include "shared/gaussian.h"

namespace fg {

enum Kind : long long { kFull, kTied, kDiagonal };

// Row r, feature i at values[r * row_stride + i * feature_stride].
template <class T>
struct Rows {
  const T* values;
  long long row_stride, feature_stride, n;

  __device__ double at(long long row, long long feature) const {
    return static_cast<double>(values[row * row_stride + feature * feature_stride]);
  }
};

// log density of component k at x = offsets[k] - |P' (x - means[k])|^2 / 2. Factors P: for kFull K, for kTied
// one of d rows of padded_width(d) columns, 0 below the diagonal and past d; for kDiagonal K rows of d.
struct MixtureOnDevice {
  Kind kind;
  int n_components, n_features;
  const double *offsets, *means, *factors;
};

constexpr int kColumns = 4;  // columns of a factor multiplied at once: five loads for five operations

struct alignas(16) FourColumns {
  double at[kColumns];
};

__device__ __forceinline__ int padded_width(int d) {
  return (d + kColumns - 1) / kColumns * kColumns;
}

// |P' (x - mean)|^2 for an upper triangular P; feature i of the row at x[i * stride].
template <class V>
__device__ double squared_length(const V* x, long long stride, int d, const double* mean,
                                 const double* factor) {
  const int width = padded_width(d);
  double total = 0.0;
  for (int first = 0; first < width; first += kColumns) {
    double product[kColumns] = {};
    const int used = min(first + kColumns, d);
    for (int i = 0; i < used; ++i) {
      const double centred = static_cast<double>(x[i * stride]) - mean[i];
      const FourColumns columns =
          *reinterpret_cast<const FourColumns*>(factor + static_cast<long long>(i) * width + first);
      for (int j = 0; j < kColumns; ++j) product[j] += centred * columns.at[j];
    }
    for (int j = 0; j < kColumns; ++j) total += product[j] * product[j];
  }
  return total;
}

template <class V>
__device__ double log_density_of(const MixtureOnDevice& m, int k, const V* x, long long stride) {
  const int d = m.n_features;
  const double* const mean = m.means + static_cast<long long>(k) * d;
  double total = 0.0;
  if (m.kind == kDiagonal) {
    const double* const scale = m.factors + static_cast<long long>(k) * d;
    for (int i = 0; i < d; ++i) {
      const double scaled = (static_cast<double>(x[i * stride]) - mean[i]) * scale[i];
      total += scaled * scaled;
    }
  } else {
    const long long which = m.kind == kFull ? static_cast<long long>(k) * d * padded_width(d) : 0;
    total = squared_length(x, stride, d, mean, m.factors + which);
  }
  return m.offsets[k] - 0.5 * total;
}

// The greatest log density of a row, the sum of the densities relative to it, and the first component that
// has it.
struct Softened {
  double largest, total;
  int label;
};

// Leaves exp(log density - largest) of component k in kept[k * kept_stride], which only this thread touches.
template <class V>
__device__ Softened soften(const MixtureOnDevice& m, const V* x, long long stride, double* kept,
                           long long kept_stride) {
  Softened found{log_density_of(m, 0, x, stride), 0.0, 0};
  kept[0] = found.largest;
  for (int k = 1; k < m.n_components; ++k) {
    const double density = log_density_of(m, k, x, stride);
    kept[k * kept_stride] = density;
    if (density > found.largest) {
      found.largest = density;
      found.label = k;
    }
  }
  for (int k = 0; k < m.n_components; ++k) {
    const double density = exp_fixed(kept[k * kept_stride] - found.largest);
    kept[k * kept_stride] = density;
    found.total += density;
  }
  return found;
}

// Thread t has sums for the group t / per_group of `groups`; adds the groups up in a binary tree and returns
// to the threads of group 0 the sums. slots: N * blockDim.x numbers of shared memory.
template <int N>
__device__ void add_groups(double (&sums)[N], double* slots, int per_group, int groups) {
  const int n = blockDim.x, t = threadIdx.x, group = t / per_group;
  for (int u = 0; u < N; ++u) slots[u * n + t] = sums[u];
  int half = 1;
  while (2 * half < groups) half *= 2;
  for (; half > 0; half /= 2) {
    __syncthreads();
    if (group < half && group + half < groups) {
      for (int u = 0; u < N; ++u) slots[u * n + t] += slots[u * n + t + half * per_group];
    }
  }
  for (int u = 0; u < N; ++u) sums[u] = slots[u * n + t];
  __syncthreads();
}

}  // namespace fg
