// What differs between compilers, and between the CPU and the GPU: the only place for such macros.
#pragma once

#if defined(__CUDACC__)
#define FG_HD __host__ __device__ __forceinline__
#elif defined(_MSC_VER)
#define FG_HD __forceinline
#else
// A function of these headers takes the instruction set of the kernel it is inlined into.
#define FG_HD inline __attribute__((always_inline))
#endif

// Asks for the cache line at an address, which need not be valid.
#if defined(__GNUC__) || defined(__clang__)
#define FG_PREFETCH(address) __builtin_prefetch(address)
#else
#define FG_PREFETCH(address) (void)(address)
#endif
