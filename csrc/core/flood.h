// Floods across the faces of voxels: how far from seeds, and through which intensities.
#pragma once
#include <cstdint>
#include <vector>

#include "core/views.h"

namespace fg {

// Gives each voxel of the mask that is joined to a seed to the seeds that reach it in the fewest steps within
// the mask, of several the first. Seeds outside the mask do not count. out[i] takes the voxels of seeds[i].
void geodesic_flood(MaskView mask, const std::vector<MaskView>& seeds, const std::vector<MaskOut>& out);

// For thresholds in rising order, the voxels below threshold i that are joined to a seed below it by voxels
// below it. Stops at the first threshold where they are more than max_voxels. Writes those of the threshold
// before into `out` and returns its index, -1 where there is none.
template <class T>
std::int64_t grow_region(VolumeView<const T> volume, MaskView seeds,
                         const std::vector<std::int64_t>& thresholds, std::int64_t max_voxels, MaskOut out);

}  // namespace fg
