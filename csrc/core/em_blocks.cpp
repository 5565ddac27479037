#include "core/em_blocks.h"

#include <algorithm>

#include "core/arena.h"
#include "core/em_rows.h"
#include "core/parallel.h"
#include "shared/gaussian.h"

#define FG_KERNELS "core/em_blocks.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

void block_densities(const Prepared& p, int n, Workspace& w) {
  const MixtureView& m = p.mixture;
  const int d = m.n_features;
  if (m.kind == Covariance::tied) {
    FG_DISPATCH(subtract_mean)(w.x, p.mean(0), n, d, w.diff);
    FG_DISPATCH(project)(w.diff, n, d, p.factor(0), p.stride, w.weighted);
    for (int k = 0; k < m.n_components; ++k) {
      FG_DISPATCH(density_diag)(w.weighted, n, d, p.projected_mean(k), p.ones(), m.offsets[k],
                                w.density + std::int64_t{k} * n);
    }
    return;
  }
  for (int k = 0; k < m.n_components; ++k) {
    double* const out = w.density + std::int64_t{k} * n;
    if (m.kind == Covariance::full && d <= kFewFeatures) {
      FG_DISPATCH(density_few_features)(w.x, n, d, p.mean(k), p.factor(k), p.stride, m.offsets[k], out);
    } else if (m.kind == Covariance::full) {
      FG_DISPATCH(subtract_mean)(w.x, p.mean(k), n, d, w.diff);
      FG_DISPATCH(density_full)(w.diff, n, d, p.factor(k), p.stride, m.offsets[k], out);
    } else {
      FG_DISPATCH(density_diag)(w.x, n, d, p.mean(k), m.precisions + std::int64_t{k} * d, m.offsets[k], out);
    }
  }
}

// Where the sums of one chunk lie: log-likelihood, mass (K), first (K, d), second.
struct Sums {
  std::int64_t n_second, size;
  explicit Sums(const MixtureView& m) {
    const std::int64_t d = m.n_features;
    n_second = m.kind == Covariance::full ? d * d : (m.kind == Covariance::diag ? d : 0);
    size = 1 + m.n_components * (1 + d + n_second);
  }
  double* mass(double* sums) const { return sums + 1; }
  double* first(double* sums, const MixtureView& m) const { return sums + 1 + m.n_components; }
  double* second(double* sums, const MixtureView& m) const {
    return first(sums, m) + std::int64_t{m.n_components} * m.n_features;
  }
};

// Adds the moments of a block, whose masses stand in w.density.
void add_moments(const Prepared& p, const Sums& layout, int n, Workspace& w, double* sums) {
  const MixtureView& m = p.mixture;
  const int d = m.n_features;
  for (int k = 0; k < m.n_components; ++k) {
    const double* const mass = w.density + std::int64_t{k} * n;
    double* const first = layout.first(sums, m) + std::int64_t{k} * d;
    double* const second = layout.second(sums, m) + k * layout.n_second;
    layout.mass(sums)[k] += FG_DISPATCH(sum_rows)(mass, n);
    if (m.kind == Covariance::full && d <= kFewFeatures) {
      FG_DISPATCH(moments_few_features)(w.x, mass, n, d, p.mean(k), first, second);
    } else if (m.kind == Covariance::full) {
      FG_DISPATCH(weigh_rows)(w.x, p.mean(k), mass, n, d, w.diff, w.weighted, first);
      FG_DISPATCH(add_moments_full)(w.diff, w.weighted, n, d, second);
    } else {
      FG_DISPATCH(add_moments_diag)(w.x, mass, n, d, p.mean(k), first, layout.n_second ? second : nullptr);
    }
  }
}

// Sums the chunks in rising order, completes the symmetric matrices, and copies to the outputs.
void collect(double* chunks, std::int64_t n_chunks, const MixtureView& m, const Sums& layout,
             const MomentsOut& out) {
  for (std::int64_t c = 1; c < n_chunks; ++c) {
    const double* const more = chunks + c * layout.size;
    for (std::int64_t i = 0; i < layout.size; ++i) chunks[i] += more[i];
  }
  const std::int64_t d = m.n_features, n_first = m.n_components * d;
  *out.log_likelihood = chunks[0];
  std::copy_n(layout.mass(chunks), m.n_components, out.mass);
  std::copy_n(layout.first(chunks, m), n_first, out.first);
  std::copy_n(layout.second(chunks, m), m.n_components * layout.n_second, out.second);
  if (m.kind != Covariance::full) return;
  for (int k = 0; k < m.n_components; ++k) {
    double* const matrix = out.second + k * d * d;
    for (std::int64_t i = 0; i < d; ++i) {
      for (std::int64_t j = 0; j < i; ++j) matrix[i * d + j] = matrix[j * d + i];
    }
  }
}

// Calls step(first row, workspace, sums) for every block and collects the moments.
template <class Step>
void run_chunks(std::int64_t n_rows, const MixtureView& mixture, const MomentsOut& out, int n_threads,
                Step step) {
  const Sums layout(mixture);
  const Plan plan(n_rows, mixture, layout.size, n_threads);
  const std::int64_t per_worker = Workspace::numbers(plan.block_rows, mixture);
  Scratch scratch(Scratch::cost<double>(plan.n_chunks * layout.size) +
                  Scratch::cost<double>(per_worker * plan.n_threads));
  double* const chunks = scratch.take<double>(plan.n_chunks * layout.size);
  double* const work = scratch.take<double>(per_worker * plan.n_threads);
  std::fill(chunks, chunks + plan.n_chunks * layout.size, 0.0);
  parallel_for(plan.n_chunks, plan.n_threads, [&](std::int64_t chunk, int worker) {
    Workspace w(work + worker * per_worker, plan.block_rows, mixture);
    for (std::int64_t block = plan.first_block(chunk); block < plan.first_block(chunk + 1); ++block) {
      step(block * plan.block_rows, plan.block_rows, w, layout, chunks + chunk * layout.size);
    }
  });
  collect(chunks, plan.n_chunks, mixture, layout, out);
}

}  // namespace

