// What is done with the runs of a mask once their components are known: measures, choice, labels.
//
// A thread takes a word of 64 voxels and the runs that begin in it, read off the mask again. tally_runs adds
// up 14 numbers per component in a few slots of the block in shared memory, boxes too, so that a component
// that has runs in every row (the air around the body) costs one addition per block and not per run; a
// component that finds its slot taken goes to the table. select_runs rewrites each word by an addition.
// write_labels is the only one that writes voxels: a warp takes a row, a lane a voxel. All sums are of whole
// numbers: any order, same result. start_table makes records before it is known how many are needed, and
// leaves that number behind them, so that the host waits once.
//
// Cost at 512 x 512 x 827: tally_runs and select_runs read 27 MB of words, 13 MB of their first runs and 5 MB
// of components, and write 27 MB: 0.03 ms. Measured on an NVIDIA H200 at 512 x 512 x 128: tally_runs 0.017 ms
// (487 instructions for 32 words), select_runs 0.007; by rows
// and with boxes in the table 0.085 and 0.011. write_labels stores 0.87 GB, 0.2 ms at 4.3 TB/s. Defines:
// FG_INDEX as in components.cu, FG_LABEL int or long long.
#include "cuda/device.h"
#include "shared/runs.h"

namespace fg {

using Index = FG_INDEX;
using Label = FG_LABEL;
constexpr int kThreads = 256;
constexpr int kBlocks = 4;  // on a processor: tally_runs gets up to 64 registers and need not spill
constexpr int kSlots = 32;  // components with counters of the block
constexpr int kFar = 0x7fffffff;
constexpr long long kMostShort = 1 << 22;  // voxels of a row: the block's counters have 32 bits

// COMPONENT_DTYPE of the contract.
struct Record {
  long long label, n_voxels, begin[3], end[3], contact[3][2];
};

// The first records, and after them one whose label says how many components there are.
extern "C" __global__ void __launch_bounds__(kThreads)
    start_table(long long n_records, const Index* n_components, Record* table) {
  const long long i = thread_index();
  if (i >= n_records) return;
  const long long far = 0x7fffffffffffffff;
  table[i] = {i + 1, 0, {far, far, far}, {0, 0, 0}, {{0, 0}, {0, 0}, {0, 0}}};
  if (i == 0) table[n_records] = {*n_components};
}

__device__ __forceinline__ void add(long long* sum, long long n) {
  atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(n));
}
template <class T>
__device__ __forceinline__ void widen(T* begin, T* end, T first, T last) {
  if (cu_load(begin) > first) atomicMin(begin, first);
  if (cu_load(end) <= last) atomicMax(end, last + 1);
}

// The block's counters of the components that came first to a slot: voxels and contacts, first and last
// places.
struct Slot {
  unsigned long long owner;
  unsigned count[7];
  int begin[3], end[3];
};

// Adds the runs of a row to the counters or, where another component has the slot, to the table.
struct AddRun {
  const Index* component;
  unsigned long long n_records;
  Record* table;
  Slot* slots;  // none where numbers may be too long for them
  long long z, y, nz, ny, nx;

  __device__ void operator()(long long run, long long begin, long long end) const {
    const unsigned long long c = component[run];
    if (c >= n_records) return;
    Slot* const slot = claim(c);
    if (slot) {
      widen(&slot->begin[0], &slot->end[0], static_cast<int>(z), static_cast<int>(z));
      widen(&slot->begin[1], &slot->end[1], static_cast<int>(y), static_cast<int>(y));
      widen(&slot->begin[2], &slot->end[2], static_cast<int>(begin), static_cast<int>(end - 1));
    } else {
      Record& record = table[c];
      widen(&record.begin[0], &record.end[0], z, z);
      widen(&record.begin[1], &record.end[1], y, y);
      widen(&record.begin[2], &record.end[2], begin, end - 1);
    }
    const long long n = end - begin;
    add_to(slot, 0, &table[c].n_voxels, n);
    if (z == 0) add_to(slot, 1, &table[c].contact[0][0], n);
    if (z == nz - 1) add_to(slot, 2, &table[c].contact[0][1], n);
    if (y == 0) add_to(slot, 3, &table[c].contact[1][0], n);
    if (y == ny - 1) add_to(slot, 4, &table[c].contact[1][1], n);
    if (begin == 0) add_to(slot, 5, &table[c].contact[2][0], 1);
    if (end == nx) add_to(slot, 6, &table[c].contact[2][1], 1);
  }

 private:
  __device__ Slot* claim(unsigned long long c) const {
    if (!slots) return nullptr;
    Slot* const slot = slots + c % kSlots;
    unsigned long long owner = cu_load(&slot->owner);
    if (owner == ~0ull) owner = atomicCAS(&slot->owner, ~0ull, c);
    return owner == ~0ull || owner == c ? slot : nullptr;
  }
  __device__ static void add_to(Slot* slot, int which, long long* sum, long long n) {
    if (slot) {
      atomicAdd(slot->count + which, static_cast<unsigned>(n));
    } else {
      add(sum, n);
    }
  }
};

