// Stretches of n voxels, 64 at a time, under the words of a mask (all of them where words is null).
//
// - Count: the voxels under the mask are first gathered, then the one of running index i adds to the private
//   32-bit counter (value, i mod lanes). Neighbouring voxels meet different counters, so that equal values
//   need not wait for each other; a lane is of one phase.
// - Look up: compare with each value where the table changes and add the jump, in vectors of bytes; tables
// that
//   change often are read voxel by voxel. Large outputs are streamed past the caches (core/streaming.h).
// - Compare: a byte per voxel, then the bytes' top bits as a word.
//
// Cost: near one read of the voxels under the mask, plus one write of the labels; an empty word is one test.

#include "core/label_table.inl"
#include "core/pack_bytes.inl"

inline std::uint64_t stretch_word(const std::uint64_t* words, std::int64_t n, std::int64_t first) {
  return words ? words[first / 64] : low_ones(static_cast<int>(n - first < 64 ? n - first : 64));
}

// Returns the lane of the voxel after the last; table[(value - low) * n_lanes + lane].
template <class T>
int count_in_turn(const T* voxels, const std::uint64_t* words, std::int64_t n, std::uint32_t low, int lane,
                  int n_lanes, std::uint32_t* table) {
  for (std::int64_t i = 0; i < n; i += 64) {
    for (std::uint64_t bits = stretch_word(words, n, i); bits; bits &= bits - 1) {
      const std::uint32_t bin = static_cast<std::uint32_t>(voxels[i + lowest_one(bits)]) - low;
      ++table[static_cast<std::size_t>(bin) * n_lanes + lane];
      lane = lane + 1 == n_lanes ? 0 : lane + 1;
    }
  }
  return lane;
}

// The counter of a value in a lane.
template <class T>
inline std::uint32_t& counter(T value, std::uint32_t low, std::int64_t lane, std::uint32_t* table) {
  return table[static_cast<std::size_t>(static_cast<std::uint32_t>(value) - low) * kLanes + lane];
}

// Voxel i of begin..end - 1 adds to its value's counter of lane i % kLanes.
template <class T>
void count_lanes(const T* voxels, std::int64_t begin, std::int64_t end, std::uint32_t low,
                 std::uint32_t* table) {
  std::int64_t i = begin;
  for (; i < end && i % kLanes != 0; ++i) ++counter(voxels[i], low, i % kLanes, table);
  for (; i + kLanes <= end; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) ++counter(voxels[i + lane], low, lane, table);
  }
  for (; i < end; ++i) ++counter(voxels[i], low, i % kLanes, table);
}

#if FG_LEVEL == 2
template <class T>
__m512i compress(std::uint64_t bits, const T* v) {
  if constexpr (sizeof(T) == 1) {
    return _mm512_maskz_compress_epi8(bits, _mm512_maskz_loadu_epi8(bits, v));
  } else if constexpr (sizeof(T) == 2) {
    const auto mask = static_cast<__mmask32>(bits);
    return _mm512_maskz_compress_epi16(mask, _mm512_maskz_loadu_epi16(mask, v));
  } else {
    const auto mask = static_cast<__mmask16>(bits);
    return _mm512_maskz_compress_epi32(mask, _mm512_maskz_loadu_epi32(mask, v));
  }
}
#endif

// Copies the voxels of a word's bits to `to`, where 128 may be written; 128 may be read at v if `is_deep`.
// Returns how many they are.
template <class T>
inline std::int64_t gather_64(const T* v, std::uint64_t bits, [[maybe_unused]] bool is_deep, T* to) {
  if (bits == ~std::uint64_t{0}) {
    std::memcpy(to, v, 64 * sizeof(T));
    return 64;
  }
  const T* const start = to;
#if FG_LEVEL == 2
  constexpr int kPart = 64 / sizeof(T);
  for (int k = 0; k < 64; k += kPart) {
    const std::uint64_t part = bits >> k & (~std::uint64_t{0} >> (64 - kPart));
    _mm512_storeu_si512(to, compress(part, v + k));
    to += count_ones(part);
  }
#else
  constexpr int kMaxRuns = 4;  // of which each is copied as if it had 64 voxels
  if (is_deep && count_ones(bits & ~(bits << 1)) <= kMaxRuns) {
    while (bits) {
      const int first = lowest_one(bits), length = lowest_one(~(bits >> first));
      std::memcpy(to, v + first, 64 * sizeof(T));
      to += length;
      bits &= ~(low_ones(length) << first);
    }
  }
  for (; bits; bits &= bits - 1) *to++ = v[lowest_one(bits)];
#endif
  return to - start;
}

// Counts what has been gathered: all of it, or all but the last few that fill no row of lanes.
template <class T>
void count_gathered(Gathered<T>& gathered, bool all, std::uint32_t low, std::uint32_t* table) {
  const std::int64_t end = all ? gathered.end : gathered.end / kLanes * kLanes;
  count_lanes(gathered.voxels, gathered.begin, end, low, table);
  std::copy(gathered.voxels + end, gathered.voxels + gathered.end, gathered.voxels);
  gathered.end -= end;
  gathered.begin = 0;
}

