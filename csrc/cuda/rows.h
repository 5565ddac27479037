// A volume and its mask gone through by warps: an item is a stretch of the mask's words, a lane takes one of
// 32.
#pragma once
#include "cuda/device.h"
#include "shared/bits.h"

namespace fg {

constexpr int kItemWords = 256;  // 16384 voxels

// Eight voxels as they stand in memory: nothing waits for them before the first is asked for.
template <class T>
struct alignas(8 * sizeof(T) < 16 ? 8 * sizeof(T) : 16) Packed {
  static constexpr int kEach = 4 / sizeof(T), kBits = 8 * sizeof(T);  // voxels a word, bits a voxel
  unsigned words[8 / kEach];

  __device__ __forceinline__ T at(int i) const {
    return static_cast<T>(words[i / kEach] >> i % kEach * kBits);
  }
  __device__ __forceinline__ void set(int i, T voxel) {
    words[i / kEach] |= (static_cast<unsigned>(voxel) & ~0u >> (32 - kBits)) << i % kEach * kBits;
  }
};

// Rows of nx voxels under a mask of whole words, or without one.
template <class T>
struct Rows {
  const T* voxels;
  const Bits* mask;
  long long n_rows, nx;

  __device__ __forceinline__ long long row_words() const { return (nx + 63) / 64; }
  __device__ __forceinline__ long long n_words() const { return n_rows * row_words(); }
  __device__ __forceinline__ long long n_items() const { return (n_words() + kItemWords - 1) / kItemWords; }

  // The bits of a word that belong to voxels and are set in the mask; none past the last word.
  __device__ __forceinline__ Bits bits(long long word) const {
    if (word >= n_words()) return 0;
    if (mask) return mask[word];
    const long long left = nx - word % row_words() * 64;
    return low_ones(left < 64 ? static_cast<int>(left) : 64);
  }
  __device__ __forceinline__ Packed<T> packed(long long first) const {
    if (nx % 8 == 0 && reinterpret_cast<unsigned long long>(voxels) % alignof(Packed<T>) == 0) {
      return *reinterpret_cast<const Packed<T>*>(voxels + first);
    }
    Packed<T> found = {};
    for (int i = 0; i < 8; i++) {
      if (first + i < n_rows * nx) found.set(i, voxels[first + i]);
    }
    return found;
  }
  // Where the voxels of a word begin.
  __device__ __forceinline__ long long voxel(long long word) const {
    if (nx % 64 == 0) return word * 64;
    const long long row = word / row_words();
    return row * nx + (word - row * row_words()) * 64;
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
