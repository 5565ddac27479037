// The top bits of 64 bytes that are 0 or 255.
inline std::uint64_t pack_bytes(const std::uint8_t* bytes) {
#if FG_LEVEL == 2
  return _mm512_movepi8_mask(_mm512_loadu_si512(bytes));
#elif FG_LEVEL == 1
  const __m256i* const halves = reinterpret_cast<const __m256i*>(bytes);
  const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_loadu_si256(halves)));
  const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_loadu_si256(halves + 1)));
  return low | std::uint64_t{high} << 32;
#elif defined(__SSE2__)
  std::uint64_t word = 0;
  for (int k = 0; k < 4; ++k) {
    const __m128i quarter = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes) + k);
    word |= std::uint64_t{static_cast<std::uint16_t>(_mm_movemask_epi8(quarter))} << 16 * k;
  }
  return word;
#else
  std::uint64_t word = 0;
  for (int k = 0; k < 8; ++k) {
    std::uint64_t eight;
    std::memcpy(&eight, bytes + 8 * k, 8);
    // Byte j holds 0 or 1; the product moves it to bit 56 + j.
    word |= ((eight & 0x0101010101010101u) * 0x0102040810204080u >> 56) << 8 * k;
  }
  return word;
#endif
}
