// Exact counts of a volume's values under a mask, by phase: the running index of a counted voxel modulo
// phases.
//
//   count_items   counts the mask's bits in each item
//   start_items   makes of them the phase at which each item starts: one block, a prefix sum
//   count_values  a warp takes an item, 32 words of the mask at a time: empty ones cost no more, the others
//                 stand in a list, and eight lanes take a word of it, each a byte and its eight voxels.
//                 Values of a window have counters in shared memory, in copies of which a warp takes one. The
//                 first to come of the others share a few slots, the rest is added to the table at once
//   list_values   the values that occur with their counts, in any order
// Shared counters have 32 bits and are added to the table before they can overflow. Defines: FG_VOXEL, the
// type of a voxel.
//
// Cost: two reads of the mask (one if there is one phase), one of the voxels under it, and some 200
// instructions for 256 of them, where eight atomics in shared memory wait for memory that was asked for a
// round before. Measured on an NVIDIA H200, four phases, lungs of 14 % of 512 x 512 x 827, from the call to
// the counts on the host: 0.27 ms (items of 512 words 0.34, of 128 0.32, of 64 0.28); at 512 x 512 x 128 the
// four kernels take 4, 4, 48 and 4 us.
#include "cuda/counters.h"
#include "cuda/rows.h"

namespace fg {

constexpr int kThreads = 256;                               // of kernels without barriers
constexpr int kCountThreads = 512;                          // 32 KB of counters are shared by many threads
constexpr int kCountBlocks = sizeof(FG_VOXEL) < 4 ? 2 : 1;  // on a processor, at least
constexpr int kWarps = kCountThreads / kWarp;
constexpr int kRounds = 4096;  // items a warp takes before counters are added up: 16 * 4096 * 16384 < 2^32
constexpr int kPhaseBits = 8;  // at most 256 phases
constexpr unsigned kMostPhase = (1u << kPhaseBits) - 1;
constexpr int kScanThreads = 1024, kScanned = 8;  // items a thread

// A word with bits: the place of its first voxel, and in the lowest kPhaseBits the phase of the first
// counted.
struct alignas(16) Word {
  Bits bits;
  unsigned long long start;
};

// Eight voxels that are on their way from memory, the bits of those that count, and the first's phase.
struct Byte {
  Packed<FG_VOXEL> eight;
  long long first;
  unsigned set = 0, phase;

