#include "core/bit_columns.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "shared/bits.h"

namespace fg {
namespace {

// What one thread has seen: rows with a voxel, and the union of all rows.
struct alignas(64) Seen {
  Box rows{INT64_MAX, 0, INT64_MAX, 0, 0, 0};
  std::vector<std::uint64_t> words;
};

void look_at_slice(const MaskView& mask, std::int64_t z, Seen& seen) {
  const std::int64_t n_words = mask.words_per_row();
  seen.words.resize(n_words, 0);
  for (std::int64_t y = 0; y < mask.shape.ny; ++y) {
    const std::uint64_t* const row = mask.row(z, y);
    std::uint64_t any = 0;
    for (std::int64_t w = 0; w < n_words; ++w) any |= row[w];
    if (!any) continue;
    for (std::int64_t w = 0; w < n_words; ++w) seen.words[w] |= row[w];
    seen.rows = {std::min(seen.rows.z0, z),
                 std::max(seen.rows.z1, z + 1),
                 std::min(seen.rows.y0, y),
                 std::max(seen.rows.y1, y + 1),
                 0,
                 0};
  }
}

// The voxels first_x <= x < end_x of word w.
std::uint64_t bits_between(std::int64_t first_x, std::int64_t end_x, std::int64_t w) {
  const auto below = [w](std::int64_t x) {
    return low_ones(static_cast<int>(std::clamp<std::int64_t>(x - 64 * w, 0, 64)));
  };
  return below(end_x) & ~below(first_x);
}

}  // namespace

Box find_box(const MaskView& mask, int n_threads) {
  std::vector<Seen> seen(std::max(1, n_threads));
  parallel_for(mask.shape.nz, n_threads,
               [&](std::int64_t z, int worker) { look_at_slice(mask, z, seen[worker]); });
  Box box{INT64_MAX, 0, INT64_MAX, 0, INT64_MAX, 0};
  for (const Seen& s : seen) {
    box.z0 = std::min(box.z0, s.rows.z0);
    box.z1 = std::max(box.z1, s.rows.z1);
    box.y0 = std::min(box.y0, s.rows.y0);
    box.y1 = std::max(box.y1, s.rows.y1);
    for (std::size_t w = 0; w < s.words.size(); ++w) {
      if (!s.words[w]) continue;
      const auto first = static_cast<std::int64_t>(64 * w);
      box.x0 = std::min(box.x0, first + lowest_one(s.words[w]));
      box.x1 = std::max(box.x1, first + highest_one(s.words[w]) + 1);
    }
  }
  return box;
}

void copy_to_columns(const MaskView& mask, const Corner& corner, std::uint64_t flip, const Columns& to,
                     int n_threads) {
  // Columns first..end lie inside the volume.
  const std::int64_t first = std::clamp<std::int64_t>(-corner.word, 0, to.n_columns);
  const std::int64_t end = std::clamp<std::int64_t>(mask.words_per_row() - corner.word, first, to.n_columns);
  parallel_for(to.nz, n_threads, [&](std::int64_t z, int) {
    const bool has_z = corner.z + z >= 0 && corner.z + z < mask.shape.nz;
    for (std::int64_t c = 0; c < to.n_columns; ++c) std::fill_n(to.column(z, c), to.ny, flip);
    for (std::int64_t y = 0; has_z && y < to.ny; ++y) {
      if (corner.y + y < 0 || corner.y + y >= mask.shape.ny) continue;
      const std::uint64_t* const row = mask.row(corner.z + z, corner.y + y) + corner.word;
      for (std::int64_t c = first; c < end; ++c) to.column(z, c)[y] = row[c] ^ flip;
    }
  });
}

void copy_from_columns(const Columns& from, const Box& box, const MaskOut& to, int n_threads) {
  const std::int64_t n_words = to.words_per_row();
  std::vector<std::uint64_t> inside(from.n_columns);
  for (std::int64_t c = 0; c < from.n_columns; ++c)
    inside[c] = bits_between(box.x0, box.x1, box.first_word() + c);
  parallel_for(to.shape.nz, n_threads, [&](std::int64_t z, int) {
    std::fill_n(to.plane(z), to.shape.ny * n_words, std::uint64_t{0});
    if (z < box.z0 || z >= box.z1) return;
    for (std::int64_t y = box.y0; y < box.y1; ++y) {
      std::uint64_t* const row = to.row(z, y) + box.first_word();
      for (std::int64_t c = 0; c < from.n_columns; ++c)
        row[c] = from.column(z - box.z0, c)[y - box.y0] & inside[c];
    }
  });
}

}  // namespace fg
