// Where the source of a dilation has voxels, coarsely: most of a volume is decided without a look at its
// words.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/arena.h"
#include "core/ball_dilation.h"
#include "core/parallel.h"

namespace fg {

// Which blocks of kTileRows words of the source hold a voxel within rz slices of a slice of the target.
class Nearness {
 public:
  Nearness(const Dilation& d, int n_threads)
      : n_blocks_((d.source.ny + kTileRows - 1) / kTileRows),
        slice_(d.source.n_columns * n_blocks_),
        scratch_(Scratch::cost<std::uint8_t>(d.source.nz * slice_) +
                 Scratch::cost<std::uint8_t>(d.target.nz * slice_)),
        any_(scratch_.take<std::uint8_t>(d.source.nz * slice_)),
        near_(scratch_.take<std::uint8_t>(d.target.nz * slice_)) {
    parallel_for(d.source.nz, n_threads, [&](std::int64_t z, int) { mark_slice(d.source, z); });
    parallel_for(d.target.nz, n_threads, [&](std::int64_t z, int) { join_marks(d, z); });
  }

  // Whether there is one in the rows first..end - 1 of a column.
  bool is_near(std::int64_t target_z, std::int64_t column, std::int64_t first, std::int64_t end) const {
    const std::uint8_t* const marks = near_ + target_z * slice_ + column * n_blocks_;
    const std::int64_t first_block = std::max<std::int64_t>(0, first / kTileRows);
    const std::int64_t end_block = std::min(n_blocks_, (end + kTileRows - 1) / kTileRows);
    return std::any_of(marks + std::min(first_block, end_block), marks + end_block,
                       [](std::uint8_t m) { return m; });
  }

 private:
  void mark_slice(const Columns& source, std::int64_t z) {
    for (std::int64_t i = 0; i < slice_; ++i) {
      const std::int64_t row = i % n_blocks_ * kTileRows;
      const std::uint64_t* const words = source.column(z, i / n_blocks_) + row;
      std::uint64_t any = 0;
      for (std::int64_t y = 0; y < std::min(kTileRows, source.ny - row); ++y) any |= words[y];
      any_[z * slice_ + i] = any != 0;
    }
  }

  void join_marks(const Dilation& d, std::int64_t z) {
    const std::int64_t n = slice_;
    std::uint8_t* __restrict const joined = near_ + z * n;
    std::fill_n(joined, n, std::uint8_t{0});
    const std::int64_t centre = z + d.shift.z;
    const std::int64_t end = std::min(d.source.nz, centre + d.reach.rz + 1);
    for (std::int64_t from = std::max<std::int64_t>(0, centre - d.reach.rz); from < end; ++from) {
      const std::uint8_t* const marks = any_ + from * n;
      for (std::int64_t i = 0; i < n; ++i) joined[i] |= marks[i];
    }
  }

  std::int64_t n_blocks_, slice_;
  Scratch scratch_;
  std::uint8_t *any_, *near_;
};

}  // namespace fg
