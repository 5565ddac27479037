// One EM step on rows of any dimension: the rows go through in slabs, each slab through three kernels.
//
// em_shares, a thread per row: log densities, and for each row the exponentials relative to the greatest one.
// em_moments_full and em_moments_diagonal, a block per component and chunk of 4,096 rows: sums of weight *
// share * (x - mean)^p. em_collect adds the chunks in rising order. The responsibilities of a slab are the
// largest scratch (4 million numbers, 32 MB, in L2 on large cards), so no n x K matrix exists. All sums are
// in float64 about the present means, in an order that depends on the shape of the input only: the same bits
// on every run of one machine code.
//
// em_moments_full: with a = (1, x - mean) all moments of a component are the sums of share * a_i a_j, i <= j.
// Features b, b + n_blocks, b + 2 n_blocks, ... form block b of four; a thread holds the 16 sums of a pair of
// blocks and goes through the rows that its group has; d = 3 is one pair and 256 groups, d = 32 45 pairs and
// 5 groups. Rows are staged feature by feature at an odd stride: neither lanes on neighbouring rows nor on
// neighbouring blocks share a bank.
//
// Cost per row and component: float64 operations E = 2 (d^2 / 2 + 2 d) + 35 (full; 3 d + 35 diag), M = 16
// pairs of 2 operations and 4 d; bytes 8 d (staging, from L2) + 32. For d = 8 K = 8 n = 1e6 float64 on 34
// TFLOP/s and 3.3 TB/s: 8e6 * (131 + 224 operations) = 2.8 GFLOP, .17 ms at half of the peak; rows once from
// memory 64 MB, .02 ms; scratch and staging 8e6 * 96 bytes from L2 at 5 TB/s, .15 ms. scikit-learn on CuPy
// arrays reads and writes about 13 arrays of n d numbers per component (product, difference, square, sum;
// difference, product, matrix product): 8 * 13 * 64 MB = 6.7 GB, 2.0 ms, and 10 launches a component.
// Predicted 6 times as fast there, 8 at d = 3, 4 at d = 32 (45 pairs: 1,440 operations and 1,150; 1.6 ms
// against 8). Measured on an H200 with K = 5: 16, 6.7 and 3.3 times as fast at d = 3, 8, 32. Float64
// arithmetic is 1/32 or 1/64 of float32 on consumer cards: there the step is bound by it and float32 rivals
// win. For d of hundreds matrix products on tensor cores win (cuVS for k-means, scikit-learn's own products
// on cuBLAS), for K of hundreds Flash-GMM, which never writes the shares.
#include "cuda/em_rows.h"

