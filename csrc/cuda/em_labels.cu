// Sums of labelled rows of one feature where there are many labels: weighted counts of distinct values.
//
// The rows come sorted by their labels; a warp takes a label, its lanes every 32nd of its rows, and the lanes
// are added in a binary tree: the same bits on every run, unlike sums by atomics. Cost: 24 bytes a row beside
// the sort. em_rows.cu, which goes over all rows once for each label, is faster for few.
#include "cuda/em_rows.h"

namespace fg {

constexpr int kThreads = 256;  // eight labels a block

__device__ double sum_lanes(double sum) {
  for (int half = kWarp / 2; half > 0; half /= 2) sum += __shfl_down_sync(kAllLanes, sum, half);
  return sum;
}

// order (n): the rows, label by label; ends (n_labels): where those of a label end in it. sums (n_labels, 2):
// of weight and of weight * (x - mean).
extern "C" __global__ void __launch_bounds__(kThreads)
    em_label_sums(const FG_REAL* values, long long row_stride, const double* weights, const long long* order,
                  const long long* ends, long long n_labels, const double* means, double* sums) {
  for (long long label = warp_index(); label < n_labels; label += warp_count()) {
    double mass = 0.0, first = 0.0;
    for (long long i = (label ? ends[label - 1] : 0) + lane_index(); i < ends[label]; i += kWarp) {
      const long long row = order[i];
      const double weight = weights ? weights[row] : 1.0;
      mass += weight;
      first += weight * (static_cast<double>(values[row * row_stride]) - means[label]);
    }
    mass = sum_lanes(mass);
    first = sum_lanes(first);
    if (lane_index() == 0) {
      sums[2 * label] = mass;
      sums[2 * label + 1] = first;
    }
  }
}

}  // namespace fg
