// The names of CUDA C++ that kernels use: qualifiers, vector types, warp functions, atomics, bit functions.
#pragma once
#include <cmath>
#include <cstring>

#include "cuda_on_cpu/fibers.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __restrict__ __restrict
#define __forceinline__ inline
#define __launch_bounds__(...)
// An OS thread runs one block at a time, so this is a block's own storage. Bytes, because nothing constructs
// shared memory: a T with constructors would have a guard that all threads of a block read and write.
#define CU_SHARED(T, name, ...)                                                     \
  alignas(T) static thread_local unsigned char name##_bytes[sizeof(T __VA_ARGS__)]; \
  T(&name) __VA_ARGS__ = reinterpret_cast<T(&) __VA_ARGS__>(name##_bytes);          \
  cuemu::spoil(&name##_bytes, sizeof(name##_bytes), &name##_bytes)
#define CU_DYN_SHARED(T, name) T* name = reinterpret_cast<T*>(cuemu::blk.dyn)

#define CUEMU_VEC(T, N)                                     \
  struct alignas(2 * sizeof(T)) N##2 {                      \
    T x, y;                                                 \
  };                                                        \
  inline N##2 make_##N##2(T x, T y) {                       \
    return {x, y};                                          \
  }                                                         \
  struct alignas(sizeof(T) > 2 ? 16 : 4 * sizeof(T)) N##4 { \
    T x, y, z, w;                                           \
  };                                                        \
  inline N##4 make_##N##4(T x, T y, T z, T w) {             \
    return {x, y, z, w};                                    \
  }
CUEMU_VEC(signed char, char)
CUEMU_VEC(unsigned char, uchar)
CUEMU_VEC(short, short)
CUEMU_VEC(unsigned short, ushort)
CUEMU_VEC(int, int)
CUEMU_VEC(unsigned, uint)
CUEMU_VEC(long long, longlong)
CUEMU_VEC(unsigned long long, ulonglong)
CUEMU_VEC(float, float)
CUEMU_VEC(double, double)

