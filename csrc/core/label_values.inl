// Stretches of n integers, 64 at a time; large outputs are streamed past the caches.

#include "core/label_table.inl"

// Labels of n <= 64 integers, and in `most`, lane by lane, the largest places in the table so far.
template <class U>
inline void label_64(const U* values, std::int64_t stride, int n, U first, const LabelTable& table, U* most,
                     std::uint8_t* labels) {
  alignas(64) U places[64] = {};
  if (stride == 1 && n == 64) {
    for (int k = 0; k < 64; ++k) places[k] = static_cast<U>(values[k] - first);
  } else {
    for (int k = 0; k < n; ++k) places[k] = static_cast<U>(values[k * stride] - first);
  }
  alignas(64) std::int16_t entries[64];
  for (int k = 0; k < 64; ++k) {
    most[k] = places[k] > most[k] ? places[k] : most[k];
    entries[k] = static_cast<std::int16_t>((places[k] < 65535u ? places[k] : 65535u) - 32768);
  }
  look_up_64(entries, table, labels);
}

// most : 64 lanes. Streamed: `out` is a multiple of 16.
template <class U, class O>
void label_stretch(const U* values, std::int64_t stride, std::int64_t n, U first, const LabelTable& table,
                   bool streamed, U* most, O* out) {
  for (std::int64_t i = 0; i < n; i += 64) {
    const int size = n - i < 64 ? static_cast<int>(n - i) : 64;
    alignas(64) std::uint8_t labels[64];
    alignas(64) O wide[64];
    label_64(values + i * stride, stride, size, first, table, most, labels);
    for (int k = 0; k < 64; ++k) wide[k] = labels[k];
    if (streamed && size == 64) {
      const auto* const from = reinterpret_cast<const std::uint8_t*>(wide);
      auto* const to = reinterpret_cast<std::uint8_t*>(out + i);
      for (std::size_t j = 0; j < sizeof(O); ++j) stream_64(to + 64 * j, from + 64 * j);
    } else if (size == 64) {
      std::memcpy(out + i, wide, 64 * sizeof(O));
    } else {
      std::memcpy(out + i, wide, size * sizeof(O));
    }
  }
}