template <class T>
void em_step(const RowsView<T>& rows, const MixtureView& mixture, const MomentsOut& out, int n_threads) {
  const Prepared p(mixture);
  run_chunks(rows.n_rows, mixture, out, n_threads,
             [&](std::int64_t first, int n, Workspace& w, const Sums& layout, double* sums) {
               load_block(rows, first, n, mixture.n_features, w);
               block_densities(p, n, w);
               FG_DISPATCH(soften)(w.density, n, mixture.n_components, w.largest, w.total);
               sums[0] +=
                   FG_DISPATCH(share_out)(w.density, n, mixture.n_components, w.weights, w.largest, w.total);
               add_moments(p, layout, n, w, sums);
             });
}

template <class T>
void em_moments(const RowsView<T>& rows, const double* responsibilities, const MixtureView& mixture,
                const MomentsOut& out, int n_threads) {
  const int n_components = mixture.n_components;
  const Prepared p(mixture);
  run_chunks(rows.n_rows, mixture, out, n_threads,
             [&](std::int64_t first, int n, Workspace& w, const Sums& layout, double* sums) {
               load_block(rows, first, n, mixture.n_features, w);
               for (int b = 0; b < n; ++b) {
                 const std::int64_t row = std::min(first + b, rows.n_rows - 1);
                 for (int k = 0; k < n_components; ++k) {
                   w.density[std::int64_t{k} * n + b] =
                       w.weights[b] * responsibilities[row * n_components + k];
                 }
               }
               add_moments(p, layout, n, w, sums);
             });
}

template <class T>
void em_label_moments(const RowsView<T>& rows, const std::int32_t* labels, const MixtureView& mixture,
                      const MomentsOut& out, int n_threads) {
  const Prepared p(mixture);
  run_chunks(rows.n_rows, mixture, out, n_threads,
             [&](std::int64_t first, int n, Workspace& w, const Sums& layout, double* sums) {
               load_block(rows, first, n, mixture.n_features, w);
               std::fill(w.density, w.density + std::int64_t{mixture.n_components} * n, 0.0);
               const int used = static_cast<int>(std::min<std::int64_t>(n, rows.n_rows - first));
               for (int b = 0; b < used; ++b)
                 w.density[std::int64_t{labels[first + b]} * n + b] = w.weights[b];
               add_moments(p, layout, n, w, sums);
             });
}

template <class T>
void em_assign(const RowsView<T>& rows, const MixtureView& mixture, const AssignmentOut<T>& out,
               int n_threads) {
  const Prepared p(mixture);
  const Plan plan(rows.n_rows, mixture, 0, n_threads);
  const std::int64_t per_worker = Workspace::numbers(plan.block_rows, mixture);
  Scratch scratch(Scratch::cost<double>(per_worker * plan.n_threads));
  double* const work = scratch.take<double>(per_worker * plan.n_threads);
  const int n_components = mixture.n_components;
  parallel_for(plan.n_chunks, plan.n_threads, [&](std::int64_t chunk, int worker) {
    Workspace w(work + worker * per_worker, plan.block_rows, mixture);
    const int n = plan.block_rows;
    for (std::int64_t block = plan.first_block(chunk); block < plan.first_block(chunk + 1); ++block) {
      const std::int64_t first = block * n;
      const int used = static_cast<int>(std::min<std::int64_t>(n, rows.n_rows - first));
      load_block(rows, first, n, mixture.n_features, w);
      block_densities(p, n, w);
      if (out.labels) {
        FG_DISPATCH(largest_component)(w.density, n, n_components, w.largest, w.labels);
        std::copy_n(w.labels, used, out.labels + first);
      }
      if (!out.log_density && !out.responsibilities) continue;
      FG_DISPATCH(soften)(w.density, n, n_components, w.largest, w.total);
      if (out.responsibilities) {
        for (int b = 0; b < used; ++b) {
          T* const to = out.responsibilities + (first + b) * n_components;
          for (int k = 0; k < n_components; ++k)
            to[k] = static_cast<T>(w.density[std::int64_t{k} * n + b] / w.total[b]);
        }
      }
      if (out.log_density) {
        FG_DISPATCH(log_totals)(w.largest, n, w.total);
        for (int b = 0; b < used; ++b) out.log_density[first + b] = static_cast<T>(w.total[b]);
      }
    }
  });
}

#define FG_INSTANTIATE(T)                                                                                  \
  template void em_step(const RowsView<T>&, const MixtureView&, const MomentsOut&, int);                   \
  template void em_moments(const RowsView<T>&, const double*, const MixtureView&, const MomentsOut&, int); \
  template void em_label_moments(const RowsView<T>&, const std::int32_t*, const MixtureView&,              \
                                 const MomentsOut&, int);                                                  \
  template void em_assign(const RowsView<T>&, const MixtureView&, const AssignmentOut<T>&, int);
FG_INSTANTIATE(float)
FG_INSTANTIATE(double)
#undef FG_INSTANTIATE

}  // namespace fg
