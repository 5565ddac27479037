// Counters of values by phase: a window of them in shared memory, a few slots beside it, and the table of
// all.
#pragma once
#include "cuda/rows.h"

namespace fg {

constexpr int kSlotBits = 8, kSlots = 1 << kSlotBits;  // for values outside the window
constexpr unsigned kFree = 0xffffffffu;                // no bin: the table is shorter

using Count = unsigned long long;

// Counters of values low, low + 1, ... by phase; the table's have 64 bits. Differences of values are taken
// modulo 2^32, which is exact for all that lie in.
struct Counters {
  unsigned low, n_bins, n_counts, phases, table_low, table_bins;
  unsigned *counts, *slot_bins, *slot_counts;
  Count* table;

  __device__ __forceinline__ unsigned stride() const { return n_bins + 1; }
  __device__ __forceinline__ unsigned phase(unsigned index) const {
    return phases & (phases - 1) ? index % phases : index & (phases - 1);
  }
  __device__ __forceinline__ void add_outside(unsigned value, unsigned phase) const {
    const unsigned bin = phase * table_bins + (value - table_low);
    const unsigned slot = bin * 2654435761u >> (32 - kSlotBits);
    unsigned taken_by = cu_load(slot_bins + slot);
    if (taken_by == kFree) taken_by = atomicCAS(slot_bins + slot, kFree, bin);
    if (taken_by == kFree || taken_by == bin) {
      atomicAdd(slot_counts + slot, 1u);
    } else {
      atomicAdd(table + bin, Count{1});
    }
  }

  // Counts the voxels whose bits are set, the first in a phase; the others and those outside go to a counter
  // that nobody reads, the last of a phase, which costs less than branches. Returns whether any of the eight
  // is outside.
  template <class T>
  __device__ __forceinline__ bool add(const Packed<T>& eight, unsigned set, unsigned phase) const {
    unsigned most = 0, row = phase * stride();
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const unsigned bin = static_cast<unsigned>(eight.at(i)) - low;
      const bool counted = set & 1u << i;
      most = max(most, bin);
      atomicAdd(counts + (row + (counted ? min(bin, n_bins) : n_bins)), 1u);
      row += counted ? stride() : 0;
      if (row == n_counts) row = 0;
    }
    return most >= n_bins;
  }

  // All threads of the block add up all copies.
  __device__ __forceinline__ void add_to_table(const unsigned* all, unsigned copies) const {
    for (unsigned i = threadIdx.x; i < n_counts; i += blockDim.x) {
      Count sum = 0;
      for (unsigned copy = 0; copy < copies; copy++) sum += all[copy * n_counts + i];
      const unsigned bin = i % stride();
      if (sum && bin < n_bins) atomicAdd(table + (i / stride() * table_bins + (low - table_low) + bin), sum);
    }
    for (unsigned i = threadIdx.x; i < kSlots; i += blockDim.x) {
      if (slot_counts[i]) atomicAdd(table + slot_bins[i], Count{slot_counts[i]});
    }
  }
};

}  // namespace fg
