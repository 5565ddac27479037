// Exact counts of a volume's values under a mask, by phase: the running index of a counted voxel modulo
// phases.
//
// count_items gives the running index at which each item starts (after a prefix sum). count_window counts
// values of a window in shared memory, in copies of which a warp takes one, and runs of equal voxels
// together; what lies outside is only counted, and if there was any, count_outside adds it in a second pass
// with atomics of its own, one per value and warp. Shared counters have 32 bits and are added to the table
// before they can overflow. Cost: one read of the mask and of the voxels under it, a second one if values lie
// outside the window. Defines: FG_VOXEL, the type of a voxel.
#include "cuda/rows.h"

namespace fg {

constexpr int kThreads = 512;  // 32 KB of counters are shared by many threads, and registers allow two blocks
constexpr int kBlocks =
    1;  // on a processor, at least: count_window may take more than 64 registers and need not spill
constexpr int kWarps = kThreads / kWarp;
constexpr int kRounds = 4096;  // items a warp takes before counters are added up: 16 * 4096 * 32768 < 2^32

// Counters of values low, low + 1, ... by phase; the table's have 64 bits.
struct Window {
  long long low, n_bins, phases;

  __device__ __forceinline__ bool has(long long value) const { return value >= low && value - low < n_bins; }
  __device__ __forceinline__ long long index(long long value, long long phase) const {
    return phase * n_bins + (value - low);
  }
};

__device__ __forceinline__ void add_run(unsigned* counts, long long bin, unsigned length) {
  if (length) atomicAdd(&counts[bin], length);
}

// Counts the voxels of one item; returns how many of this lane's lay outside the window.
__device__ __forceinline__ unsigned long long count_item(const Rows<FG_VOXEL>& rows, long long item,
                                                         long long start, const Window& window,
                                                         unsigned* counts) {
  unsigned long long n_outside = 0;
  rows.for_each_byte(item, [&](unsigned set, const Eight<FG_VOXEL>& eight) {
    const WarpPrefix ranks = warp_prefix(count_ones(set));
    long long phase = window.phases > 1 ? (start + ranks.before) % window.phases : 0;
    long long last = -1;
    unsigned length = 0;
    for (int i = 0; i < 8; i++) {
      if (!(set >> i & 1)) continue;
      const bool inside = window.has(eight.at[i]);
      const long long bin = inside ? window.index(eight.at[i], phase) : -1;
      if (bin != last) {
        add_run(counts, last, length);
        length = 0;
      }
      last = bin;
      length += inside;
      n_outside += !inside;
      if (++phase >= window.phases) phase = 0;
    }
    add_run(counts, last, length);
    start += ranks.total;
  });
  return n_outside;
}

// How many voxels each item has to count.
extern "C" __global__ void __launch_bounds__(kThreads)
    count_items(const unsigned char* mask, long long n_rows, long long nx, long long* counts) {
  const Rows<FG_VOXEL> rows = {nullptr, mask, n_rows, nx};
  const long long per_row = rows.items_per_row();
  for (long long item = warp_index(); item < rows.n_items(); item += warp_count()) {
    const long long row = item / per_row, first = item % per_row * kItemBytes;
    const long long end = min(first + kItemBytes, rows.row_bytes());
    int n = 0;
    for (long long at = first + lane_index(); at < end; at += kWarp) n += count_ones(rows.bits(row, at));
    const int total = warp_prefix(n).total;
    if (lane_index() == 0) counts[item] = total;
  }
}

// starts may be null where phases is 1.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    count_window(const FG_VOXEL* volume, const unsigned char* mask, const long long* starts, long long n_rows,
                 long long nx, long long low, long long n_bins, long long phases, long long n_copies,
                 long long table_low, long long table_bins, unsigned long long* table,
                 unsigned long long* n_outside) {
  CU_DYN_SHARED(unsigned, counts);
  const Rows<FG_VOXEL> rows = {volume, mask, n_rows, nx};
  const Window window = {low, n_bins, phases}, whole = {table_low, table_bins, phases};
  const long long n_counts = n_bins * phases, n_items = rows.n_items();
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  unsigned* const own = counts + warp % n_copies * n_counts;
  unsigned long long outside = 0;
  for (long long first = blockIdx.x * static_cast<long long>(kWarps); first < n_items;) {
    for (long long i = threadIdx.x; i < n_counts * n_copies; i += kThreads) counts[i] = 0;
    __syncthreads();
    for (int round = 0; round < kRounds && first < n_items;
         round++, first += gridDim.x * static_cast<long long>(kWarps)) {
      const long long item = first + warp;
      if (item < n_items) outside += count_item(rows, item, starts ? starts[item] : 0, window, own);
    }
    __syncthreads();
    for (long long i = threadIdx.x; i < n_counts; i += kThreads) {
      unsigned long long sum = 0;
      for (long long copy = 0; copy < n_copies; copy++) sum += counts[copy * n_counts + i];
      if (sum) atomicAdd(&table[whole.index(low + i % n_bins, i / n_bins)], sum);
    }
    __syncthreads();
  }
  if (outside) atomicAdd(n_outside, outside);
}

// Adds the values outside the window; lanes that have the same value and phase add once.
extern "C" __global__ void __launch_bounds__(kThreads)
    count_outside(const FG_VOXEL* volume, const unsigned char* mask, const long long* starts,
                  long long n_rows, long long nx, long long low, long long n_bins, long long phases,
                  long long table_low, long long table_bins, unsigned long long* table) {
  const Rows<FG_VOXEL> rows = {volume, mask, n_rows, nx};
  const Window window = {low, n_bins, phases}, whole = {table_low, table_bins, phases};
  for (long long item = warp_index(); item < rows.n_items(); item += warp_count()) {
    long long start = starts ? starts[item] : 0;
    rows.for_each_byte(item, [&](unsigned set, const Eight<FG_VOXEL>& eight) {
      const WarpPrefix ranks = warp_prefix(count_ones(set));
      long long phase = window.phases > 1 ? (start + ranks.before) % window.phases : 0;
      for (int i = 0; i < 8; i++) {
        const bool counted = set >> i & 1;
        const long long value = eight.at[i];
        const bool adds = counted && !window.has(value);
        const long long bin = adds ? whole.index(value, phase) : -1;
        const unsigned same = __match_any_sync(kAllLanes, bin);
        if (adds && __ffs(static_cast<int>(same)) - 1 == lane_index()) {
          atomicAdd(&table[bin], static_cast<unsigned long long>(__popc(same)));
        }
        if (counted && ++phase >= window.phases) phase = 0;
      }
      start += ranks.total;
    });
  }
}

}  // namespace fg
