// Compiles the file named by FG_KERNELS once per instruction set; see simd.h. No include guard: used once per
// .cpp. FG_LEVEL is 0, 1 or 2 in the text. Functions of included headers keep the baseline, so no code for a
// newer processor can leak into them. The namespaces without a name let two families use one name.
#include "core/simd.h"

#define FG_LEVEL 0
namespace fg {
namespace baseline {
namespace {
#include FG_KERNELS
}
}  // namespace baseline
}  // namespace fg
#undef FG_LEVEL

#if FG_X86_LEVELS

#define FG_LEVEL 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2,lzcnt,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2,lzcnt,popcnt")
#endif
namespace fg {
namespace avx2 {
namespace {
#include FG_KERNELS
}
}  // namespace avx2
}  // namespace fg
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef FG_LEVEL

#define FG_LEVEL 2
#if defined(__clang__)
#pragma clang attribute push(                                                                                                       \
    __attribute__((target(                                                                                                          \
        "avx2,fma,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512bitalg,avx512vpopcntdq"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target( \
    "avx2,fma,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512bitalg,avx512vpopcntdq,prefer-vector-width=512")
#endif
namespace fg {
namespace avx512 {
namespace {
#include FG_KERNELS
}
}  // namespace avx512
}  // namespace fg
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef FG_LEVEL

#endif
#undef FG_KERNELS
