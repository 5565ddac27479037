#include "core/em_kmeans.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/arena.h"
#include "core/em_rows.h"
#include "core/parallel.h"

#define FG_KERNELS "core/em_kmeans.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

constexpr int kRows = kKmeansRows;

// The centres as columns, padded to whole tiles of four; the norms end with an infinite one more.
struct Columns {
  int stride;
  std::vector<double> columns, norms;

  explicit Columns(const CentresView& c)
      : stride(padded_features(c.n)),
        columns(std::size_t(c.n_features) * stride, 0.0),
        norms(stride + 1, std::numeric_limits<double>::infinity()) {
    for (int j = 0; j < c.n; ++j) {
      double norm = 0.0;
      for (int i = 0; i < c.n_features; ++i) {
        const double value = c.centres[std::size_t(j) * c.n_features + i];
        columns[std::size_t(i) * stride + j] = value;
        norm += value * value;
      }
      norms[j] = norm;
    }
  }
};

// How the rows are cut: a function of the shape only.
struct Pass {
  std::int64_t n_rows, n_blocks, n_chunks;
  int n_features, n_threads;

  Pass(std::int64_t n, const CentresView& c, std::int64_t n_sums, int threads)
      : n_rows(n), n_blocks((n + kRows - 1) / kRows), n_features(c.n_features) {
    const std::int64_t affordable = kChunkBytes / (8 * std::max<std::int64_t>(n_sums, 1));
    n_chunks = std::min(n_blocks, std::clamp<std::int64_t>(affordable, 2, kMaxChunks));
    n_threads = n * c.n * c.n_features < kSmallWork ? 1 : threads;
  }
  std::int64_t first_block(std::int64_t chunk) const { return chunk * n_blocks / n_chunks; }
  int used(std::int64_t block) const {
    return static_cast<int>(std::min<std::int64_t>(kRows, n_rows - block * kRows));
  }
};

// x is (features, kRows); the others have kRows numbers.
struct Block {
  double *x, *weights, *lengths, *closest, *nearest, *member;

  static std::int64_t numbers(int d) { return std::int64_t{kRows} * (d + 5); }
  Block(double* memory, int d)
      : x(memory),
        weights(x + std::int64_t{kRows} * d),
        lengths(weights + kRows),
        closest(lengths + kRows),
        nearest(closest + kRows),
        member(nearest + kRows) {}
};

// Copies a block less the origin; rows past the end repeat the last with weight 0.
template <class T>
void load(const RowsView<T>& rows, const double* origin, std::int64_t first, int used, int d, Block& block) {
  for (int i = 0; i < d; ++i) {
    const T* const from = rows.values + first * rows.row_stride + i * rows.feature_stride;
    double* const to = block.x + std::int64_t{i} * kRows;
    for (int b = 0; b < used; ++b) to[b] = static_cast<double>(from[b * rows.row_stride]) - origin[i];
    std::fill(to + used, to + kRows, to[used - 1]);
  }
  if (rows.weights) {
    std::copy_n(rows.weights + first, used, block.weights);
  } else {
    std::fill_n(block.weights, used, 1.0);
  }
  std::fill(block.weights + used, block.weights + kRows, 0.0);
}

// Calls step(block number, rows in it, its arrays, sums of its chunk) for every block, and adds the chunks
// up.
template <class T, class Step>
std::vector<double> run(const RowsView<T>& rows, const CentresView& c, std::int64_t n_sums, int n_threads,
                        Step step) {
  const Pass pass(rows.n_rows, c, n_sums, n_threads);
  const std::int64_t per_worker = Block::numbers(c.n_features);
  Scratch scratch(Scratch::cost<double>(per_worker * pass.n_threads));
  double* const work = scratch.take<double>(per_worker * pass.n_threads);
  std::vector<double> sums(std::size_t(pass.n_chunks * n_sums), 0.0);
  parallel_for(pass.n_chunks, pass.n_threads, [&](std::int64_t chunk, int worker) {
    Block block(work + worker * per_worker, c.n_features);
    for (std::int64_t i = pass.first_block(chunk); i < pass.first_block(chunk + 1); ++i) {
      load(rows, c.origin, i * kRows, pass.used(i), c.n_features, block);
      step(i, pass.used(i), block, sums.data() + chunk * n_sums);
    }
  });
  for (std::int64_t i = n_sums; i < std::int64_t(sums.size()); ++i) sums[i % n_sums] += sums[i];
  sums.resize(std::size_t(n_sums));
  return sums;
}

