#include "core/simd.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace fg {
namespace {

Simd detect() {
#if FG_X86_LEVELS
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                    __builtin_cpu_supports("popcnt");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
                      __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vpopcntdq");
  if (avx512) return Simd::avx512;
  if (avx2) return Simd::avx2;
#endif
  return Simd::baseline;
}

Simd initial() {
  const char* forced = std::getenv("FASTGMM_SIMD");
  for (Simd level : {Simd::baseline, Simd::avx2, Simd::avx512}) {
    if (forced && std::strcmp(forced, simd_name(level)) == 0) return std::min(level, simd_supported());
  }
  return simd_supported();
}

Simd& current() {
  static Simd level = initial();
  return level;
}

}  // namespace

Simd simd_supported() {
  static const Simd level = detect();
  return level;
}

Simd simd_level() {
  return current();
}

void set_simd_level(Simd level) {
  current() = std::min(level, simd_supported());
}

const char* simd_name(Simd level) {
  static const char* const kNames[] = {"baseline", "avx2", "avx512"};
  return kNames[static_cast<int>(level)];
}

}  // namespace fg
