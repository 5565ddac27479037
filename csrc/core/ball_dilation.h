// Dilation by a ball of a mask in columns.
#pragma once
#include <cstdint>

#include "core/ball_reach.h"
#include "core/bit_columns.h"

namespace fg {

// Voxel (z, y, x) of the target is voxel (z + shift.z, y + shift.y, x + 64 * shift.word) of the source.
struct Dilation {
  const Columns& source;
  const Columns& target;
  Corner shift;
  const ReachTable& reach;
  std::uint64_t flip;  // xor-ed to the result
  bool keeps = false;  // every voxel set in the target is known to be set in the result
};

void dilate(const Dilation& dilation, int n_threads);

}  // namespace fg
