// Rows of labels, 64 at a time; blocks without any label cost a look at them.

// Sets those of 64 labels to `value` whose bit is set.
inline void set_under(std::uint64_t bits, std::uint8_t value, std::uint8_t* labels) {
#if FG_LEVEL == 2
  _mm512_storeu_si512(labels,
                      _mm512_mask_set1_epi8(_mm512_loadu_si512(labels), bits, static_cast<char>(value)));
#else
  for (int k = 0; k < 8; ++k) {
    // Byte j holds bit j: picked out of a copy of the eight bits, then spread over the byte.
    std::uint64_t set = (bits >> 8 * k & 255) * 0x0101010101010101u & 0x8040201008040201u;
    set = ((set + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u) * 255;
    std::uint64_t eight;
    std::memcpy(&eight, labels + 8 * k, 8);
    eight = (eight & ~set) | (set & value * 0x0101010101010101u);
    std::memcpy(labels + 8 * k, &eight, 8);
  }
#endif
}

// rows: the row's words in each of the masks. Streamed: `out` is a multiple of 16.
inline void number_row(const std::uint64_t* const* rows, int n_masks, std::int64_t n, bool streamed,
                       std::uint8_t* out) {
  for (std::int64_t x = 0; x < n; x += 64) {
    alignas(64) std::uint8_t labels[64] = {};
    for (int i = n_masks - 1; i >= 0; --i) {
      const std::uint64_t bits = rows[i][x / 64];
      if (bits) set_under(bits, static_cast<std::uint8_t>(i + 1), labels);
    }
    const std::int64_t size = n - x < 64 ? n - x : 64;
    if (streamed && size == 64) {
      stream_64(out + x, labels);
    } else {
      std::memcpy(out + x, labels, size);
    }
  }
}

inline bool any_label(const std::uint8_t* labels) {
  std::uint8_t any = 0;
  for (int k = 0; k < 64; ++k) any |= labels[k];
  return any != 0;
}

inline void keep_row_within(const std::uint8_t* labels, std::int64_t n, std::uint8_t* out) {
  std::int64_t x = 0;
  for (; x + 64 <= n; x += 64) {
    if (!any_label(labels + x) && !any_label(out + x)) continue;
    for (int k = 0; k < 64; ++k) {
      const std::uint8_t own = labels[x + k], kept = out[x + k];
      out[x + k] = own ? (kept ? kept : own) : 0;
    }
  }
  for (; x < n; ++x) out[x] = labels[x] ? (out[x] ? out[x] : labels[x]) : 0;
}
