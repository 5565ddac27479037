// One step of erosion or dilation with the 6-neighbour cross, on rows of 64-bit words that lie one after
// another with a zero word between them. Drawn at the word `mid[i]`, b before and a after it in x:
//
//        front[i]      mid[i - stride]            z - 1   y - 1
//           b  mid[i]  a                                x
//               mid[i + stride]    back[i]                y + 1   z + 1
//
// No step knows where a row ends: the zero words give the outside, and in a dilation `valid` clears what
// enters them. Cost: about ten operations per word of 64 voxels; the loops are left to the compiler's
// vectors.

// Returns the union of the words written.
std::uint64_t erode_words(const std::uint64_t* front, const std::uint64_t* mid, const std::uint64_t* back,
                          const std::uint64_t*, std::int64_t stride, std::int64_t n,
                          std::uint64_t* __restrict out) {
  std::uint64_t any = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t along_x =
        mid[i] & (mid[i] << 1 | mid[i - 1] >> 63) & (mid[i] >> 1 | mid[i + 1] << 63);
    const std::uint64_t word = along_x & mid[i - stride] & mid[i + stride] & front[i] & back[i];
    out[i] = word;
    any |= word;
  }
  return any;
}

std::uint64_t dilate_words(const std::uint64_t* front, const std::uint64_t* mid, const std::uint64_t* back,
                           const std::uint64_t* valid, std::int64_t stride, std::int64_t n,
                           std::uint64_t* __restrict out) {
  std::uint64_t any = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t along_x = mid[i] | mid[i] << 1 | mid[i - 1] >> 63 | mid[i] >> 1 | mid[i + 1] << 63;
    const std::uint64_t word = (along_x | mid[i - stride] | mid[i + stride] | front[i] | back[i]) & valid[i];
    out[i] = word;
    any |= word;
  }
  return any;
}

// Copies rows of n_words that lie from_stride and to_stride apart; returns the union of the words.
std::uint64_t copy_rows(const std::uint64_t* from, std::int64_t from_stride, std::int64_t n_rows,
                        std::int64_t n_words, std::int64_t to_stride, std::uint64_t* __restrict to) {
  std::uint64_t any[8] = {};
  for (std::int64_t y = 0; y < n_rows; ++y, from += from_stride, to += to_stride) {
    std::int64_t w = 0;
    for (; w + 8 <= n_words; w += 8) {
      for (int k = 0; k < 8; ++k) any[k] |= to[w + k] = from[w + k];
    }
    for (; w < n_words; ++w) any[0] |= to[w] = from[w];
  }
  for (int k = 1; k < 8; ++k) any[0] |= any[k];
  return any[0];
}
