// Label volumes made of masks, and kept within other label volumes.
#pragma once
#include <vector>

#include "core/views.h"

namespace fg {

// out = i + 1 where masks[i] is set, the first of several; 0 where none is. At most 255 masks.
void number_masks(const std::vector<MaskView>& masks, VolumeView<std::uint8_t> out, int n_threads);

// out = 0 where labels are 0; labels where out is 0.
void keep_within(VolumeView<const std::uint8_t> labels, VolumeView<std::uint8_t> out, int n_threads);

}  // namespace fg
