// Parents of disjoint sets that other threads change meanwhile (shared/union_find.h).
#pragma once
#include "cuda/device.h"
#include "shared/union_find.h"

namespace fg {

struct Parents {
  template <class Index>
  __device__ __forceinline__ Index load(const Index* parent) const {
    return cu_load(parent);
  }
  template <class Index>
  __device__ __forceinline__ void store(Index* parent, Index value) const {
    cu_store(parent, value);
  }
  template <class Index>
  __device__ __forceinline__ Index lower(Index* parent, Index value) const {
    return atomicMin(parent, value);
  }
};

}  // namespace fg
