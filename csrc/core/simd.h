// Which instruction set the kernels use, chosen once when the library is loaded.
//
// A kernel's inner loops stand in one file `<family>_rows.inl` of plain functions; it includes
// nothing but such text. Its .cpp file says
//     #define FG_KERNELS "core/<family>_rows.inl"
//     #include "core/foreach_simd.h"
// which compiles that text into the namespaces fg::baseline, fg::avx2 and fg::avx512 (only the first where
// the compiler or the processor family has no others), and then calls FG_DISPATCH(function)(arguments), where
// the function may be a template with its arguments. No lambdas in the .inl: GCC compiles their bodies for
// the baseline.
#pragma once

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define FG_X86_LEVELS 1
#include <immintrin.h>
#else
#define FG_X86_LEVELS 0
#endif

namespace fg {

enum class Simd { baseline = 0, avx2 = 1, avx512 = 2 };

Simd simd_level();
// The highest level this processor has.
Simd simd_supported();
// Takes the level, or the highest supported one below it. FASTGMM_SIMD=baseline|avx2|avx512 does the same at
// load.
void set_simd_level(Simd level);
const char* simd_name(Simd level);

}  // namespace fg

#if FG_X86_LEVELS
#define FG_DISPATCH(...)                                                 \
  (::fg::simd_level() == ::fg::Simd::avx512 ? &::fg::avx512::__VA_ARGS__ \
   : ::fg::simd_level() == ::fg::Simd::avx2 ? &::fg::avx2::__VA_ARGS__   \
                                            : &::fg::baseline::__VA_ARGS__)
#else
#define FG_DISPATCH(...) (&::fg::baseline::__VA_ARGS__)
#endif
