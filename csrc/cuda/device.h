// What kernels use beyond the formulas of shared/: shared memory, accesses that other threads race with,
// indices. tests/native/cuda_on_cpu.h has the same names for kernels that run on the CPU.
#pragma once
#include "shared/portable.h"

#if !defined(FG_CUDA_ON_CPU)
// An array in static shared memory: CU_SHARED(double, sums, [32]);
#define CU_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
// The dynamic shared memory of the launch; one per kernel.
#define CU_DYN_SHARED(T, name)                                \
  extern __shared__ __align__(16) unsigned char cu_dynamic[]; \
  T* name = reinterpret_cast<T*>(cu_dynamic)

// Memory that other threads may write or read meanwhile: never kept in a register, never torn.
template <class T>
__device__ __forceinline__ T cu_load(const T* p) {
  return *static_cast<const volatile T*>(p);
}
template <class T>
__device__ __forceinline__ void cu_store(T* p, T v) {
  *static_cast<volatile T*>(p) = v;
}
#endif

namespace fg {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

__device__ __forceinline__ int lane_index() {
  return static_cast<int>(threadIdx.x % kWarp);
}

// Index of the thread or warp among those of a launch of one-dimensional blocks, and how many there are.
__device__ __forceinline__ long long thread_index() {
  return blockIdx.x * static_cast<long long>(blockDim.x) + threadIdx.x;
}
__device__ __forceinline__ long long thread_count() {
  return gridDim.x * static_cast<long long>(blockDim.x);
}
__device__ __forceinline__ long long warp_index() {
  return thread_index() / kWarp;
}
__device__ __forceinline__ long long warp_count() {
  return thread_count() / kWarp;
}

}  // namespace fg
