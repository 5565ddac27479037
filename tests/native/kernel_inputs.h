// What every_kernel.h runs the kernels on: fixed, seeded inputs, and room for what they compute.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/views.h"

namespace kernels {

// A ball-shaped lung of noise, ragged at the ends of words.
constexpr fg::Shape kShape{32, 64, 130};
constexpr std::int64_t kWords = (kShape.nx + 63) / 64;
constexpr std::int64_t kRows = 6000;
constexpr int kMostFeatures = 12;

using Words = std::vector<std::uint64_t>;
inline Words no_words() {
  return Words(static_cast<std::size_t>(kShape.nz * kShape.ny * kWords));
}
inline fg::MaskView mask(const Words& words) {
  return {words.data(), kShape, kShape.ny * kWords};
}
inline fg::MaskOut mask_out(Words& words) {
  return {words.data(), kShape, kShape.ny * kWords};
}

inline std::uint32_t next_random(std::uint32_t& state) {
  return state = state * 1664525u + 1013904223u;
}

struct Inputs {
  std::vector<std::int16_t> scan, integers;
  std::vector<std::int32_t> wide_scan, groups;
  std::vector<std::uint8_t> table, labels, bytes;
  Words noise = no_words(), lungs = no_words(), seeds = no_words();
  std::vector<double> rows, bin_values, bin_counts, responsibilities;

  Inputs() {
    fill_volumes();
    fill_rows();
    for (int i = 0; i < 65536; i++)
      table.push_back(static_cast<std::uint8_t>(i < 32000 ? 1 : i < 32300 ? 2 : 3));
  }
  fg::VolumeView<const std::int16_t> scan_view() const { return {scan.data(), kShape}; }
  fg::VolumeView<const std::uint8_t> labels_view() const { return {labels.data(), kShape}; }

 private:
  static double distance(std::int64_t z, std::int64_t y, std::int64_t x) {
    const double dz = (z - 15.5) / 14, dy = (y - 31.5) / 27, dx = (x - 64.5) / 55;
    return std::sqrt(dz * dz + dy * dy + dx * dx);
  }
  void fill_volumes() {
    std::uint32_t state = 1;
    for (std::int64_t z = 0; z < kShape.nz; z++) {
      for (std::int64_t y = 0; y < kShape.ny; y++) {
        for (std::int64_t x = 0; x < kShape.nx; x++) add_voxel(z, y, x, next_random(state) >> 16);
      }
    }
  }
  void add_voxel(std::int64_t z, std::int64_t y, std::int64_t x, std::uint32_t random) {
    const bool inside = distance(z, y, x) < 1 && random % 50 != 0;
    const auto word = static_cast<std::size_t>((z * kShape.ny + y) * kWords + x / 64);
    const std::uint64_t bit = std::uint64_t{1} << (x % 64);
    scan.push_back(static_cast<std::int16_t>((inside ? -900 : -100) + static_cast<int>(random % 256)));
    wide_scan.push_back(scan.back() * 65536 + static_cast<std::int32_t>(random % 4));
    labels.push_back(static_cast<std::uint8_t>(inside ? 1 + random % 5 : 0));
    bytes.push_back(static_cast<std::uint8_t>(random >> 8));
    if (inside) lungs[word] |= bit;
    if (random % 10 < 3) noise[word] |= bit;
    if (distance(z, y, x) < 0.2) seeds[word] |= bit;
  }
  void fill_rows() {
    std::uint32_t state = 2;
    for (std::int64_t i = 0; i < kMostFeatures * kRows; i++) rows.push_back(next_random(state) * 0x1p-30);
    for (std::int64_t i = 0; i < kRows; i++) {
      integers.push_back(static_cast<std::int16_t>(next_random(state) >> 20));
      groups.push_back(static_cast<std::int32_t>(next_random(state) >> 31));
      responsibilities.insert(responsibilities.end(), {0.25, 0.75});
    }
    for (int i = 0; i < 4000; i++) bin_values.push_back(next_random(state) * 0x1p-30);
    bin_counts.assign(bin_values.size(), 1.0);
  }
};

// Everything that a kernel may write to; those that it does not use keep what they hold.
struct Outputs {
  Words words = no_words(), more_words = no_words();
  std::vector<std::uint8_t> labels = std::vector<std::uint8_t>(static_cast<std::size_t>(kShape.count()));
  std::vector<std::int32_t> numbers = std::vector<std::int32_t>(labels.size());
  std::vector<std::int32_t> groups = std::vector<std::int32_t>(kRows);
  std::vector<std::int64_t> counts = std::vector<std::int64_t>(kRows);
  std::vector<double> sums = std::vector<double>(1 + 2 + 2 * kMostFeatures * (1 + kMostFeatures));
  std::vector<double> row_values = std::vector<double>(3 * kRows);

  bool operator==(const Outputs& other) const {
    return words == other.words && more_words == other.more_words && labels == other.labels &&
           numbers == other.numbers && groups == other.groups && counts == other.counts &&
           same_bits(sums, other.sums) && same_bits(row_values, other.row_values);
  }

 private:
  static bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
  }
};

}  // namespace kernels
