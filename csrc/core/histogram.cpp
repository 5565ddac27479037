// Histograms, label tables and thresholds: the volume dealt out in stretches of rows, a few calls per row.
//
// Every worker of a histogram has 32-bit counters of its own, emptied into 64-bit totals before they
// overflow. 8- and 16-bit values are counted in a table of all of them; others in a table of their span, or
// by sorting where that would be too wide. The running index at which a task begins, which the phases need,
// comes from a count of the mask's bits beforehand.
//
// Cost: one read of the voxels under the mask (two for int32); O(n log n) when sorted.
#include "core/histogram.h"

#include <cstring>
#include <limits>

#include "core/arena.h"
#include "core/counter_totals.h"
#include "core/key_counts.h"
#include "core/label_table.h"
#include "core/masked_rows.h"
#include "core/parallel.h"
#include "core/streaming.h"
#include "core/stretches.h"
#include "shared/bits.h"

namespace fg {

// Entry b has byte k all ones where bit k of b is set.
struct Spread {
  std::uint64_t bytes[256];
  constexpr Spread() : bytes() {
    for (int b = 0; b < 256; ++b) {
      for (int k = 0; k < 8; ++k) bytes[b] |= std::uint64_t{b >> k & 1 ? 255u : 0u} << 8 * k;
    }
  }
};
constexpr Spread kSpread;

constexpr int kLanes = 8;

// Voxels in the order of their running index, which is that of the array modulo kLanes.
template <class T>
struct Gathered {
  static constexpr std::int64_t kMany = 1024;
  std::int64_t begin, end;
  alignas(64) T voxels[kMany + 128];
  explicit Gathered(std::int64_t running_index) : begin(running_index % kLanes), end(begin) {}
};

}  // namespace fg

#define FG_KERNELS "core/histogram_rows.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

constexpr std::int64_t kMaxTable = std::int64_t{1} << 22;   // counters of one worker: 16 MiB
constexpr std::int64_t kAllTables = std::int64_t{1} << 26;  // counters of all workers
constexpr std::int64_t kMaxPending = std::numeric_limits<std::uint32_t>::max();

// The running index of the first voxel of each task.
template <class T>
std::vector<std::int64_t> task_starts(const Source<T>& source, int n_threads) {
  std::vector<std::int64_t> starts(source.stretches.n_tasks(), 0);
  const auto count = FG_DISPATCH(count_mask);
  parallel_for(source.stretches.n_tasks(), n_threads, [&](std::int64_t task, int) {
    std::int64_t n_here = 0;
    source.visit(task, false, [&](const T*, const std::uint64_t* words, std::int64_t n) {
      n_here += words ? count(words, (n + 63) / 64) : n;
    });
    starts[task] = n_here;
  });
  std::int64_t total = 0;
  for (std::int64_t& start : starts) {
    const std::int64_t n = start;
    start = total;
    total += n;
  }
  return starts;
}

struct Span {
  std::int64_t low, high;
  std::int64_t size() const { return high - low + 1; }
};

// The least and the largest value; size 0 if there is none.
template <class T>
Span measure_span(const Source<T>& source, int n_threads) {
  struct alignas(64) Ends {
    T low = std::numeric_limits<T>::max(), high = std::numeric_limits<T>::min();
  };
  std::vector<Ends> ends(n_threads);
  const auto find = FG_DISPATCH(find_span<T>);
  parallel_for(source.stretches.n_tasks(), n_threads, [&](std::int64_t task, int worker) {
    source.visit(task, true, [&](const T* voxels, const std::uint64_t* words, std::int64_t n) {
      find(voxels, words, n, &ends[worker].low, &ends[worker].high);
    });
  });
  Ends all;
  for (const Ends& e : ends) {
    all.low = std::min(all.low, e.low);
    all.high = std::max(all.high, e.high);
  }
  return all.low > all.high ? Span{0, -1} : Span{all.low, all.high};
}

