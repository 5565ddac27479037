// Counting, looking up and comparing voxel values.
#pragma once
#include <cstdint>
#include <vector>

#include "core/views.h"

namespace fg {

// How often a value occurs at running indices equal to `phase` modulo the number of phases.
struct Bin {
  std::int64_t value, phase, count;
};

// The bins that occur, by rising value, then phase. The running index counts the voxels of the mask (of the
// volume if it is null) in z, y, x order. T is int8, int16, int32, uint8 or uint16.
template <class T>
std::vector<Bin> count_values(VolumeView<const T> volume, const MaskView* mask, int n_phases, int n_threads);

// out = table[value + 32768] where the mask is set (everywhere if it is null), else 0.
void apply_table(VolumeView<const std::int16_t> volume, const std::uint8_t* table, const MaskView* mask,
                 VolumeView<std::uint8_t> out, int n_threads);

// out = table[value - first] of n integers that are `stride` elements apart; returns whether all of them have
// an entry in the table, which has at most 65536: what is written for others is not defined. Signed integers
// come as unsigned ones of their width: U and O are uint8, 16, 32 or 64.
template <class U, class O>
bool label_values(const U* values, std::int64_t stride, std::int64_t n, U first, const std::uint8_t* table,
                  std::int64_t n_entries, O* out, int n_threads);

// out = value < limit.
template <class T>
void threshold_below(VolumeView<const T> volume, std::int64_t limit, MaskOut out, int n_threads);

}  // namespace fg