namespace fg {

constexpr int kRows =
    FG_ROWS;  // a thread per row; fewer where a row is long, so that they fit in shared memory
constexpr int kSharesBlocks =
    512 / kRows;                    // on a processor: em_shares gets up to 128 registers and need not spill
constexpr int kThreads = 256;       // of the kernels over chunks: 128 registers a thread for 16 sums
constexpr long long kChunk = 4096;  // 16 rows a thread at least, so that adding the groups up costs little
constexpr int kTile = 4;

// Copies the block's rows to shared memory, feature by feature kRows + 1 apart; for rows too long returns
// where they are.
__device__ void stage_rows(const Rows<FG_REAL>& rows, long long first, int d, double* staged) {
  const int used = static_cast<int>(min(rows.n - first, static_cast<long long>(kRows)));
  for (int i = threadIdx.x; i < used * d; i += kRows) {
    staged[i % d * (kRows + 1) + i / d] = rows.at(first + i / d, i % d);
  }
  __syncthreads();
}

// softens row `row`, staged or where it lies.
__device__ Softened soften_row(const Rows<FG_REAL>& rows, long long row, const MixtureOnDevice& m,
                               const double* staged, double* kept, long long kept_stride) {
  if (staged) return soften(m, staged + threadIdx.x, kRows + 1, kept, kept_stride);
  return soften(m, rows.values + row * rows.row_stride, rows.feature_stride, kept, kept_stride);
}

// shares (K, n_stride): exponentials; ratios (n): weight / their sum; evidence (blocks): sums of weight * log
// density. is_staged: whether the rows fit in shared memory; is_kept: whether the densities of the block do
// too.
extern "C" __global__ void __launch_bounds__(kRows, kSharesBlocks)
    em_shares(const FG_REAL* values, long long row_stride, long long feature_stride, long long n,
              const double* weights, long long kind, long long n_components, long long d,
              const double* offsets, const double* means, const double* factors, long long is_staged,
              long long is_kept, long long n_stride, double* shares, double* ratios, double* evidence) {
  CU_DYN_SHARED(double, memory);
  const Rows<FG_REAL> rows{values, row_stride, feature_stride, n};
  const MixtureOnDevice m{
      static_cast<Kind>(kind), static_cast<int>(n_components), static_cast<int>(d), offsets, means, factors};
  const long long first = blockIdx.x * static_cast<long long>(kRows), row = first + threadIdx.x;
  double* const staged = is_staged ? memory + kRows : nullptr;
  double* const column = memory + kRows + (is_staged ? d * (kRows + 1) : 0) + threadIdx.x;
  if (is_staged) stage_rows(rows, first, m.n_features, staged);
  double term[1] = {};
  if (row < n) {
    double* const kept = is_kept ? column : shares + row;
    const Softened found = soften_row(rows, row, m, staged, kept, is_kept ? kRows : n_stride);
    for (int k = 0; is_kept && k < m.n_components; ++k) shares[k * n_stride + row] = column[k * kRows];
    const double weight = weights ? weights[row] : 1.0;
    ratios[row] = weight / found.total;
    term[0] = weight * (found.largest + log_fixed(found.total));
  }
  add_groups(term, memory, 1, kRows);
  if (threadIdx.x == 0) evidence[blockIdx.x] = term[0];
}

// What is null is left out. kept (K, n): scratch where the densities do not fit in shared memory.
extern "C" __global__ void __launch_bounds__(kRows)
    em_assign(const FG_REAL* values, long long row_stride, long long feature_stride, long long n,
              long long kind, long long n_components, long long d, const double* offsets, const double* means,
              const double* factors, long long is_staged, double* scratch, long long* labels,
              FG_REAL* log_density, FG_REAL* responsibilities) {
  CU_DYN_SHARED(double, memory);
  const Rows<FG_REAL> rows{values, row_stride, feature_stride, n};
  const MixtureOnDevice m{
      static_cast<Kind>(kind), static_cast<int>(n_components), static_cast<int>(d), offsets, means, factors};
  const long long first = blockIdx.x * static_cast<long long>(kRows), row = first + threadIdx.x;
  if (is_staged) stage_rows(rows, first, m.n_features, memory);
  if (row >= n) return;
  double* const kept = scratch ? scratch + row : memory + (is_staged ? d * (kRows + 1) : 0) + threadIdx.x;
  const long long kept_stride = scratch ? n : kRows;
  const Softened found = soften_row(rows, row, m, is_staged ? memory : nullptr, kept, kept_stride);
  if (labels) labels[row] = found.label;
  if (log_density) log_density[row] = static_cast<FG_REAL>(found.largest + log_fixed(found.total));
  for (int k = 0; responsibilities && k < m.n_components; ++k) {
    responsibilities[row * m.n_components + k] = static_cast<FG_REAL>(kept[k * kept_stride] / found.total);
  }
}

// The share of row `row` in component k is values[row * row_stride + k * component_stride], 1 without values,
// times ratios[row] if given; with labels (n) it is 0 for all components but the row's own.
struct Shares {
  const double* values;
  long long row_stride, component_stride;
  const double* ratios;
  const int* labels;

  __device__ double at(long long row, int k) const {
    if (labels && labels[row] != k) return 0.0;
    const double share = values ? values[row * row_stride + k * component_stride] : 1.0;
    return ratios ? share * ratios[row] : share;
  }
};

// One component, one chunk, and the pair of feature blocks of this thread.
struct Pair {
  int first, second, n_blocks;

  __device__ Pair(int index, int d) : first(0), n_blocks((d + kTile) / kTile) {
    while (index >= n_blocks - first) index -= n_blocks - first++;
    second = first + index;
  }

