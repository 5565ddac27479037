// Connected components of a mask, numbered from 0 by their first voxel in scan order.
#pragma once
#include <memory>

#include "core/views.h"

namespace fg {

// COMPONENT_DTYPE of backends/_contract.py. Axes in the order z, y, x; two faces per axis: at index 0, at the
// last index.
struct ComponentRecord {
  std::int64_t label, n_voxels, begin[3], end[3], contact[3][2];
};

// The components, found when the object is made and asked about afterwards; it reads the mask again for each
// answer.
class ComponentRuns {
 public:
  virtual ~ComponentRuns() = default;
  virtual Shape shape() const = 0;
  virtual std::int64_t n_components() const = 0;
  // One record per component; label = number + 1.
  virtual void write_table(ComponentRecord* table) const = 0;
  // The mask's voxels whose component c has keep[c].
  virtual void select(const bool* keep, MaskOut out) const = 0;
  // Component number + 1, 0 outside the mask.
  virtual void write_labels(VolumeView<std::int32_t> out) const = 0;
  virtual void write_labels(VolumeView<std::int64_t> out) const = 0;
};

// connectivity: 6, 18 or 26 neighbours. wide: 64-bit indices even where 32 bits would do.
std::unique_ptr<ComponentRuns> find_components(MaskView mask, int connectivity, int n_threads,
                                               bool wide = false);

}  // namespace fg
