// Labels from masks and labels kept within others: one pass over the rows, dealt out to the threads.
#include "core/labels.h"

#include <cstring>

#include "core/parallel.h"
#include "core/streaming.h"
#include "core/stretches.h"

#define FG_KERNELS "core/labels_rows.inl"
#include "core/foreach_simd.h"

namespace fg {

void number_masks(const std::vector<MaskView>& masks, VolumeView<std::uint8_t> out, int n_threads) {
  const Stretches stretches(out.shape);
  const bool streamed = out.shape.nx % 16 == 0 && should_stream(out.voxels, out.shape.count());
  const auto number = FG_DISPATCH(number_row);
  const int n_masks = static_cast<int>(masks.size());
  parallel_for(stretches.n_tasks(), n_threads, [&](std::int64_t task, int) {
    std::vector<const std::uint64_t*> rows(masks.size());
    stretches.visit(task, [&](std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t n) {
      for (std::size_t i = 0; i < masks.size(); ++i) rows[i] = masks[i].row(z, y) + x / 64;
      number(rows.data(), n_masks, n, streamed, out.row(z, y) + x);
    });
    if (streamed) end_stream();
  });
}

void keep_within(VolumeView<const std::uint8_t> labels, VolumeView<std::uint8_t> out, int n_threads) {
  // All voxels as one long row.
  const Stretches stretches({1, 1, out.shape.count()});
  const auto keep = FG_DISPATCH(keep_row_within);
  parallel_for(stretches.n_tasks(), n_threads, [&](std::int64_t task, int) {
    stretches.visit(task, [&](std::int64_t, std::int64_t, std::int64_t x, std::int64_t n) {
      keep(labels.voxels + x, n, out.voxels + x);
    });
  });
}

}  // namespace fg
