// Stores past the caches, for outputs that are larger than the caches and not read again here: a plain store
// reads the line it writes to from memory first.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define FG_HAS_STREAMS 1
#else
#define FG_HAS_STREAMS 0
#endif

#include "shared/portable.h"

namespace fg {

constexpr std::int64_t kStreamFromBytes = std::int64_t{1} << 24;  // half of a common last-level cache

// Whether outputs of this size, written 64 bytes at a time, should be streamed.
inline bool should_stream(const void* out, std::int64_t n_bytes) {
  return FG_HAS_STREAMS && n_bytes >= kStreamFromBytes && reinterpret_cast<std::uintptr_t>(out) % 16 == 0;
}

// Stores 64 bytes to an address that is a multiple of 16.
FG_HD void stream_64(std::uint8_t* out, const std::uint8_t* bytes) {
#if FG_HAS_STREAMS
  for (int k = 0; k < 4; ++k) {
    const __m128i quarter = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes) + k);
    _mm_stream_si128(reinterpret_cast<__m128i*>(out) + k, quarter);
  }
#else
  std::memcpy(out, bytes, 64);
#endif
}

// Before others may read what was streamed.
inline void end_stream() {
#if FG_HAS_STREAMS
  _mm_sfence();
#endif
}

}  // namespace fg
