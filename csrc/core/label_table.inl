// Looking up in a LabelTable, 64 values at a time.

// Labels of 64 values.
inline void look_up_64(const std::int16_t* v, const LabelTable& table, std::uint8_t* labels) {
  if (!table.few_jumps) {
    for (int k = 0; k < 64; ++k) labels[k] = table.labels[v[k] + 32768];
    return;
  }
#if FG_LEVEL == 2
  // The compiler would keep the sums in memory from one jump to the next.
  const __m512i low = _mm512_loadu_si512(v), high = _mm512_loadu_si512(v + 32);
  __m512i sum = _mm512_set1_epi8(static_cast<char>(table.labels[0]));
  for (int j = 0; j < table.n_jumps; ++j) {
    const __m512i from = _mm512_set1_epi16(table.jump_at[j]);
    const std::uint64_t reached = std::uint64_t{_mm512_cmpge_epi16_mask(low, from)} |
                                  std::uint64_t{_mm512_cmpge_epi16_mask(high, from)} << 32;
    sum = _mm512_mask_add_epi8(sum, reached, sum, _mm512_set1_epi8(static_cast<char>(table.jump_by[j])));
  }
  _mm512_storeu_si512(labels, sum);
#else
  std::uint8_t sums[64];
  for (int k = 0; k < 64; ++k) sums[k] = table.labels[0];
  for (int j = 0; j < table.n_jumps; ++j) {
    const std::int16_t from = table.jump_at[j];
    const std::uint8_t jump = table.jump_by[j];
    for (int k = 0; k < 64; ++k) sums[k] = static_cast<std::uint8_t>(sums[k] + (v[k] >= from ? jump : 0));
  }
  std::memcpy(labels, sums, 64);
#endif
}
