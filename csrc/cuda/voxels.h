// Eight voxels of a row: what goes with one byte of a mask.
#pragma once
#include "cuda/device.h"

namespace fg {

template <class T>
struct alignas(8 * sizeof(T) < 16 ? 8 * sizeof(T) : 16) Eight {
  T at[8];

  // Voxels x to x + 7 of a row of nx, as far as they exist: returns how many. One or two loads where they are
  // aligned.
  __device__ __forceinline__ int load(const T* row, long long x, long long nx) {
    const long long left = nx - x;
    const int n = left >= 8 ? 8 : left > 0 ? static_cast<int>(left) : 0;
    if (n == 8 && reinterpret_cast<unsigned long long>(row + x) % alignof(Eight) == 0) {
      *this = *reinterpret_cast<const Eight*>(row + x);
    } else {
      for (int i = 0; i < 8; i++) at[i] = i < n ? row[x + i] : T(0);
    }
    return n;
  }

  // The other way.
  __device__ __forceinline__ void store(T* row, long long x, long long nx) const {
    if (nx - x >= 8 && reinterpret_cast<unsigned long long>(row + x) % alignof(Eight) == 0) {
      *reinterpret_cast<Eight*>(row + x) = *this;
    } else {
      for (int i = 0; i < 8; i++) {
        if (x + i < nx) row[x + i] = at[i];
      }
    }
  }
};

}  // namespace fg
