// Views of memory that the caller owns. Axes are (z, y, x); x is contiguous.
#pragma once
#include <algorithm>
#include <cstdint>

namespace fg {

struct Shape {
  std::int64_t nz, ny, nx;
  std::int64_t count() const { return nz * ny * nx; }
};

template <class T>
struct VolumeView {
  T* voxels;
  Shape shape;
  T* row(std::int64_t z, std::int64_t y) const { return voxels + (z * shape.ny + y) * shape.nx; }
};

// One bit per voxel: row (z, y) is words_per_row() words, lowest bit first, bits past nx are 0. Planes may be
// padded.
template <class Word>
struct BitView {
  Word* words;
  Shape shape;
  std::int64_t plane_stride;  // in words
  std::int64_t words_per_row() const { return (shape.nx + 63) / 64; }
  Word* plane(std::int64_t z) const { return words + z * plane_stride; }
  Word* row(std::int64_t z, std::int64_t y) const { return plane(z) + y * words_per_row(); }
};
using MaskView = BitView<const std::uint64_t>;
using MaskOut = BitView<std::uint64_t>;

// A distance between planes of n_words that is no multiple of a page, so that the same row of neighbouring
// planes does not fall into the same cache sets.
inline std::int64_t padded_plane(std::int64_t n_words) {
  return n_words % 512 == 0 ? n_words + 8 : n_words;
}

inline void clear(const MaskOut& mask) {
  for (std::int64_t z = 0; z < mask.shape.nz; ++z) {
    std::fill_n(mask.plane(z), mask.shape.ny * mask.words_per_row(), std::uint64_t{0});
  }
}

}  // namespace fg