// Gathers the voxels under the words, n_readable of which may be read, and counts what gets too much. What
// lies `ahead` voxels after those of a word is asked for: a row of lung is too short for the processor to
// foresee the next, and masks of neighbouring rows are alike.
template <class T>
void gather(const T* voxels, const std::uint64_t* words, std::int64_t n, std::int64_t n_readable,
            std::int64_t ahead, std::uint32_t low, Gathered<T>& gathered, std::uint32_t* table) {
  constexpr std::int64_t kLines = sizeof(T);  // cache lines of 64 voxels
  for (std::int64_t i = 0; i < n; i += 64) {
    const std::uint64_t bits = words[i / 64];
    if (!bits) continue;
    if (i + ahead + 64 <= n_readable) {
      const char* const later = reinterpret_cast<const char*>(voxels + i + ahead);
      for (std::int64_t k = 0; k < kLines; ++k) FG_PREFETCH(later + 64 * k);
    }
    gathered.end += gather_64(voxels + i, bits, i + 128 <= n_readable, gathered.voxels + gathered.end);
    if (gathered.end >= Gathered<T>::kMany) count_gathered(gathered, false, low, table);
  }
}

// Widens [*low, *high] to hold the values.
template <class T>
void find_span(const T* voxels, const std::uint64_t* words, std::int64_t n, T* low, T* high) {
  T least = *low, most = *high;
  for (std::int64_t i = 0; i < n; i += 64) {
    std::uint64_t bits = stretch_word(words, n, i);
    const T* const v = voxels + i;
    if (bits == ~std::uint64_t{0}) {
      for (int k = 0; k < 64; ++k) {
        least = v[k] < least ? v[k] : least;
        most = v[k] > most ? v[k] : most;
      }
      continue;
    }
    for (; bits; bits &= bits - 1) {
      const T value = v[lowest_one(bits)];
      least = value < least ? value : least;
      most = value > most ? value : most;
    }
  }
  *low = least;
  *high = most;
}

inline std::int64_t count_mask(const std::uint64_t* words, std::int64_t n_words) {
  std::int64_t n = 0;
  for (std::int64_t w = 0; w < n_words; ++w) n += count_ones(words[w]);
  return n;
}

template <class T>
void compare_below(const T* voxels, std::int64_t n, T limit, std::uint64_t* out) {
  constexpr int kBlock = 512;  // long enough for the bytes to be stored before they are read
  alignas(64) std::uint8_t bytes[kBlock];
  std::int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    for (int k = 0; k < kBlock; ++k) bytes[k] = voxels[i + k] < limit ? 255 : 0;
    for (int w = 0; w < kBlock / 64; ++w) out[i / 64 + w] = pack_bytes(bytes + 64 * w);
  }
  const std::int64_t rest = n - i, n_words = (rest + 63) / 64;
  std::memset(bytes, 0, 64 * n_words);
  for (std::int64_t k = 0; k < rest; ++k) bytes[k] = voxels[i + k] < limit ? 255 : 0;
  for (std::int64_t w = 0; w < n_words; ++w) out[i / 64 + w] = pack_bytes(bytes + 64 * w);
}

inline void keep_under(std::uint64_t bits, std::uint8_t* labels) {
#if FG_LEVEL == 2
  _mm512_storeu_si512(labels, _mm512_maskz_mov_epi8(bits, _mm512_loadu_si512(labels)));
#else
  for (int k = 0; k < 8; ++k) {
    std::uint64_t eight;
    std::memcpy(&eight, labels + 8 * k, 8);
    eight &= kSpread.bytes[bits >> 8 * k & 255];
    std::memcpy(labels + 8 * k, &eight, 8);
  }
#endif
}

// Streamed: `out` is a multiple of 16.
template <bool kStreamed>
void look_up(const std::int16_t* voxels, const std::uint64_t* words, std::int64_t n, const LabelTable& table,
             std::uint8_t* out) {
  alignas(64) const std::uint8_t zeros[64] = {};
  for (std::int64_t i = 0; i < n; i += 64) {
    const std::uint64_t bits = stretch_word(words, n, i);
    const int size = n - i < 64 ? static_cast<int>(n - i) : 64;
    alignas(64) std::int16_t values[64];
    alignas(64) std::uint8_t labels[64];
    const std::uint8_t* found = zeros;
    if (bits) {
      if (size < 64) {
        std::memset(values, 0, sizeof values);
        std::memcpy(values, voxels + i, 2 * size);
      }
      look_up_64(size < 64 ? values : voxels + i, table, labels);
      if (bits != ~std::uint64_t{0}) keep_under(bits, labels);
      found = labels;
    }
    if (kStreamed && size == 64) {
      stream_64(out + i, found);
    } else if (size == 64) {
      std::memcpy(out + i, found, 64);
    } else {
      std::memcpy(out + i, found, size);
    }
  }
}
