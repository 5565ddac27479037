#include "core/em_histogram.h"

#include <algorithm>
#include <cmath>

#include "core/arena.h"
#include "core/parallel.h"
#include "shared/gaussian.h"

namespace fg {
constexpr int kLaneBlock = 64;  // lanes worked on at once: the sums of 20 components fit in 32 KiB
}
#define FG_KERNELS "core/em_lanes.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

constexpr int kBlocks = kLanes / kLaneBlock;
constexpr std::int64_t kBinsPerThread = 1 << 15;  // bins times components that pay for waking a thread

// Copies the bins into whole rows of lanes; the bins past the end have count 0.
struct PaddedBins {
  std::int64_t n_rows;
  double* values;
  double* counts;

  PaddedBins(Scratch& scratch, const double* x, const double* c, std::int64_t n)
      : n_rows((n + kLanes - 1) / kLanes) {
    const std::int64_t padded = n_rows * kLanes;
    values = scratch.take<double>(padded);
    counts = scratch.take<double>(padded);
    std::copy(x, x + n, values);
    std::copy(c, c + n, counts);
    std::fill(values + n, values + padded, n ? x[0] : 0.0);
    std::fill(counts + n, counts + padded, 0.0);
  }
};

// Halves an array of kLanes sums until one is left.
double tree_sum(double* lanes) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// One E-step: totals[3 k + p] and, last, the log-likelihood.
class EStep {
 public:
  EStep(Scratch& scratch, const PaddedBins& bins, int n_components, int n_threads)
      : bins_(bins), n_components_(n_components), n_sums_(3 * n_components + 1) {
    const std::int64_t enough = 1 + bins.n_rows * kLanes * n_components / kBinsPerThread;
    n_threads_ = static_cast<int>(std::min<std::int64_t>({n_threads, enough, kBlocks}));
    work_ = scratch.take<double>(n_threads_ * work_size());
    block_sums_ = scratch.take<double>(kBlocks * n_sums_ * kLaneBlock);
  }
  static std::size_t cost(int n_components, int n_threads) {
    return Scratch::cost<double>(std::min(n_threads, kBlocks) * std::int64_t{n_components + 3} * kLaneBlock) +
           Scratch::cost<double>((3 * n_components + 1) * std::int64_t{kLanes});
  }

  void run(const Component* parts, double* totals) {
    const auto add = FG_DISPATCH(add_lanes);
    std::fill(block_sums_, block_sums_ + kBlocks * n_sums_ * kLaneBlock, 0.0);
    parallel_for(kBlocks, n_threads_, [&](std::int64_t block, int worker) {
      const std::int64_t first = block * kLaneBlock;
      add(bins_.values + first, bins_.counts + first, bins_.n_rows, parts, n_components_,
          work_ + worker * work_size(), block_sums_ + first * n_sums_);
    });
    for (std::int64_t q = 0; q < n_sums_; ++q) {
      double lanes[kLanes];
      for (int block = 0; block < kBlocks; ++block) {
        const double* const from = block_sums_ + (block * n_sums_ + q) * kLaneBlock;
        std::copy(from, from + kLaneBlock, lanes + block * kLaneBlock);
      }
      totals[q] = tree_sum(lanes);
    }
  }

 private:
  std::int64_t work_size() const { return std::int64_t{n_components_ + 3} * kLaneBlock; }

  PaddedBins bins_;
  int n_components_, n_threads_ = 1;
  std::int64_t n_sums_;
  double* work_;
  double* block_sums_;
};

double total_count(const PaddedBins& bins) {
  double lanes[kLanes] = {};
  for (std::int64_t row = 0; row < bins.n_rows; ++row) {
    for (int i = 0; i < kLanes; ++i) lanes[i] += bins.counts[row * kLanes + i];
  }
  return tree_sum(lanes);
}

// Writes the new parameters; returns the first component without a positive variance, else -1.
int m_step(const double* totals, const EmSettings& settings, Mixture1d& mixture) {
  double all = 0.0;
  int collapsed = -1;
  for (int k = 0; k < mixture.n_components; ++k) {
    const Moments moments{totals[3 * k], totals[3 * k + 1], totals[3 * k + 2]};
    const Updated updated =
        update_component(moments, mixture.means[k], settings.reg_covar, settings.variance_floor);
    mixture.weights[k] = updated.mass;
    mixture.means[k] = updated.mean;
    mixture.variances[k] = updated.variance;
    if (!(updated.variance > 0.0) && collapsed < 0) collapsed = k;
    mixture.precisions[k] = 1.0 / std::sqrt(updated.variance);
    all += updated.mass;
  }
  for (int k = 0; k < mixture.n_components; ++k) mixture.weights[k] /= all;
  return collapsed;
}

}  // namespace

EmOutcome fit_histogram(const double* values, const double* counts, std::int64_t n, Mixture1d mixture,
                        const EmSettings& settings) {
  const int n_components = mixture.n_components;
  const std::int64_t padded = (n + kLanes - 1) / kLanes * kLanes;
  Scratch scratch(2 * Scratch::cost<double>(padded) + EStep::cost(n_components, settings.n_threads));
  const PaddedBins bins(scratch, values, counts, n);
  EStep e_step(scratch, bins, n_components, settings.n_threads);
  std::vector<Component> parts(n_components);
  std::vector<double> totals(3 * n_components + 1);
  const double mass = total_count(bins);
  double lower_bound = settings.lower_bound;
  EmOutcome outcome;
  for (std::int64_t iteration = 0; iteration < settings.max_iter && !outcome.converged; ++iteration) {
    for (int k = 0; k < n_components; ++k) {
      parts[k] = make_component(mixture.weights[k], mixture.means[k], mixture.precisions[k]);
    }
    e_step.run(parts.data(), totals.data());
    outcome.collapsed = m_step(totals.data(), settings, mixture);
    if (outcome.collapsed >= 0) break;
    const double previous = lower_bound;
    lower_bound = totals.back() / mass;
    outcome.lower_bounds.push_back(lower_bound);
    outcome.converged = std::fabs(lower_bound - previous) < settings.tol;
  }
  return outcome;
}

void exp_values(const double* values, std::int64_t n, double* out) {
  FG_DISPATCH(exp_each)(values, n, out);
}
void log_values(const double* values, std::int64_t n, double* out) {
  FG_DISPATCH(log_each)(values, n, out);
}

}  // namespace fg