  // Writes the sums as mass, first moments (d), second moments (d, d).
  __device__ void write(const double (&sums)[kTile * kTile], int d, double* out) const {
    for (int q = 0; q < kTile * kTile; ++q) {
      const int i = first + q / kTile * n_blocks, j = second + q % kTile * n_blocks;
      if (i > d || j > d || (first == second && i > j)) continue;
      if (i == 0 || j == 0) {
        out[i + j] = sums[q];
      } else {
        out[d + static_cast<long long>(i - 1) * d + j] = sums[q];
        out[d + static_cast<long long>(j - 1) * d + i] = sums[q];
      }
    }
  }
};

// Stages (1, x - mean, 0 ...) of the rows first .. first + n_rows - 1, and their shares behind them; 0 past
// the end.
__device__ void stage_centred(const Rows<FG_REAL>& rows, long long first, int n_rows, int d, int width,
                              const double* mean, const Shares& shares, int k, double* staged) {
  for (int i = threadIdx.x; i < n_rows * width; i += kThreads) {
    const int r = i / width, feature = i % width;
    const bool inside = first + r < rows.n && feature <= d;
    const double value = !inside ? 0.0 : feature ? rows.at(first + r, feature - 1) - mean[feature - 1] : 1.0;
    staged[feature * (n_rows + 1) + r] = value;
  }
  double* const share = staged + width * (n_rows + 1);
  for (int r = threadIdx.x; r < n_rows; r += kThreads)
    share[r] = first + r < rows.n ? shares.at(first + r, k) : 0.0;
}

// partial (chunks, K, 1 + d + d^2). tile_rows: rows staged at once, a power of two.
extern "C" __global__ void __launch_bounds__(kThreads)
    em_moments_full(const FG_REAL* values, long long row_stride, long long feature_stride, long long n,
                    long long d, const double* share_values, long long share_row_stride,
                    long long share_component_stride, const double* ratios, const int* labels,
                    long long n_components, const double* means, long long tile_rows, double* partial) {
  CU_DYN_SHARED(double, staged);
  const Rows<FG_REAL> rows{values, row_stride, feature_stride, n};
  const Shares shares{share_values, share_row_stride, share_component_stride, ratios, labels};
  const int k = static_cast<int>(blockIdx.x % n_components), n_features = static_cast<int>(d);
  const int n_rows = static_cast<int>(tile_rows), n_blocks = (n_features + kTile) / kTile;
  const int n_pairs = n_blocks * (n_blocks + 1) / 2, per_group = min(n_pairs, kThreads);
  const int groups = kThreads / per_group, group = threadIdx.x / per_group;
  const int index = static_cast<int>(blockIdx.y) * kThreads + threadIdx.x % per_group;
  const Pair pair(min(index, n_pairs - 1), n_features);
  const long long begin = blockIdx.x / n_components * kChunk, end = min(begin + kChunk, n);
  double sums[kTile * kTile] = {};
  for (long long first = begin; first < end; first += n_rows) {
    __syncthreads();
    stage_centred(rows, first, n_rows, n_features, n_blocks * kTile, means + k * d, shares, k, staged);
    __syncthreads();
    const int stride = n_rows + 1;
    for (int r = group < groups ? group : n_rows; r < n_rows; r += groups) {
      const double share = staged[n_blocks * kTile * stride + r];
      double right[kTile];
      for (int v = 0; v < kTile; ++v) right[v] = staged[(pair.second + v * n_blocks) * stride + r];
      for (int u = 0; u < kTile; ++u) {
        const double left = share * staged[(pair.first + u * n_blocks) * stride + r];
        for (int v = 0; v < kTile; ++v) sums[u * kTile + v] += left * right[v];
      }
    }
  }
  __syncthreads();
  add_groups(sums, staged, per_group, groups);
  if (group == 0 && index < n_pairs) pair.write(sums, n_features, partial + blockIdx.x * (1 + d + d * d));
}

// partial (chunks, K, 1 + d + d): mass, first, second moments; without the last (tied) 1 + d.
extern "C" __global__ void __launch_bounds__(kThreads)
    em_moments_diagonal(const FG_REAL* values, long long row_stride, long long feature_stride, long long n,
                        long long d, const double* share_values, long long share_row_stride,
                        long long share_component_stride, const double* ratios, const int* labels,
                        long long n_components, const double* means, long long has_second, double* partial) {
  CU_SHARED(double, slots, [3 * kThreads]);
  const Rows<FG_REAL> rows{values, row_stride, feature_stride, n};
  const Shares shares{share_values, share_row_stride, share_component_stride, ratios, labels};
  const int k = static_cast<int>(blockIdx.x % n_components);
  const int per_group = static_cast<int>(min(d, static_cast<long long>(kThreads)));
  const int groups = kThreads / per_group, group = threadIdx.x / per_group;
  const long long feature = blockIdx.y * static_cast<long long>(kThreads) + threadIdx.x % per_group;
  const long long begin = blockIdx.x / n_components * kChunk, end = min(begin + kChunk, n);
  const bool is_used = group < groups && feature < d;
  const double mean = is_used ? means[k * d + feature] : 0.0;
  double sums[3] = {};
  for (long long row = is_used ? begin + group : end; row < end; row += groups) {
    const double share = shares.at(row, k), centred = rows.at(row, feature) - mean, moment = share * centred;
    sums[0] += share;
    sums[1] += moment;
    sums[2] += moment * centred;
  }
  add_groups(sums, slots, per_group, groups);
  if (group > 0 || feature >= d) return;
  double* const out = partial + blockIdx.x * (1 + (has_second ? 2 : 1) * d);
  if (feature == 0) out[0] = sums[0];
  out[1 + feature] = sums[1];
  if (has_second) out[1 + d + feature] = sums[2];
}

// totals[0] += the sum of evidence, by the first block; totals[1 + q] += that of partial[chunk][q] in rising
// order.
extern "C" __global__ void __launch_bounds__(kThreads)
    em_collect(const double* partial, long long n_chunks, long long n_sums, const double* evidence,
               long long n_evidence, double* totals) {
  CU_SHARED(double, slots, [kThreads]);
  if (blockIdx.x == 0) {
    double sum[1] = {};
    for (long long i = threadIdx.x; i < n_evidence; i += kThreads) sum[0] += evidence[i];
    add_groups(sum, slots, 1, kThreads);
    if (threadIdx.x == 0) totals[0] += sum[0];
    return;
  }
  const long long q = (blockIdx.x - 1) * static_cast<long long>(kThreads) + threadIdx.x;
  if (q >= n_sums) return;
  double total = totals[1 + q];
  for (long long chunk = 0; chunk < n_chunks; ++chunk) total += partial[chunk * n_sums + q];
  totals[1 + q] = total;
}

}  // namespace fg
