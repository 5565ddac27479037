// EM on histograms: one block per fit, any number of fits at once, all steps and the test of convergence
// inside.
//
// Thread t is lane t of shared/gaussian.h: it takes the bins t, t + 512, ... in rising order, and the lanes
// are added in the binary tree 256, 128, ..., 1. Compiled without contraction (--fmad=false) this gives the
// bits of the CPU. The number of components is the macro FG_N_COMPONENTS, so that the sums of up to kBatch of
// them live in registers; more go through in groups of kHeld, each with a pass over the bins, and the first
// pass leaves for the others what a bin's shares need. Cost per bin, component and step: about 35 operations
// in float64 and no memory but the bins (16 bytes, in L2). A step of 4,000 bins and 5 components is 0.7
// million operations: 11,000 cycles of an SM with 64 float64 lanes, 6 microseconds with barriers. One fit is
// no faster than a CPU; hundreds at once are, one per SM and more where they fit. Memory: 33 KiB of shared
// memory a block; 16 bytes of scratch a bin where K > kBatch.
#include "cuda/device.h"
#include "shared/gaussian.h"

namespace fg {
namespace {

constexpr int K = FG_N_COMPONENTS;
constexpr int kBatch =
    8;  // sums reduced at once, and components whose densities are kept: 32 KiB of shared memory
constexpr int kHeld = K <= kBatch ? K : 6;  // components whose sums live in registers, 6 for each
constexpr int kSums = 3 * kHeld + 1;
constexpr int kPerLane = kLanes / kWarp;

// Of one bin: the greatest log density, and count / total of the densities relative to it.
struct Share {
  double largest, ratio;
};

struct Bins {
  const double* values;
  const double* counts;
  Share* shares;
  long long n;
};

struct Parameters {
  double *weights, *means, *precisions, *variances;
};

// The sum of 512 lanes by one warp; valid in its lane 0.
__device__ double tree_sum(const double* lanes) {
  double part[kPerLane];
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) part[i] = lanes[lane_index() + kWarp * i];
#pragma unroll
  for (int level = 0; level < 4; ++level) {
#pragma unroll
    for (int i = 0; i < kPerLane / 2; ++i) {
      if (i < kPerLane / 2 >> level) part[i] += part[i + (kPerLane / 2 >> level)];
    }
  }
  double sum = part[0];
  for (int half = kWarp / 2; half > 0; half /= 2) sum += __shfl_down_sync(kAllLanes, sum, half);
  return sum;
}

// totals[q] = the sum of sums[q] over the threads. lanes: kBatch * kLanes numbers of shared memory.
template <int N>
__device__ void reduce(const double (&sums)[N], double* lanes, double* totals) {
  const int warp = threadIdx.x / kWarp;
#pragma unroll
  for (int first = 0; first < N; first += kBatch) {
#pragma unroll
    for (int q = first; q < N && q < first + kBatch; ++q) lanes[(q - first) * kLanes + threadIdx.x] = sums[q];
    __syncthreads();
    if (warp < kBatch && first + warp < N) {
      const double total = tree_sum(lanes + warp * kLanes);
      if (lane_index() == 0) totals[first + warp] = total;
    }
    __syncthreads();
  }
}

// Read anew each time: the compiler would keep all components in registers, which the sums need.
__device__ Component read(const Component* part) {
  return {cu_load(&part->mean), cu_load(&part->precision), cu_load(&part->offset)};
}

// What the shares of a bin need, and its term of the log-likelihood. Up to kBatch components leave exp(log
// density - largest) in the thread's column of `lanes`.
__device__ Share share_of(const Component* parts, double x, double count, double* lanes,
                          double& log_likelihood) {
  double* const kept = lanes + threadIdx.x;
  double largest = log_density(read(parts), x), total = 0.0;
#pragma unroll 1
  for (int k = 1; k < K; ++k) {
    const double density = log_density(read(parts + k), x);
    largest = density > largest ? density : largest;
  }
#pragma unroll 1
  for (int k = 0; k < K; ++k) {
    const double density = exp_fixed(log_density(read(parts + k), x) - largest);
    if (K <= kBatch) kept[k * kLanes] = density;
    total += density;
  }
  log_likelihood += count * (largest + log_fixed(total));
  return {largest, count / total};
}

// The moments of the components first .. first + kHeld - 1, and with the first of them the log-likelihood.
__device__ void add_group(const Bins& bins, const Component* parts, int first, double* lanes,
                          double* totals) {
  double sums[kSums] = {};
#pragma unroll 1
  for (long long j = threadIdx.x; j < bins.n; j += kLanes) {
    const double x = bins.values[j];
    const Share share =
        first == 0 ? share_of(parts, x, bins.counts[j], lanes, sums[kSums - 1]) : bins.shares[j];
    if (K > kHeld && first == 0) bins.shares[j] = share;
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      if (K % kHeld && first + i >= K) break;
      const Component part = read(parts + first + i);
      const double density =
          K <= kBatch ? lanes[i * kLanes + threadIdx.x] : exp_fixed(log_density(part, x) - share.largest);
      const double mass = density * share.ratio, d = x - part.mean, moment = mass * d;
      sums[3 * i] += mass;
      sums[3 * i + 1] += moment;
      sums[3 * i + 2] += moment * d;
    }
  }
  CU_SHARED(double, found, [kSums]);
  reduce(sums, lanes, found);
  for (int q = threadIdx.x; q < kSums - 1 && 3 * first + q < 3 * K; q += kLanes)
    totals[3 * first + q] = found[q];
  if (threadIdx.x == 0 && first == 0) totals[3 * K] = found[kSums - 1];
  __syncthreads();
}

