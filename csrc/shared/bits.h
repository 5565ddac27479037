// Words of 64 voxels, lowest bit first.
#pragma once
#include "shared/portable.h"

#if defined(_MSC_VER) && !defined(__CUDACC__)
#include <intrin.h>
#endif

namespace fg {

using Bits = unsigned long long;

FG_HD int count_ones(Bits word) {
#if defined(__CUDA_ARCH__)
  return __popcll(word);
#else
  word = word - (word >> 1 & 0x5555555555555555u);
  word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
  word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
  return static_cast<int>(word * 0x0101010101010101u >> 56);
#endif
}

// Index of the lowest bit that is set; the word must not be 0.
FG_HD int lowest_one(Bits word) {
#if defined(__CUDA_ARCH__)
  return __ffsll(static_cast<long long>(word)) - 1;
#elif defined(_MSC_VER)
  unsigned long index;
  _BitScanForward64(&index, word);
  return static_cast<int>(index);
#else
  return __builtin_ctzll(word);
#endif
}

// Index of the highest bit that is set; the word must not be 0.
FG_HD int highest_one(Bits word) {
#if defined(__CUDA_ARCH__)
  return 63 - __clzll(static_cast<long long>(word));
#elif defined(_MSC_VER)
  unsigned long index;
  _BitScanReverse64(&index, word);
  return static_cast<int>(index);
#else
  return 63 - __builtin_clzll(word);
#endif
}

// The lowest n bits set, n in 0..64.
FG_HD Bits low_ones(int n) {
  return n >= 64 ? ~Bits{0} : (Bits{1} << n) - 1;
}

// Bit x is set where bit x - 1 of the row is; `before` is the word to the left.
template <class Word>
FG_HD Word step_right(Word word, Word before) {
  return word << 1 | before >> 63;
}

// Bit x is set where bit x + 1 of the row is; `after` is the word to the right.
template <class Word>
FG_HD Word step_left(Word word, Word after) {
  return word >> 1 | after << 63;
}

}  // namespace fg