// Adds a task's voxels, the first of which has the running index `start`, to a table; returns how many it
// looked at.
template <class T>
std::int64_t count_task(const Source<T>& source, std::int64_t task, std::int64_t start, std::uint32_t low,
                        int n_lanes, std::uint32_t* table) {
  const T* const end = source.volume.voxels + source.volume.shape.count();
  int lane = static_cast<int>(start % n_lanes);
  Gathered<T> gathered(start);
  std::int64_t n_here = 0;
  source.visit(task, n_lanes != kLanes, [&](const T* voxels, const std::uint64_t* words, std::int64_t n) {
    n_here += n;
    if (n_lanes != kLanes) {
      lane = FG_DISPATCH(count_in_turn<T>)(voxels, words, n, low, lane, n_lanes, table);
    } else if (words) {
      FG_DISPATCH(gather<T>)(voxels, words, n, end - voxels, kRowsAhead * n, low, gathered, table);
    } else {  // a whole task, which begins at a multiple of the lanes
      FG_DISPATCH(count_lanes<T>)(voxels, 0, n, low, table);
    }
  });
  FG_DISPATCH(count_gathered<T>)(gathered, true, low, table);
  return n_here;
}

template <class T>
std::vector<Bin> count_in_tables(const Source<T>& source, const Span& span, int n_phases, int n_lanes,
                                 int n_threads) {
  const std::int64_t size = span.size() * n_lanes, n_tasks = source.stretches.n_tasks();
  const int n_workers = static_cast<int>(
      std::max<std::int64_t>(1, std::min<std::int64_t>({n_threads, n_tasks, kAllTables / size})));
  Scratch scratch(n_workers * Scratch::cost<std::uint32_t>(size));
  std::uint32_t* const tables = scratch.take<std::uint32_t>(n_workers * size);
  std::vector<std::int64_t> pending(n_workers,
                                    -1);  // counted since the table was emptied; -1: not in use yet
  const std::vector<std::int64_t> starts =
      n_phases == 1 ? std::vector<std::int64_t>(n_tasks, 0) : task_starts(source, n_threads);

  Totals totals(span.size(), n_phases, n_lanes);
  const auto low = static_cast<std::uint32_t>(span.low);
  parallel_for(n_tasks, n_workers, [&](std::int64_t task, int worker) {
    std::uint32_t* const table = tables + worker * size;
    if (pending[worker] < 0 || pending[worker] > kMaxPending - Stretches::kVoxelsPerTask) {
      if (pending[worker] > 0) totals.add(table);
      std::fill(table, table + size, 0u);
      pending[worker] = 0;
    }
    // Once a task: workers would fight for the cache line at every row.
    pending[worker] += count_task(source, task, starts[task], low, n_lanes, table);
  });
  for (int worker = 0; worker < n_workers; ++worker) {
    if (pending[worker] > 0) totals.add(tables + worker * size);
  }
  return totals.bins(span.low);
}

template <class T>
std::vector<Bin> count_by_sorting(const Source<T>& source, const Span& span, int n_phases, int n_threads) {
  const std::vector<std::int64_t> starts = task_starts(source, n_threads);
  std::vector<KeyCounts> counts(n_threads);
  parallel_for(source.stretches.n_tasks(), n_threads, [&](std::int64_t task, int worker) {
    std::uint64_t phase = starts[task] % n_phases;
    source.visit(task, true, [&](const T* voxels, const std::uint64_t* words, std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i) {
        if (words && !(words[i / 64] >> i % 64 & 1)) continue;
        counts[worker].add(static_cast<std::uint64_t>(voxels[i] - span.low) * n_phases + phase);
        phase = phase + 1 == static_cast<std::uint64_t>(n_phases) ? 0 : phase + 1;
      }
    });
  });
  for (int worker = 1; worker < n_threads; ++worker) counts[0].merge(counts[worker]);
  std::vector<Bin> bins;
  for (const KeyCount& c : counts[0].take()) {
    bins.push_back({span.low + static_cast<std::int64_t>(c.key / n_phases),
                    static_cast<std::int64_t>(c.key % n_phases), c.count});
  }
  return bins;
}

}  // namespace