// Writes the labels of a block and returns how many are new.
std::int64_t relabel(const double* nearest, int n, std::int32_t* labels) {
  std::int64_t changed = 0;
  for (int b = 0; b < n; ++b) {
    const auto label = static_cast<std::int32_t>(nearest[b]);
    changed += labels[b] != label;
    labels[b] = label;
  }
  return changed;
}

}  // namespace

template <class T>
void kmeans_step(const RowsView<T>& rows, const CentresView& c, std::int32_t* labels, const ClustersOut& out,
                 int n_threads) {
  const Columns columns(c);
  const int d = c.n_features;
  const std::vector<double> sums =
      run(rows, c, 1 + std::int64_t{c.n} * (1 + d), n_threads,
          [&](std::int64_t block, int used, Block& w, double* chunk) {
            FG_DISPATCH(nearest_centre)(w.x, kRows, d, columns.columns.data(), columns.norms.data(),
                                        columns.stride, w.nearest);
            chunk[0] += static_cast<double>(relabel(w.nearest, used, labels + block * kRows));
            FG_DISPATCH(add_clusters)(w.x, w.weights, w.nearest, kRows, d, c.n, w.member, chunk + 1,
                                      chunk + 1 + c.n);
          });
  *out.n_changed = static_cast<std::int64_t>(sums[0]);
  std::copy_n(sums.data() + 1, c.n, out.mass);
  std::copy_n(sums.data() + 1 + c.n, std::size_t(c.n) * d, out.first);
}

template <class T>
void kmeans_potentials(const RowsView<T>& rows, const CentresView& c, const double* closest,
                       double* potentials, int n_threads) {
  const Columns columns(c);
  const std::vector<double> sums =
      run(rows, c, columns.stride, n_threads, [&](std::int64_t block, int used, Block& w, double* chunk) {
        std::copy_n(closest + block * kRows, used, w.closest);
        std::fill(w.closest + used, w.closest + kRows, 0.0);
        FG_DISPATCH(squared_lengths)(w.x, kRows, c.n_features, w.lengths);
        FG_DISPATCH(add_potentials)(w.x, w.lengths, w.weights, w.closest, kRows, c.n_features,
                                    columns.columns.data(), columns.norms.data(), columns.stride, chunk);
      });
  std::copy_n(sums.data(), c.n, potentials);
}

template <class T>
void kmeans_approach(const RowsView<T>& rows, const CentresView& c, double* closest, double* block_sums,
                     int n_threads) {
  const Columns columns(c);
  run(rows, c, 1, n_threads, [&](std::int64_t block, int used, Block& w, double*) {
    std::copy_n(closest + block * kRows, used, w.closest);
    std::fill(w.closest + used, w.closest + kRows, 0.0);
    FG_DISPATCH(squared_lengths)(w.x, kRows, c.n_features, w.lengths);
    block_sums[block] = FG_DISPATCH(approach)(w.x, w.lengths, w.weights, kRows, c.n_features, c.centres,
                                              columns.norms[0], w.closest);
    std::copy_n(w.closest, used, closest + block * kRows);
  });
}

#define FG_INSTANTIATE(T)                                                                                    \
  template void kmeans_step(const RowsView<T>&, const CentresView&, std::int32_t*, const ClustersOut&, int); \
  template void kmeans_potentials(const RowsView<T>&, const CentresView&, const double*, double*, int);      \
  template void kmeans_approach(const RowsView<T>&, const CentresView&, double*, double*, int);
FG_INSTANTIATE(float)
FG_INSTANTIATE(double)
#undef FG_INSTANTIATE

}  // namespace fg