// Writes the new parameters; returns, to all threads, the first component without a positive variance, else
// -1.
__device__ int m_step(const double* totals, double reg_covar, double variance_floor, const Parameters& p) {
  CU_SHARED(double, all, [1]);
  CU_SHARED(int, collapsed, [1]);
  for (int k = threadIdx.x; k < K; k += kLanes) {
    const Moments moments{totals[3 * k], totals[3 * k + 1], totals[3 * k + 2]};
    const Updated updated = update_component(moments, p.means[k], reg_covar, variance_floor);
    p.weights[k] = updated.mass;
    p.means[k] = updated.mean;
    p.variances[k] = updated.variance;
    p.precisions[k] = 1.0 / sqrt(updated.variance);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    all[0] = 0.0;
    collapsed[0] = -1;
    for (int k = K - 1; k >= 0; --k) {
      if (!(p.variances[k] > 0.0)) collapsed[0] = k;
    }
    for (int k = 0; k < K; ++k) all[0] += p.weights[k];
  }
  __syncthreads();
  for (int k = threadIdx.x; k < K; k += kLanes) p.weights[k] /= all[0];
  return collapsed[0];
}

// The sum of the counts, in the order of every other sum.
__device__ double total_count(const Bins& bins, double* lanes) {
  CU_SHARED(double, total, [1]);
  double sums[1] = {};
  for (long long j = threadIdx.x; j < bins.n; j += kLanes) sums[0] += bins.counts[j];
  reduce(sums, lanes, total);
  return total[0];
}

}  // namespace

// Takes up to max_steps steps of every fit that is not done, from where the last launch left it.
// spans (n_fits, 2): the bins begin .. end - 1 of a fit; fits may share them. mixtures (n_fits, 4, K):
// weights, means, 1 / sd, variances. bounds (n_fits): the last lower bound. lower_bounds (n_fits, max_steps).
// outcomes (n_fits, 3): steps of this launch, converged, component that collapsed or -1. shares (n_fits, most
// bins of a fit) where K > kBatch.
extern "C" __global__ void __launch_bounds__(kLanes, 1)
    em_histogram(const double* values, const double* counts, const long long* spans, Share* shares,
                 long long shares_per_fit, const double* variance_floors, double tol, double reg_covar,
                 long long max_steps, double* mixtures, double* bounds, double* lower_bounds,
                 long long* outcomes) {
  CU_SHARED(double, lanes, [kBatch * kLanes]);
  CU_SHARED(Component, parts, [K]);
  CU_SHARED(double, totals, [3 * K + 1]);
  const long long fit = blockIdx.x, begin = spans[2 * fit];
  long long* const outcome = outcomes + 3 * fit;
  if (outcome[1] || outcome[2] >= 0) return;
  const Bins bins{values + begin, counts + begin, shares + fit * shares_per_fit, spans[2 * fit + 1] - begin};
  double* const first = mixtures + 4 * K * fit;
  const Parameters p{first, first + K, first + 2 * K, first + 3 * K};
  const double mass = total_count(bins, lanes);
  double bound = bounds[fit];
  long long step = 0;
  int collapsed = -1;
  bool converged = false;
  while (step < max_steps && !converged) {
    for (int k = threadIdx.x; k < K; k += kLanes) {
      parts[k] = make_component(p.weights[k], p.means[k], p.precisions[k]);
    }
    __syncthreads();
    for (int group = 0; group < K; group += kHeld) add_group(bins, parts, group, lanes, totals);
    collapsed = m_step(totals, reg_covar, variance_floors[fit], p);
    if (collapsed >= 0) break;
    const double previous = bound;
    bound = totals[3 * K] / mass;
    if (threadIdx.x == 0) lower_bounds[fit * max_steps + step] = bound;
    converged = fabs(bound - previous) < tol;
    ++step;
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    bounds[fit] = bound;
    outcome[0] = step;
    outcome[1] = converged;
    outcome[2] = collapsed;
  }
}

}  // namespace fg