  __device__ __forceinline__ void load(const Rows<FG_VOXEL>& rows, const Counters& counters,
                                       const Word& word) {
    const int shift = lane_index() % 8 * 8;
    set = static_cast<unsigned>(word.bits >> shift) & 255;
    if (!set) return;
    first = static_cast<long long>(word.start >> kPhaseBits) + shift;
    eight = rows.packed(first);
    phase = counters.phase(static_cast<unsigned>(word.start & kMostPhase) +
                           static_cast<unsigned>(count_ones(word.bits & low_ones(shift))));
  }
  __device__ __forceinline__ void count(const Rows<FG_VOXEL>& rows, const Counters& counters) const {
    if (!set || !counters.add(eight, set, phase)) return;
    unsigned now = phase;
#pragma unroll 1
    for (int i = 0; i < 8; i++) {
      if (!(set >> i & 1)) continue;
      const unsigned value = static_cast<unsigned>(rows.voxels[first + i]);
      if (value - counters.low >= counters.n_bins) counters.add_outside(value, now);
      if (++now == counters.phases) now = 0;
    }
  }
};

// Counts the voxels of one item, the first in a phase.
__device__ __forceinline__ void count_item(const Rows<FG_VOXEL>& rows, long long item, unsigned phase,
                                           const Counters& counters, Word* list) {
  const long long first = item * kItemWords + lane_index();
  Bits next = rows.bits(first);
  for (int i = 0; i < kItemWords; i += kWarp) {
    const Bits bits = next;
    if (i + kWarp < kItemWords) next = rows.bits(first + i + kWarp);
    const unsigned taken = __ballot_sync(kAllLanes, bits != 0);
    if (!taken) continue;
    unsigned own = 0;
    if (counters.phases > 1) {
      const WarpPrefix ranks = warp_prefix(count_ones(bits));
      own = counters.phase(phase + ranks.before);
      phase = counters.phase(phase + ranks.total);
    }
    if (bits) {
      const unsigned long long start =
          static_cast<unsigned long long>(rows.voxel(first + i)) << kPhaseBits | own;
      list[__popc(taken & ((1u << lane_index()) - 1))] = {bits, start};
    }
    __syncwarp();
    const int n = __popc(taken);
    Byte now;
    if (lane_index() / 8 < n) now.load(rows, counters, list[lane_index() / 8]);
    for (int k = lane_index() / 8; k < n; k += kWarp / 8) {
      Byte then;
      if (k + kWarp / 8 < n) then.load(rows, counters, list[k + kWarp / 8]);
      now.count(rows, counters);
      now = then;
    }
    __syncwarp();
  }
}

// How many voxels each item has to count.
extern "C" __global__ void __launch_bounds__(kThreads)
    count_items(const Bits* mask, long long n_rows, long long nx, int* counts) {
  const Rows<FG_VOXEL> rows = {nullptr, mask, n_rows, nx};
  for (long long item = warp_index(); item < rows.n_items(); item += warp_count()) {
    const long long first = item * kItemWords + lane_index();
    int n = 0;
#pragma unroll
    for (int i = 0; i < kItemWords; i += kWarp) n += count_ones(rows.bits(first + i));
    const int total = warp_prefix(n).total;
    if (lane_index() == 0) counts[item] = total;
  }
}

// The phase at which each item starts. One block.
extern "C" __global__ void __launch_bounds__(kScanThreads)
    start_items(const int* counts, long long n_items, long long phases, int* starts) {
  CU_SHARED(int, totals, [kScanThreads / kWarp]);
  long long before = 0;
  for (long long base = 0; base < n_items; base += kScanThreads * kScanned) {
    const long long first = base + threadIdx.x * kScanned;
    int n[kScanned], sum = 0;
#pragma unroll
    for (int i = 0; i < kScanned; i++) sum += n[i] = first + i < n_items ? counts[first + i] : 0;
    const WarpPrefix lanes = warp_prefix(sum);
    if (lane_index() == 0) totals[threadIdx.x / kWarp] = lanes.total;
    __syncthreads();
    const WarpPrefix warps = warp_prefix(totals[lane_index()]);
    const int lower = __shfl_sync(kAllLanes, warps.before, static_cast<int>(threadIdx.x) / kWarp);
    long long start = (before + lower + lanes.before) % phases;
#pragma unroll
    for (int i = 0; i < kScanned; i++) {
      if (first + i < n_items) starts[first + i] = static_cast<int>(start % phases);
      start += n[i];
    }
    before += warps.total;
    __syncthreads();
  }
}

// starts may be null where phases is 1.
extern "C" __global__ void __launch_bounds__(kCountThreads, kCountBlocks)
    count_values(const FG_VOXEL* volume, const Bits* mask, const int* starts, long long n_rows, long long nx,
                 long long low, long long n_bins, long long phases, long long n_copies, long long table_low,
                 long long table_bins, Count* table) {
  CU_DYN_SHARED(unsigned, counts);
  CU_SHARED(Word, lists, [kWarps][kWarp]);
  CU_SHARED(unsigned, slot_bins, [kSlots]);
  CU_SHARED(unsigned, slot_counts, [kSlots]);
  const Rows<FG_VOXEL> rows = {volume, mask, n_rows, nx};
  const unsigned warp = threadIdx.x / kWarp, copies = static_cast<unsigned>(n_copies);
  const unsigned n_counts = static_cast<unsigned>((n_bins + 1) * phases);
  const Counters counters = {static_cast<unsigned>(low),
                             static_cast<unsigned>(n_bins),
                             n_counts,
                             static_cast<unsigned>(phases),
                             static_cast<unsigned>(table_low),
                             static_cast<unsigned>(table_bins),
                             counts + warp % copies * n_counts,
                             slot_bins,
                             slot_counts,
                             table};
  for (long long first = blockIdx.x; first < rows.n_items();) {
    for (unsigned i = threadIdx.x; i < n_counts * copies; i += kCountThreads) counts[i] = 0;
    for (unsigned i = threadIdx.x; i < kSlots; i += kCountThreads) slot_bins[i] = kFree, slot_counts[i] = 0;
    __syncthreads();
    for (int round = 0; round < kRounds && first < rows.n_items();
         round++, first += gridDim.x * static_cast<long long>(kWarps)) {
      const long long item = first + warp * static_cast<long long>(gridDim.x);
      if (item < rows.n_items()) count_item(rows, item, starts ? starts[item] : 0, counters, lists[warp]);
    }
    __syncthreads();
    counters.add_to_table(counts, copies);
    __syncthreads();
  }
}

// Rows of a value and its counts, one for each value that has any; listed[0] is their number and 0 before.
extern "C" __global__ void __launch_bounds__(kThreads)
    list_values(const Count* table, long long table_low, long long table_bins, long long phases,
                Count* listed) {
  for (long long base = warp_index() * kWarp; base < table_bins; base += thread_count()) {
    const long long bin = base + lane_index();
    bool occurs = false;
    for (long long phase = 0; bin < table_bins && phase < phases; phase++) {
      occurs |= table[phase * table_bins + bin] != 0;
    }
    const unsigned all = __ballot_sync(kAllLanes, occurs);
    if (!all) continue;
    Count place = 0;
    if (lane_index() == 0) place = atomicAdd(listed, static_cast<Count>(__popc(all)));
    place = __shfl_sync(kAllLanes, place, 0) + __popc(all & ((1u << lane_index()) - 1));
    if (!occurs) continue;
    Count* const row = listed + 1 + place * (phases + 1);
    row[0] = static_cast<Count>(table_low + bin);
    for (long long phase = 0; phase < phases; phase++) row[1 + phase] = table[phase * table_bins + bin];
  }
}

}  // namespace fg
