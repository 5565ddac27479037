// The three steps of a dilation by a ball on bytes, 64 voxels along x to a vector. Only where a table of 64
// bytes is looked up by one instruction; ball_dilation_rows.inl has the other way.

#if FG_LEVEL == 2

inline std::uint64_t word_at(const ByteRows& rows, std::int64_t z, std::int64_t y) {
  return z >= 0 && z < rows.nz ? rows.words[z * rows.plane_stride + y] : 0;
}

// The distances of a row in slice z to the nearest voxels beyond it, on the side that step (1 or -1) goes to.
inline __m512i nearest_along_z(const ByteRows& rows, std::int64_t z, std::int64_t y, std::int64_t step) {
  __m512i distance = _mm512_set1_epi8(static_cast<char>(rows.rz + 1));
  std::uint64_t seen = 0;
  for (std::int64_t m = 1; m <= rows.rz && ~seen; ++m) {
    const std::uint64_t word = word_at(rows, z + step * m, y) & ~seen;
    distance = _mm512_mask_mov_epi8(distance, word, _mm512_set1_epi8(static_cast<char>(m)));
    seen |= word;
  }
  return distance;
}

inline std::uint8_t least_of(__m512i bytes) {
  const __m256i half = _mm256_min_epu8(_mm512_maskz_extracti64x4_epi64(0xf, bytes, 0),
                                       _mm512_maskz_extracti64x4_epi64(0xf, bytes, 1));
  const __m128i quarter = _mm_min_epu8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  const __m128i pairs = _mm_min_epu8(quarter, _mm_srli_epi16(quarter, 8));
  return static_cast<std::uint8_t>(_mm_cvtsi128_si32(_mm_minpos_epu16(pairs)));
}

// Along z: the distance to the nearest voxel at most rz slices away, else rz + 1.
void measure_along_z(const ByteRows& rows) {
  const __m512i far = _mm512_set1_epi8(static_cast<char>(rows.rz + 1)), one = _mm512_set1_epi8(1);
  const std::int64_t last = rows.n_slices - 1;
  for (std::int64_t y = 0; y < rows.n_rows; ++y) {
    std::uint8_t* const out = rows.bytes + 64 * y;
    std::uint8_t* const carried = rows.carried + 64 * y;
    __m512i distance =
        rows.is_carried ? _mm512_load_si512(carried) : nearest_along_z(rows, rows.first_z, y, -1);
    for (std::int64_t s = 0; s <= last; ++s) {
      distance = _mm512_maskz_mov_epi8(~word_at(rows, rows.first_z + s, y), distance);
      _mm512_store_si512(out + s * rows.slice_bytes, distance);
      distance = _mm512_add_epi8(distance, one);
    }
    _mm512_store_si512(carried, _mm512_min_epu8(distance, far));

    distance = nearest_along_z(rows, rows.first_z + last, y, 1);
    for (std::int64_t s = last; s >= 0; --s) {
      distance = _mm512_maskz_mov_epi8(~word_at(rows, rows.first_z + s, y), distance);
      const __m512i before = _mm512_load_si512(out + s * rows.slice_bytes);
      const __m512i least = _mm512_min_epu8(_mm512_min_epu8(before, distance), far);
      _mm512_store_si512(out + s * rows.slice_bytes, least);
      rows.least_up[s * kLeastBytes + y] = rows.least_down[s * kLeastBytes - y] = least_of(least);
      distance = _mm512_add_epi8(distance, one);
    }
  }
}

// Bit dy of sets[y]: whether the least distance of row y + dy (at up[y + dy]) or y - dy (at down[dy - y]) is
// below bounds[dy], from which on the ball has no voxel dy rows away.
void choose_rows(const std::uint8_t* up, const std::uint8_t* down, const std::uint8_t* bounds,
                 std::int64_t n_rows, std::uint64_t* sets) {
  const __m512i bound = _mm512_load_si512(bounds);
  for (std::int64_t y = 0; y < n_rows; ++y) {
    sets[y] = _mm512_cmplt_epu8_mask(_mm512_loadu_si512(up + y), bound) |
              _mm512_cmplt_epu8_mask(_mm512_loadu_si512(down - y), bound);
  }
}

// What widens a word at a time: the row itself, then the kStepRows rows from dy away on, and so on.
constexpr std::int64_t kStepRows = 20;  // fewer cost more in looking after words than they save
struct RowStep {
  std::int64_t dy;
  std::uint64_t rows;  // a bit for each of them
  std::int64_t most;   // the largest half-width that they and later ones leave
  __m512i next_width;  // the largest one that later ones leave, plus 1
};