// Adds a slot to the table: what thread `part` of its eight is for.
__device__ void add_slot(const Slot& slot, int part, Record* table) {
  if (slot.owner == ~0ull) return;
  Record& record = table[slot.owner];
  if (part < 3)
    widen<long long>(&record.begin[part], &record.end[part], slot.begin[part], slot.end[part] - 1LL);
  if (part == 7) add(&record.n_voxels, slot.count[0]);
  if (part < 6 && slot.count[part + 1]) add(&record.contact[0][0] + part, slot.count[part + 1]);
}

extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    tally_runs(const Bits* mask, long long nz, long long ny, long long nx, const Index* first_run,
               const Index* component, long long n_records, Record* table) {
  CU_SHARED(Slot, slots, [kSlots]);
  if (threadIdx.x < kSlots) slots[threadIdx.x] = {~0ull, {}, {kFar, kFar, kFar}, {}};
  __syncthreads();
  const long long at = thread_index(), n_words = (nx + 63) / 64;
  if (at < nz * ny * n_words && first_run[at] < first_run[at + 1]) {
    const bool are_short = nx < kMostShort && ny < kFar && nz < kFar;
    const long long row = at / n_words, w = at % n_words;
    const AddRun add_run{component, static_cast<unsigned long long>(n_records),
                         table,     are_short ? slots : nullptr,
                         row / ny,  row % ny,
                         nz,        ny,
                         nx};
    long long run = first_run[at];
    for (Bits starts = mask[at] & ~step_right(mask[at], w > 0 ? mask[at - 1] : 0); starts;
         starts &= starts - 1) {
      const long long begin = 64 * w + lowest_one(starts);
      add_run(run++, begin, end_of_run(mask + row * n_words, n_words, begin));
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kSlots * 8; i += kThreads) add_slot(slots[i / 8], i % 8, table);
}

// The runs that have bits of a word: the one that begins before it, if any, and those that begin in it.
struct WordRuns {
  Bits word, starts;
  long long first;  // that begins in the word

  __device__ WordRuns(const Bits* mask, long long at, long long n_words, const Index* first_run)
      : word(mask[at]), first(first_run[at]) {
    starts = word & ~step_right(word, at % n_words > 0 ? mask[at - 1] : 0);
  }
  // The run of one of the bits set.
  __device__ long long of(int bit) const { return first - 1 + count_ones(starts & low_ones(bit + 1)); }
};

// Writes the runs of the components to keep: the first bits of runs that are added to a word carry through
// them.
extern "C" __global__ void __launch_bounds__(kThreads)
    select_runs(const Bits* mask, long long n_rows, long long n_words, const Index* first_run,
                const Index* component, const bool* keep, Bits* out) {
  const long long at = thread_index();
  if (at >= n_rows * n_words) return;
  const WordRuns runs(mask, at, n_words, first_run);
  Bits wanted = 0;
  for (Bits heads = runs.starts | (runs.word & 1); heads; heads &= heads - 1) {
    const int bit = lowest_one(heads);
    if (keep[component[runs.of(bit)]]) wanted |= Bits{1} << bit;
  }
  out[at] = runs.word & ~(runs.word + wanted);
}

// Marks the components that have a voxel of `seeds`.
extern "C" __global__ void __launch_bounds__(kThreads)
    mark_touched(const Bits* mask, const Bits* seeds, long long n_rows, long long n_words,
                 const Index* first_run, const Index* component, bool* is_touched) {
  const long long at = thread_index();
  if (at >= n_rows * n_words) return;
  const WordRuns runs(mask, at, n_words, first_run);
  for (Bits left = runs.word & seeds[at]; left;) {
    const int bit = lowest_one(left);
    cu_store(is_touched + component[runs.of(bit)], true);
    const Bits later = runs.starts & ~low_ones(bit + 1);  // the next run and what follows
    left &= later ? 0 - (later & (0 - later)) : 0;
  }
}

extern "C" __global__ void __launch_bounds__(kThreads)
    write_labels(const Bits* mask, long long n_rows, long long nx, const Index* first_run,
                 const Index* component, Label* labels) {
  const long long n_words = (nx + 63) / 64;
  for (long long row = warp_index(); row < n_rows; row += warp_count()) {
    for (long long w = 0; w < n_words; w++) {
      const WordRuns runs(mask, row * n_words + w, n_words, first_run);
      for (int bit = lane_index(); bit < 64 && 64 * w + bit < nx; bit += kWarp) {
        const bool is_set = runs.word >> bit & 1;
        labels[row * nx + 64 * w + bit] = is_set ? static_cast<Label>(component[runs.of(bit)]) + 1 : 0;
      }
    }
  }
}

}  // namespace fg