template <class T>
std::vector<Bin> count_values(VolumeView<const T> volume, const MaskView* mask, int n_phases, int n_threads) {
  n_threads = std::max(1, n_threads);
  const Source<T> source(volume, mask);
  Span span{std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  if (span.size() * n_phases > kMaxTable) span = measure_span(source, n_threads);
  if (span.size() == 0) return {};
  if (span.size() * n_phases > kMaxTable) return count_by_sorting(source, span, n_phases, n_threads);
  const bool in_lanes = kLanes % n_phases == 0 && span.size() * kLanes <= kMaxTable;
  return count_in_tables(source, span, n_phases, in_lanes ? kLanes : n_phases, n_threads);
}

void apply_table(VolumeView<const std::int16_t> volume, const std::uint8_t* table, const MaskView* mask,
                 VolumeView<std::uint8_t> out, int n_threads) {
  const LabelTable labels(table);
  const Source<std::int16_t> source(volume, mask);
  // Every stretch then begins at a multiple of 16 too: rows of another length are not streamed.
  const bool streamed =
      source.volume.shape.nx % 16 == 0 && should_stream(out.voxels, source.volume.shape.count());
  const auto look = streamed ? FG_DISPATCH(look_up<true>) : FG_DISPATCH(look_up<false>);
  parallel_for(source.stretches.n_tasks(), n_threads, [&](std::int64_t task, int) {
    source.visit(task, true, [&](const std::int16_t* voxels, const std::uint64_t* words, std::int64_t n) {
      look(voxels, words, n, labels, out.voxels + (voxels - volume.voxels));
    });
    if (streamed) end_stream();
  });
}

template <class T>
void threshold_below(VolumeView<const T> volume, std::int64_t limit, MaskOut out, int n_threads) {
  const Stretches stretches(volume.shape);
  const bool all = limit > std::numeric_limits<T>::max();
  const T limit_t = static_cast<T>(std::max<std::int64_t>(limit, std::numeric_limits<T>::min()));
  const auto compare = FG_DISPATCH(compare_below<T>);
  parallel_for(stretches.n_tasks(), n_threads, [&](std::int64_t task, int) {
    stretches.visit(task, [&](std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t n) {
      std::uint64_t* const words = out.row(z, y) + x / 64;
      if (!all) return compare(volume.row(z, y) + x, n, limit_t, words);
      for (std::int64_t i = 0; i < n; i += 64)
        words[i / 64] = low_ones(static_cast<int>(std::min<std::int64_t>(n - i, 64)));
    });
  });
}

template std::vector<Bin> count_values(VolumeView<const std::int8_t>, const MaskView*, int, int);
template std::vector<Bin> count_values(VolumeView<const std::int16_t>, const MaskView*, int, int);
template std::vector<Bin> count_values(VolumeView<const std::int32_t>, const MaskView*, int, int);
template std::vector<Bin> count_values(VolumeView<const std::uint8_t>, const MaskView*, int, int);
template std::vector<Bin> count_values(VolumeView<const std::uint16_t>, const MaskView*, int, int);
template void threshold_below(VolumeView<const std::int8_t>, std::int64_t, MaskOut, int);
template void threshold_below(VolumeView<const std::int16_t>, std::int64_t, MaskOut, int);
template void threshold_below(VolumeView<const std::int32_t>, std::int64_t, MaskOut, int);
template void threshold_below(VolumeView<const std::uint8_t>, std::int64_t, MaskOut, int);
template void threshold_below(VolumeView<const std::uint16_t>, std::int64_t, MaskOut, int);

}  // namespace fg
