// Opening and closing of masks. Outside the volume counts as unset; `out` must not be the mask itself.
#pragma once
#include <cstdint>

#include "core/views.h"
#include "shared/ball.h"

namespace fg {

// Erodes, then dilates, `iterations` times with the cross of a voxel and its 6 neighbours.
void open_cross(MaskView mask, std::int64_t iterations, MaskOut out, int n_threads);

// Erodes, then dilates.
void open_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads);

// Leaves the voxels whose ball lies within the mask.
void erode_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads);

// Sets the voxels in the ball of a set voxel.
void dilate_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads);

// Dilates, beyond the border of the volume too, then erodes.
void close_ball(MaskView mask, const Ball& ball, MaskOut out, int n_threads);

}  // namespace fg