// Word y of column c: the widest half-width so far.
inline void widen_word(const ByteSlice& slice, const RowStep& step, std::int64_t c, std::int64_t y) {
  std::uint64_t& set_left = slice.sets[c * kByteRows + y];
  std::uint8_t* const sum = slice.sums + (y * slice.n_columns + c) * 64;
  const std::uint8_t* const row = slice.bytes + c * slice.column_bytes + 64 * y;
  __m512i width = step.dy ? _mm512_load_si512(sum) : _mm512_setzero_si512();
  for (std::uint64_t set = set_left & step.rows; set; set &= set - 1) {
    const std::int64_t dy = __builtin_ctzll(set);
    const __m512i least = _mm512_min_epu8(_mm512_load_si512(row - 64 * dy), _mm512_load_si512(row + 64 * dy));
    const __m512i table = _mm512_load_si512(slice.widths + 64 * dy);
    width = _mm512_max_epu8(width, _mm512_maskz_permutexvar_epi8(~__mmask64{0}, least, table));
  }
  _mm512_store_si512(sum, width);
  slice.open[(c + 1) * kByteRows + y] &= _mm512_testn_epi8_mask(width, width);
  if (!_mm512_cmplt_epu8_mask(width, step.next_width)) set_left = 0;
}

// Words y..y + 7 of column c: those within reach of a voxel to find that a row of the step can widen; in the
// first step, which begins them, all.
inline void widen_words(const ByteSlice& slice, const RowStep& step, std::int64_t c, std::int64_t y) {
  const std::uint64_t* const open = slice.open + (c + 1) * kByteRows + y;
  const __m128i beyond = _mm_cvtsi64_si128(64 - step.most);
  const __m512i left = _mm512_maskz_srl_epi64(0xff, _mm512_load_si512(open - kByteRows), beyond);
  const __m512i right = _mm512_maskz_sll_epi64(0xff, _mm512_load_si512(open + kByteRows), beyond);
  const __m512i wanted = _mm512_or_si512(_mm512_load_si512(open), _mm512_or_si512(left, right));
  const __m512i sets = _mm512_load_si512(slice.sets + c * kByteRows + y);
  const unsigned useful = _mm512_test_epi64_mask(wanted, wanted) &
                          _mm512_test_epi64_mask(sets, _mm512_set1_epi64(static_cast<long long>(step.rows)));
  for (unsigned words = step.dy ? useful : 0xff; words; words &= words - 1) {
    widen_word(slice, step, c, y + __builtin_ctz(words));
  }
}

// Along y: in sums, the widest half-width that any row within reach leaves.
void widen_along_y(const ByteSlice& slice) {
  std::int64_t next = 1;
  for (std::int64_t dy = 0; dy <= slice.ry; dy = next, next += kStepRows) {
    const std::uint8_t next_width = next <= slice.ry ? slice.widths[64 * next] : 0;
    const RowStep step{dy, ((std::uint64_t{1} << (next - dy)) - 1) << dy, slice.widths[64 * dy] - 1,
                       _mm512_set1_epi8(static_cast<char>(next_width))};
    for (std::int64_t c = 0; c < slice.n_columns; ++c) {
      for (std::int64_t y = 0; y < slice.n_rows; y += 8) widen_words(slice, step, c, y);
    }
  }
}

// Along x: takes the voxels that a half-width covers out of `open`.
void cover_along_x(const ByteSlice& slice) {
  alignas(64) std::uint8_t count[64];
  for (int i = 0; i < 64; ++i) count[i] = static_cast<std::uint8_t>(i);
  const __m512i lanes = _mm512_load_si512(count);
  const std::int64_t n = slice.n_columns;
  for (std::int64_t y = 0; y < slice.n_rows; ++y) {
    std::uint64_t* const open = slice.open + kByteRows + y;
    std::int64_t first = 0, end = n;
    while (first < end && !open[first * kByteRows]) ++first;
    while (end > first && !open[(end - 1) * kByteRows]) --end;
    if (first == end) continue;
    const std::int64_t from = first ? first - 1 : 0, to = end < n ? end + 1 : n;
    std::uint8_t* const sums = slice.sums + y * n * 64;
    for (std::int64_t s = 1, left = slice.rx; left > 0; left -= s, s *= 2) {
      const __m512i step = _mm512_set1_epi8(static_cast<char>(s));
      const __m512i at_left = _mm512_add_epi8(lanes, _mm512_set1_epi8(static_cast<char>(64 - s)));
      const __m512i at_right = _mm512_add_epi8(lanes, step);
      __m512i before = _mm512_setzero_si512(), here = _mm512_load_si512(sums + from * 64);
      for (std::int64_t c = from; c < to; ++c) {
        const __m512i after = c + 1 < to ? _mm512_load_si512(sums + (c + 1) * 64) : _mm512_setzero_si512();
        const __m512i sides = _mm512_max_epu8(_mm512_permutex2var_epi8(before, at_left, here),
                                              _mm512_permutex2var_epi8(here, at_right, after));
        _mm512_store_si512(sums + c * 64, _mm512_max_epu8(here, _mm512_subs_epu8(sides, step)));
        before = here;
        here = after;
      }
    }
    for (std::int64_t c = first; c < end; ++c) {
      const __m512i width = _mm512_load_si512(sums + c * 64);
      open[c * kByteRows] &= _mm512_testn_epi8_mask(width, width);
    }
  }
}

#endif
