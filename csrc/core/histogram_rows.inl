// Stretches of n voxels, 64 at a time, under the words of a mask (all of them where words is null).
//
// - Count: the voxel of running index i adds to the private 32-bit counter (value, i mod lanes). Neighbouring
//   voxels meet different counters, so that equal values need not wait for each other; a lane is of one
//   phase.
// - Look up: compare with each value where the table changes and add the jump, in vectors of bytes; tables
// that
//   change often are read voxel by voxel. Large outputs are streamed past the caches (core/streaming.h).
// - Compare: a byte per voxel, then the bytes' top bits as a word.
//
// Cost: near one read of the voxels under the mask, plus one write of the labels; an empty word is one test.

#include "core/pack_bytes.inl"
#include "core/label_table.inl"

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

// The same for n_lanes = 4.
template <class T>
int count_in_four(const T* voxels, const std::uint64_t* words, std::int64_t n, std::uint32_t low, int lane,
                  int, std::uint32_t* table) {
  for (std::int64_t i = 0; i < n; i += 64) {
    std::uint64_t bits = stretch_word(words, n, i);
    const T* const v = voxels + i;
    if (bits == ~std::uint64_t{0}) {
      std::uint32_t* const lanes[4] = {table + lane, table + ((lane + 1) & 3), table + ((lane + 2) & 3),
                                       table + ((lane + 3) & 3)};
      for (int k = 0; k < 64; k += 4) {
        for (int j = 0; j < 4; ++j) {
          ++lanes[j][static_cast<std::size_t>(static_cast<std::uint32_t>(v[k + j]) - low) * 4];
        }
      }
      continue;
    }
    for (; bits; bits &= bits - 1) {
      ++table[static_cast<std::size_t>(static_cast<std::uint32_t>(v[lowest_one(bits)]) - low) * 4 + lane];
      lane = (lane + 1) & 3;
    }
  }
  return lane;
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
