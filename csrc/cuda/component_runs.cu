// What is done with the runs of a mask once their components are known: measures, choice, labels.
//
// A thread takes a row; the runs are read off the mask's words again. tally_runs adds up 14 numbers per
// component: sums go through a few counters of the block in shared memory, so that a component that has runs
// in every row (the air around the body) costs one addition per block and not per run, and limits of boxes
// are looked at before they are changed. select_runs rewrites the mask's words by an addition per word.
// write_labels is the only one that writes voxels: a warp takes a row, a lane a voxel. All sums are of whole
// numbers: any order, same result.
//
// Cost at 512 x 512 x 827: tally_runs reads 27 MB and makes about 8 accesses to the L2 cache for each
// of 1.5e6 runs, 0.03 ms; select_runs reads 27 MB and the runs' components and writes 27 MB, 0.02 ms; with
// components.cu together about 0.2 ms (issue: 0.4, floor 0.05). write_labels stores 0.87 GB, 0.2 ms at 4.3
// TB/s. Defines: FG_INDEX as in components.cu, FG_LABEL int or long long.
#include "cuda/device.h"
#include "shared/runs.h"

namespace fg {

using Index = FG_INDEX;
using Label = FG_LABEL;
constexpr int kThreads = 256;
constexpr int kBlocks = 4;  // on a processor: tally_runs gets up to 64 registers and need not spill
constexpr int kSlots = 32;  // components with counters of the block: a row meets about five
constexpr long long kMostShort = 1 << 22;  // voxels of a row: the block's counters have 32 bits

// COMPONENT_DTYPE of the contract.
struct Record {
  long long label, n_voxels, begin[3], end[3], contact[3][2];
};

extern "C" __global__ void __launch_bounds__(kThreads) start_table(long long n_components, Record* table) {
  const long long i = thread_index();
  if (i >= n_components) return;
  const long long far = 0x7fffffffffffffff;
  table[i] = {i + 1, 0, {far, far, far}, {0, 0, 0}, {{0, 0}, {0, 0}, {0, 0}}};
}

__device__ __forceinline__ void add(long long* sum, long long n) {
  atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(n));
}
__device__ __forceinline__ void widen(long long* begin, long long* end, long long first, long long last) {
  if (cu_load(begin) > first) atomicMin(begin, first);
  if (cu_load(end) <= last) atomicMax(end, last + 1);
}

// The block's counters: n_voxels and the six contacts of components that came first to a slot.
struct Counters {
  unsigned long long owner[kSlots];
  unsigned count[kSlots][7];
};

// Adds the runs of a row to the counters or, where another component has the slot, to the table.
struct AddRun {
  const Index* component;
  Record* table;
  Counters* counters;  // none where rows are too long for them
  long long z, y, nz, ny, nx;

  __device__ void operator()(long long run, long long begin, long long end) const {
    const unsigned long long c = component[run];
    Record& record = table[c];
    widen(&record.begin[0], &record.end[0], z, z);
    widen(&record.begin[1], &record.end[1], y, y);
    widen(&record.begin[2], &record.end[2], begin, end - 1);
    const long long n = end - begin;
    unsigned* const count = claim(c);
    add_to(count, 0, &record.n_voxels, n);
    if (z == 0) add_to(count, 1, &record.contact[0][0], n);
    if (z == nz - 1) add_to(count, 2, &record.contact[0][1], n);
    if (y == 0) add_to(count, 3, &record.contact[1][0], n);
    if (y == ny - 1) add_to(count, 4, &record.contact[1][1], n);
    if (begin == 0) add_to(count, 5, &record.contact[2][0], 1);
    if (end == nx) add_to(count, 6, &record.contact[2][1], 1);
  }

