// The rows of a volume under a mask, dealt out as tasks.
#pragma once
#include <cstdint>

#include "core/stretches.h"
#include "core/views.h"
#include "shared/portable.h"

namespace fg {

constexpr std::int64_t kRowsAhead = 8;

// Asks for the voxels under the mask: words of one row are too short a run for the processor to foresee the
// next. (FG_HD inlines it; the compiler would drop a call of a function that does nothing else.)
template <class T>
FG_HD void prefetch_under(const std::uint64_t* words, const T* voxels, std::int64_t n) {
  constexpr std::int64_t kLines = sizeof(T);  // cache lines of 64 voxels
  for (std::int64_t w = 0; w < (n + 63) / 64; ++w) {
    if (!words[w]) continue;
    for (std::int64_t i = 0; i < kLines; ++i)
      FG_PREFETCH(reinterpret_cast<const char*>(voxels + 64 * w) + 64 * i);
  }
}

// What is counted: the rows of a volume under a mask, or all of it as one long row.
template <class T>
struct Source {
  VolumeView<const T> volume;
  const MaskView* mask;
  Stretches stretches;

  Source(VolumeView<const T> v, const MaskView* m)
      : volume(m ? v : VolumeView<const T>{v.voxels, {1, 1, v.shape.count()}}),
        mask(m),
        stretches(volume.shape) {}

  // Calls body(voxels, words, n) for each stretch of a task; `ahead`: asks for voxels that later rows need.
  template <class Body>
  void visit(std::int64_t task, bool ahead, Body&& body) const {
    stretches.visit(task, [&](std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t n) {
      if (ahead && mask && y + kRowsAhead < volume.shape.ny) {
        prefetch_under(mask->row(z, y + kRowsAhead) + x / 64, volume.row(z, y + kRowsAhead) + x, n);
      }
      body(volume.row(z, y) + x, mask ? mask->row(z, y) + x / 64 : nullptr, n);
    });
  }
};

}  // namespace fg
