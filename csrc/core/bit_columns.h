// A box of a mask with its words turned round: the words of one x position lie along y, so that neighbours in
// y are neighbours in memory, neighbours in x are other columns, and vectors are full whatever the length of
// a row.
#pragma once
#include <cstdint>

#include "core/views.h"

namespace fg {

struct Columns {
  std::uint64_t* words = nullptr;
  std::int64_t nz, n_columns, ny;
  std::int64_t column_stride,
      plane_stride;  // in words; so padded that columns and planes start in other cache sets

  Columns(std::int64_t z, std::int64_t c, std::int64_t y)
      : nz(z),
        n_columns(c),
        ny(y),
        column_stride(((y + 7) / 8 | 1) * 8),
        plane_stride(padded_plane(c * column_stride)) {}

  std::uint64_t* column(std::int64_t z, std::int64_t c) const {
    return words + z * plane_stride + c * column_stride;
  }
  std::int64_t size() const { return nz * plane_stride; }
};

// Ends are exclusive; x in voxels.
struct Box {
  std::int64_t z0, z1, y0, y1, x0, x1;
  bool is_empty() const { return z0 >= z1; }
  std::int64_t first_word() const { return x0 / 64; }
  std::int64_t end_word() const { return (x1 + 63) / 64; }
};

// The voxel and word of the volume that is the first of the columns; it may lie outside.
struct Corner {
  std::int64_t z, y, word;
};

Box find_box(const MaskView& mask, int n_threads);

// Voxels outside the mask's volume count as unset; every word is then xor-ed with flip.
void copy_to_columns(const MaskView& mask, const Corner& corner, std::uint64_t flip, const Columns& to,
                     int n_threads);

// Writes the voxels of the box, whose first word is the first of the columns, and clears all others.
void copy_from_columns(const Columns& from, const Box& box, const MaskOut& to, int n_threads);

}  // namespace fg
