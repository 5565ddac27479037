// The totals of a histogram counted in tables.
#pragma once
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <vector>

#include "core/histogram.h"

namespace fg {

// 64-bit totals of n_bins x n_phases, to which the workers add their 32-bit counters of n_bins x n_lanes.
class Totals {
 public:
  Totals(std::int64_t n_bins, int n_phases, int n_lanes)
      : n_phases_(n_phases), n_lanes_(n_lanes), n_bins_(n_bins), totals_(n_bins * n_phases, 0) {}

  void add(const std::uint32_t* counters) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (std::int64_t bin = 0; bin < n_bins_; ++bin, counters += n_lanes_) {
      if (n_lanes_ == 8 ? !any_of(counters, std::integral_constant<int, 8>{}) : !any_of(counters, n_lanes_))
        continue;
      for (int lane = 0; lane < n_lanes_; ++lane) {
        totals_[bin * n_phases_ + lane % n_phases_] += counters[lane];
      }
    }
  }

  std::vector<Bin> bins(std::int64_t low) const {
    std::vector<Bin> found;
    for (std::int64_t bin = 0; bin < n_bins_; ++bin) {
      for (int phase = 0; phase < n_phases_; ++phase) {
        const std::int64_t count = totals_[bin * n_phases_ + phase];
        if (count) found.push_back({low + bin, phase, count});
      }
    }
    return found;
  }

 private:
  // A number of lanes known when compiled is read in vectors: most bins of a 16-bit table are empty.
  template <class N>
  static bool any_of(const std::uint32_t* counters, N n_lanes) {
    std::uint32_t any = 0;
    for (int lane = 0; lane < n_lanes; ++lane) any |= counters[lane];
    return any != 0;
  }

  int n_phases_, n_lanes_;
  std::int64_t n_bins_;
  std::vector<std::int64_t> totals_;
  std::mutex mutex_;
};

}  // namespace fg
