// Rows of a region that grows below a threshold, a word of 64 voxels at a time.
//
// A run of allowed voxels that is touched anywhere is taken to both ends at once: the order of steps does not
// matter. Upwards that is the carry of an addition,
//     run 0111 0000 + touched 0001 0000 = 1000 0000, which differs from the run where it was taken,
// downwards six doublings of a shift; from word to word goes one bit.

#include "core/pack_bytes.inl"

using Word = std::uint64_t;

// The voxels of a row that are at most `top`.
template <class T>
struct RowBelow {
  const T* voxels;
  std::int64_t n;
  T top;

  Word word(std::int64_t w) const {
    alignas(64) std::uint8_t bytes[64] = {};
    const T* const v = voxels + 64 * w;
    if (n - 64 * w >= 64) {
      for (int k = 0; k < 64; ++k) bytes[k] = v[k] <= top ? 255 : 0;
    } else {
      for (std::int64_t k = 0; k < n - 64 * w; ++k) bytes[k] = v[k] <= top ? 255 : 0;
    }
    return pack_bytes(bytes);
  }
};

inline Word fill_up(Word open, Word from) {
  return open & (((open + from) ^ open) | from);
}

inline Word fill_down(Word open, Word from) {
  for (int step = 1; step < 64; step *= 2) {
    from |= open & from >> step;
    open &= open >> step;
  }
  return from;
}

// Takes the runs of a row that are reached: from `around`, as above, or by seeds. Returns how many voxels
// were taken; they are in `fresh`. `open` is scratch; both have n_words.
template <class T>
std::int64_t take_reached(const T* voxels, std::int64_t nx, T top, const Word* const* around,
                          const Word* seeds, std::int64_t n_words, Word* taken, Word* fresh, Word* open) {
  const RowBelow<T> allowed{voxels, nx, top};
  Word carry = 0, any = 0;
  for (std::int64_t w = 0; w < n_words; ++w) {
    const Word along = step_right(taken[w], w > 0 ? taken[w - 1] : Word{0}) |
                       step_left(taken[w], w + 1 < n_words ? taken[w + 1] : Word{0});
    const Word across = around[1][w] | around[2][w] | around[3][w] | around[4][w];
    const Word reached = (along | across | seeds[w] | carry) & ~taken[w];
    fresh[w] = 0;
    if (reached) {
      open[w] = allowed.word(w) & ~taken[w];
      fresh[w] = fill_up(open[w], reached & open[w]);
    }
    carry = fresh[w] >> 63;
    any |= fresh[w];
  }
  if (!any) return 0;
  std::int64_t n = 0;
  carry = 0;
  for (std::int64_t w = n_words - 1; w >= 0; --w) {
    const Word from = fresh[w] | carry << 63;
    if (from && !fresh[w]) open[w] = allowed.word(w) & ~taken[w];
    if (from) fresh[w] = fill_down(open[w], from & open[w]);
    carry = fresh[w] & 1;
    taken[w] |= fresh[w];
    n += count_ones(fresh[w]);
  }
  return n;
}