 private:
  __device__ unsigned* claim(unsigned long long c) const {
    if (!counters) return nullptr;
    const int slot = static_cast<int>(c % kSlots);
    const unsigned long long owner = atomicCAS(&counters->owner[slot], ~0ull, c);
    return owner == ~0ull || owner == c ? counters->count[slot] : nullptr;
  }
  __device__ static void add_to(unsigned* count, int which, long long* sum, long long n) {
    if (count) {
      atomicAdd(count + which, static_cast<unsigned>(n));
    } else {
      add(sum, n);
    }
  }
};

extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    tally_runs(const Bits* mask, long long nz, long long ny, long long nx, const long long* first_run,
               const Index* component, Record* table) {
  CU_SHARED(Counters, counters, [1]);
  for (int i = threadIdx.x; i < kSlots * 7; i += kThreads) counters->count[i / 7][i % 7] = 0;
  if (threadIdx.x < kSlots) counters->owner[threadIdx.x] = ~0ull;
  __syncthreads();
  const long long row = thread_index(), n_words = (nx + 63) / 64;
  if (row < nz * ny) {
    const AddRun visit{component, table, nx < kMostShort ? counters : nullptr, row / ny, row % ny, nz,
                       ny,        nx};
    visit_runs(mask + row * n_words, nx, first_run[row], visit);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kSlots * 7; i += kThreads) {
    const unsigned long long owner = counters->owner[i / 7];
    const unsigned n = counters->count[i / 7][i % 7];
    if (owner == ~0ull || n == 0) continue;
    add(i % 7 == 0 ? &table[owner].n_voxels : &table[owner].contact[0][0] + (i % 7 - 1), n);
  }
}

struct KeepRun {
  const Index* component;
  const bool* keep;
  __device__ bool operator()(long long run) const { return keep[component[run]]; }
};

// Writes the runs of the components to keep.
extern "C" __global__ void __launch_bounds__(kThreads)
    select_runs(const Bits* mask, long long n_rows, long long n_words, const long long* first_run,
                const Index* component, const bool* keep, Bits* out) {
  const long long row = thread_index();
  if (row >= n_rows) return;
  const KeepRun keep_run{component + first_run[row], keep};
  select_row(mask + row * n_words, n_words, keep_run, out + row * n_words);
}

// Marks the components that have a voxel of `seeds`.
extern "C" __global__ void __launch_bounds__(kThreads)
    mark_touched(const Bits* mask, const Bits* seeds, long long n_rows, long long n_words,
                 const long long* first_run, const Index* component, bool* is_touched) {
  const long long row = thread_index();
  if (row >= n_rows) return;
  long long run = first_run[row] - 1;
  Bits before = 0;
  for (long long w = row * n_words; w < (row + 1) * n_words; before = mask[w++]) {
    const Bits starts = mask[w] & ~step_right(mask[w], before);
    for (Bits left = mask[w] & seeds[w]; left;) {
      const Bits up_to = left ^ (left - 1), later = starts & ~up_to;
      cu_store(is_touched + component[run + count_ones(starts & up_to)], true);
      left &= later ? 0 - (later & (0 - later)) : 0;
    }
    run += count_ones(starts);
  }
}

extern "C" __global__ void __launch_bounds__(kThreads)
    write_labels(const Bits* mask, long long n_rows, long long nx, const long long* first_run,
                 const Index* component, Label* labels) {
  const long long n_words = (nx + 63) / 64;
  for (long long row = warp_index(); row < n_rows; row += warp_count()) {
    const Bits* const words = mask + row * n_words;
    long long run = first_run[row] - 1;
    for (long long w = 0; w < n_words; w++) {
      const Bits word = words[w], starts = word & ~step_right(word, w > 0 ? words[w - 1] : 0);
      for (int bit = lane_index(); bit < 64 && 64 * w + bit < nx; bit += kWarp) {
        const bool is_set = word >> bit & 1;
        const long long own = run + count_ones(starts & low_ones(bit + 1));
        labels[row * nx + 64 * w + bit] = is_set ? static_cast<Label>(component[own]) + 1 : 0;
      }
      run += count_ones(starts);
    }
  }
}

}  // namespace fg
