// The median of labels in a box around each voxel.
#pragma once
#include "core/views.h"

namespace fg {

// size: voxels along z, y, x, each in 1..kMaxMedianSize. Writes the value of 0-based rank n / 2 among the
// box's n labels at offsets -(s / 2) .. s - 1 - s / 2; outside the volume labels are reflected: d c b a | a b
// c d | d c b a.
constexpr int kMaxMedianSize = 7;
void median_filter(VolumeView<const std::uint8_t> labels, const int (&size)[3], VolumeView<std::uint8_t> out,
                   int n_threads);

}  // namespace fg