namespace cuemu {

template <class T>
struct same {
  using type = T;
};

template <class T>
uint64_t bits(T v) {
  static_assert(sizeof(T) <= 8);
  uint64_t u = 0;
  memcpy(&u, &v, sizeof v);
  return u;
}

// Fills a static shared array with rubbish when the first thread of a block passes its declaration.
struct Spoiled {
  const void* array;
  uint64_t serial;
};
inline thread_local Spoiled spoiled[64];

CUEMU_RAW inline void spoil(void* array, size_t size, const void* key) {
  for (Spoiled& s : spoiled) {
    if (s.serial == blk.serial && s.array != key) continue;  // those of earlier blocks give their places away
    if (s.serial == blk.serial) return;
    s = {key, blk.serial};
    for (size_t i = 0; i < size; i++) static_cast<volatile unsigned char*>(array)[i] = 0xCD;
    return;
  }
  die("more than 64 arrays in static shared memory of a block");
}

CUEMU_RAW inline void pick(unsigned m, const uint64_t* in, const int* from, uint64_t* out) {
  for (unsigned k = m; k; k &= k - 1) {
    const int l = __builtin_ctz(k);
    out[l] = m >> from[l] & 1 ? in[from[l]] : 0xCDCDCDCDCDCDCDCDull;  // a lane that does not take part
  }
}

CUEMU_RAW inline void ballot(unsigned m, const uint64_t* in, const int*, uint64_t* out) {
  unsigned r = 0;
  for (unsigned k = m; k; k &= k - 1) r |= unsigned(in[__builtin_ctz(k)] != 0) << __builtin_ctz(k);
  for (; m; m &= m - 1) out[__builtin_ctz(m)] = r;
}

CUEMU_RAW inline void match(unsigned m, const uint64_t* in, const int*, uint64_t* out) {
  for (unsigned k = m; k; k &= k - 1) {
    uint64_t r = 0;
    for (unsigned j = m; j; j &= j - 1) {
      r |= uint64_t(in[__builtin_ctz(j)] == in[__builtin_ctz(k)]) << __builtin_ctz(j);
    }
    out[__builtin_ctz(k)] = r;
  }
}

template <class T>
T shuffle(unsigned mask, T v, int from, bool valid) {
  const uint64_t u = collective(mask, bits(v), valid ? from : lane(), pick);
  memcpy(&v, &u, sizeof v);
  return v;
}

template <class T, class F>
T read_modify_write(T* p, F f) {
  poll();
  T old, next;
  __atomic_load(p, &old, __ATOMIC_RELAXED);
  do {
    next = f(old);
  } while (!__atomic_compare_exchange(p, &old, &next, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
  return old;
}

}  // namespace cuemu

inline void __syncthreads() {
  cuemu::barrier(0);
}
inline int __syncthreads_count(int p) {
  return cuemu::barrier(p != 0);
}
inline int __syncthreads_or(int p) {
  return cuemu::barrier(p != 0) != 0;
}
inline unsigned __ballot_sync(unsigned m, int p) {
  return unsigned(cuemu::collective(m, p != 0, 0, cuemu::ballot));
}
inline int __any_sync(unsigned m, int p) {
  return __ballot_sync(m, p) != 0;
}
inline int __all_sync(unsigned m, int p) {
  return __ballot_sync(m, !p) == 0;
}
inline void __syncwarp(unsigned m = ~0u) {
  __ballot_sync(m, 1);
}
template <class T>
unsigned __match_any_sync(unsigned m, T v) {
  return unsigned(cuemu::collective(m, cuemu::bits(v), 0, cuemu::match));
}
template <class T>
T __shfl_sync(unsigned m, T v, int s, int w = 32) {
  return cuemu::shuffle(m, v, (cuemu::lane() & -w) | (s & (w - 1)), true);
}
template <class T>
T __shfl_up_sync(unsigned m, T v, int d, int w = 32) {
  const int l = cuemu::lane();
  return cuemu::shuffle(m, v, l - d, (l & (w - 1)) >= d);
}
template <class T>
T __shfl_down_sync(unsigned m, T v, int d, int w = 32) {
  const int l = cuemu::lane();
  return cuemu::shuffle(m, v, l + d, (l & (w - 1)) + d < w);
}
template <class T>
T __shfl_xor_sync(unsigned m, T v, int x, int w = 32) {
  const int l = cuemu::lane();
  return cuemu::shuffle(m, v, l ^ x, ((l ^ x) & -w) <= (l & -w));
}

#define CUEMU_RMW(NAME, EXPR)                                           \
  template <class T>                                                    \
  T NAME(T* p, typename cuemu::same<T>::type v) {                       \
    return cuemu::read_modify_write(p, [v](T o) -> T { return EXPR; }); \
  }
CUEMU_RMW(atomicAdd, o + v)
CUEMU_RMW(atomicSub, o - v)
CUEMU_RMW(atomicMin, v < o ? v : o)
CUEMU_RMW(atomicMax, o < v ? v : o)
CUEMU_RMW(atomicOr, o | v)
CUEMU_RMW(atomicAnd, o& v)
CUEMU_RMW(atomicXor, o ^ v)
CUEMU_RMW(atomicExch, ((void)o, v))
template <class T>
T atomicCAS(T* p, typename cuemu::same<T>::type c, typename cuemu::same<T>::type v) {
  return cuemu::read_modify_write(p, [=](T o) { return o == c ? v : o; });
}
template <class T>
T cu_load(const T* p) {
  cuemu::poll();
  T v;
  __atomic_load(p, &v, __ATOMIC_RELAXED);
  return v;
}
template <class T>
void cu_store(T* p, typename cuemu::same<T>::type v) {
  cuemu::poll();
  __atomic_store(p, &v, __ATOMIC_RELAXED);
}
template <class T>
T __ldg(const T* p) {
  return *p;
}
inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
inline void __threadfence_block() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
inline void __nanosleep(unsigned) {
  cuemu::wait(cuemu::kReady);
}
inline int __popc(unsigned v) {
  return __builtin_popcount(v);
}
inline int __popcll(unsigned long long v) {
  return __builtin_popcountll(v);
}
inline int __ffs(int v) {
  return __builtin_ffs(v);
}
inline int __ffsll(long long v) {
  return __builtin_ffsll(v);
}
inline int __clz(int v) {
  return v ? __builtin_clz(unsigned(v)) : 32;
}
inline int __clzll(long long v) {
  return v ? __builtin_clzll(static_cast<unsigned long long>(v)) : 64;
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return unsigned((uint64_t(high) << 32 | low) >> (shift & 31));
}
// Bytes 0 to 3 are of `low`, 4 to 7 of `high`; a digit of the selector for each of the result's.
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
  const uint64_t both = uint64_t(high) << 32 | low;
  unsigned r = 0;
  for (int i = 0; i < 4; i++) r |= unsigned(both >> (selector >> 4 * i & 7) * 8 & 255) << 8 * i;
  return r;
}
template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}
