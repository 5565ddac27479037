// A table of labels of 16-bit values, in the shape that vectors look it up in.
#pragma once
#include <cstdint>

namespace fg {

// A table of labels as its first entry and the values at which it changes.
struct LabelTable {
  static constexpr int kMaxJumps = 12;  // reading the table is as fast from 9 (SSE2) to 30 (AVX-512)
  const std::uint8_t* labels;
  int n_jumps = 0;
  bool few_jumps = true;
  std::int16_t jump_at[kMaxJumps];
  std::uint8_t jump_by[kMaxJumps];  // modulo 256

  explicit LabelTable(const std::uint8_t* table) : labels(table) {
    for (int i = 1; i < 65536; ++i) {
      if (table[i] == table[i - 1]) continue;
      if (n_jumps == kMaxJumps) {
        few_jumps = false;
        return;
      }
      jump_at[n_jumps] = static_cast<std::int16_t>(i - 32768);
      jump_by[n_jumps++] = static_cast<std::uint8_t>(table[i] - table[i - 1]);
    }
  }
};

}  // namespace fg
