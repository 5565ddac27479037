// A volume and its mask gone through by warps: an item is a stretch of a row, a lane takes eight voxels at a
// time.
#pragma once
#include "cuda/device.h"
#include "cuda/voxels.h"
#include "shared/bits.h"

namespace fg {

constexpr long long kItemBytes = 4096;  // of a row's mask; 32768 voxels

// Rows of nx voxels under a mask of whole words, or without one.
template <class T>
struct Rows {
  const T* voxels;
  const unsigned char* mask;
  long long n_rows, nx;

  __device__ __forceinline__ long long row_bytes() const { return (nx + 63) / 64 * 8; }
  __device__ __forceinline__ long long items_per_row() const {
    return (row_bytes() + kItemBytes - 1) / kItemBytes;
  }
  __device__ __forceinline__ long long n_items() const { return n_rows * items_per_row(); }

  // The bits of byte `at` of a row that belong to voxels and are set in the mask.
  __device__ __forceinline__ unsigned bits(long long row, long long at) const {
    const long long left = nx - at * 8;
    if (left <= 0) return 0;
    if (mask) return mask[row * row_bytes() + at];
    return left >= 8 ? 0xffu : (1u << left) - 1;
  }

  // body(bits, eight voxels) for each byte of an item; all lanes of the warp call it together, some with no
  // bits.
  template <class Body>
  __device__ __forceinline__ void for_each_byte(long long item, Body body) const {
    const long long row = item / items_per_row(), first = item % items_per_row() * kItemBytes;
    const long long end = min(first + kItemBytes, row_bytes());
    for (long long base = first; base < end; base += kWarp) {
      const long long at = base + lane_index();
      const unsigned set = at < end ? bits(row, at) : 0;
      Eight<T> eight = {};
      if (set) eight.load(voxels + row * nx, at * 8, nx);
      body(set, eight);
    }
  }
};

// The sum over lower lanes, and over all lanes.
struct WarpPrefix {
  int before, total;
};
__device__ __forceinline__ WarpPrefix warp_prefix(int value) {
  int sum = value;
  for (int d = 1; d < kWarp; d *= 2) {
    const int lower = __shfl_up_sync(kAllLanes, sum, d);
    if (lane_index() >= d) sum += lower;
  }
  return {sum - value, __shfl_sync(kAllLanes, sum, kWarp - 1)};
}

}  // namespace fg
