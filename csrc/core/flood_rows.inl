// A row of one front in one step of a flood. Rows of fronts have a word of zeros before and behind them, so
// that the loop over words has no ends to look after and becomes vectors.

using Word = std::uint64_t;

inline bool any_set(const Word* words, std::int64_t n_words) {
  Word any = 0;
  for (std::int64_t w = 0; w < n_words; ++w) any |= words[w];
  return any != 0;
}

// Takes the free voxels that the front reaches from `around`, which holds the row itself first, then those
// across its faces in y and z; says whether there are any. `next` is the row's front of the next step.
inline bool move_front(const Word* const* around, std::int64_t n_words, Word* free, Word* next, Word* out) {
  if (!any_set(free, n_words)) return false;
  const Word *here = around[0], *north = around[1], *south = around[2], *below = around[3],
             *above = around[4];
  Word any = 0;
  for (std::int64_t w = 0; w < n_words; ++w) {
    const Word along = step_right(here[w], here[w - 1]) | step_left(here[w], here[w + 1]);
    const Word taken = (along | north[w] | south[w] | below[w] | above[w]) & free[w];
    free[w] &= ~taken;
    out[w] |= taken;
    next[w] = taken;
    any |= taken;
  }
  return any != 0;
}
