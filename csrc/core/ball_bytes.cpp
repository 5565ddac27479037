// Dilation by a ball of 20 to 62 voxels, from distances in bytes, 64 voxels along x to a vector.
//
// A voxel is in the dilation if a set voxel lies m slices, |dy| rows and |dx| voxels away, with (m, dy, dx)
// in the ball. Found axis by axis:
// - z: a byte per voxel, the distance m to the nearest set voxel of its line.
// - y: for each dy, the lesser m of the rows y - dy and y + dy is looked up in a table: the half-width that
//   the ball still has in x. The widest one counts.
// - x: a half-width covers the voxels that are nearer than it is wide; it is taken 1, 2, 4, … voxels along.
//
// A word is left alone once no voxel within reach of it is still to be found, or once no further row can
// widen it; rows whose least m is too large for their dy are left out. Exact: the table is made from the ball
// in whole numbers.
//
// Cost: at most 4 ry + 7 log2(rx) vector steps per 64 voxels near the surface.
#include "core/ball_bytes.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/arena.h"
#include "core/parallel.h"
#include "shared/bits.h"

#define FG_KERNELS "core/ball_bytes_rows.inl"
#include "core/foreach_simd.h"

namespace fg {

#if FG_X86_LEVELS

namespace {

using Word = std::uint64_t;
using Byte = std::uint8_t;
constexpr Word kOnes = ~Word{0};
constexpr std::int64_t kCacheBytes = 1 << 20;
constexpr Byte kNone = 64;                   // more than any distance
constexpr std::int64_t kSlicesPerTask = 48;  // the first of them looks back for itself

// The tables of the ball, 64 bytes for each dy, and then, by dy, the m from which on it has no voxel.
void fill_tables(const Ball& ball, Byte* widths) {
  Byte* const bounds = widths + 64 * (ball.ry + 1);
  std::fill_n(widths, 64 * (ball.ry + 2), Byte{0});
  for (std::int64_t dy = 0; dy <= ball.ry; ++dy) {
    std::int64_t width = ball.rx + 1;
    for (std::int64_t m = 0; m <= ball.rz; ++m) {
      while (width > 0 && !ball.contains(m, dy, width - 1)) --width;
      widths[64 * dy + m] = static_cast<Byte>(width);
      bounds[dy] += width > 0;
    }
  }
}

// Works on one chunk of rows, a few slices at a time.
class ByteChunk {
 public:
  ByteChunk(const Dilation& d, const Nearness& nearness, const Byte* widths, std::int64_t first_row,
            std::int64_t most_slices)
      : d_(d),
        nearness_(nearness),
        widths_(widths),
        first_row_(first_row),
        n_rows_(std::min(kByteRows, d.target.ny - first_row)),
        most_slices_(most_slices),
        first_column_(first_column(d)),
        n_columns_(n_columns(d)),
        n_byte_rows_(kByteRows + 2 * d.reach.ry),
        scratch_(memory(d, most_slices)),
        bytes_(scratch_.take<Byte>(n_columns_ * column_bytes())),
        sums_(scratch_.take<Byte>(n_columns_ * kByteRows * 64)),
        sets_(scratch_.take<Word>(n_columns_ * kByteRows)),
        open_(scratch_.take<Word>((n_columns_ + 2) * kByteRows)),
        least_(scratch_.take<Byte>(2 * n_columns_ * most_slices * kLeastBytes)),
        carried_(scratch_.take<Byte>(n_columns_ * n_byte_rows_ * 64)),
        carries_(n_columns_, 0) {}

  static std::int64_t first_column(const Dilation& d) {
    return std::max<std::int64_t>(std::min<std::int64_t>(0, -d.shift.word), -(d.reach.rx > 0));
  }
  static std::int64_t n_columns(const Dilation& d) {
    return std::min(std::max(d.target.n_columns, d.source.n_columns - d.shift.word),
                    d.target.n_columns + (d.reach.rx > 0)) -
           first_column(d);
  }
  static std::int64_t bytes_per_slice(const Dilation& d) {
    return n_columns(d) * (kByteRows + 2 * d.reach.ry) * 64;
  }

  void run(std::int64_t z, std::int64_t n_slices) {
    std::memset(least_, kNone, 2 * n_columns_ * most_slices_ * kLeastBytes);
    for (std::int64_t c = 0; c < n_columns_; ++c) measure(c, z, n_slices);
    for (std::int64_t s = 0; s < n_slices; ++s) {
      fill_open(z + s);
      fill_sets(s);
      const Byte* const bytes = bytes_ + s * n_byte_rows_ * 64 + d_.reach.ry * 64;
      const ByteSlice slice{bytes,       column_bytes(), n_columns_, n_vector_rows(), widths_,
                            d_.reach.ry, d_.reach.rx,    sets_,      open_,           sums_};
      avx512::widen_along_y(slice);
      avx512::cover_along_x(slice);
      write(z + s);
    }
  }

 private:
  static std::size_t memory(const Dilation& d, std::int64_t most_slices) {
    const std::int64_t n = n_columns(d);
    return Scratch::cost<Byte>(most_slices * bytes_per_slice(d)) + Scratch::cost<Byte>(n * kByteRows * 64) +
           Scratch::cost<Word>(n * kByteRows) + Scratch::cost<Word>((n + 2) * kByteRows) +
           Scratch::cost<Byte>(2 * n * most_slices * kLeastBytes) + Scratch::cost<Byte>(bytes_per_slice(d));
  }
  std::int64_t n_vector_rows() const { return (n_rows_ + 7) / 8 * 8; }
  std::int64_t column_bytes() const { return most_slices_ * n_byte_rows_ * 64; }
  Byte* least(std::int64_t c, bool down, std::int64_t s) const {
    return least_ + ((2 * c + down) * most_slices_ + s) * kLeastBytes;
  }

  // Turns a column into distances, unless it has nothing within reach.
  void measure(std::int64_t c, std::int64_t z, std::int64_t n_slices) {
    const std::int64_t column = c + first_column_ + d_.shift.word;
    if (column < 0 || column >= d_.source.n_columns) return;
    const std::int64_t top = first_row_ + d_.shift.y - d_.reach.ry, n_wanted = n_rows_ + 2 * d_.reach.ry;
    bool is_near = false;
    for (std::int64_t s = 0; s < n_slices && !is_near; ++s)
      is_near = nearness_.is_near(z + s, column, top, top + n_wanted);
    const bool is_carried = carries_[c];
    carries_[c] = is_near;
    if (!is_near) return;
    const std::int64_t first = std::clamp<std::int64_t>(-top, 0, n_wanted);
    const std::int64_t end = std::clamp<std::int64_t>(d_.source.ny - top, first, n_wanted);
    Byte* const bytes = bytes_ + c * column_bytes();
    for (std::int64_t s = 0; s < n_slices; ++s) {
      Byte* const rows = bytes + s * n_byte_rows_ * 64;
      std::memset(rows, static_cast<int>(d_.reach.rz + 1), first * 64);
      std::memset(rows + end * 64, static_cast<int>(d_.reach.rz + 1), (n_wanted - end) * 64);
    }
    avx512::measure_along_z({d_.source.column(0, column) + top + first, d_.source.plane_stride, d_.source.nz,
                             end - first, z + d_.shift.z, n_slices, d_.reach.rz, bytes + first * 64,
                             n_byte_rows_ * 64, least(c, false, 0) + first,
                             least(c, true, 0) + n_byte_rows_ - 1 - first, carried_ + c * n_byte_rows_ * 64,
                             is_carried});
  }

  void fill_open(std::int64_t z) {
    std::fill_n(open_, (n_columns_ + 2) * kByteRows, Word{0});
    for (std::int64_t t = 0; t < d_.target.n_columns; ++t) {
      Word* const open = open_ + (t - first_column_ + 1) * kByteRows;
      const Word* const known = d_.target.column(z, t) + first_row_;
      for (std::int64_t y = 0; y < n_rows_; ++y) open[y] = d_.keeps ? ~known[y] : kOnes;
    }
  }

  void fill_sets(std::int64_t s) {
    const std::int64_t ry = d_.reach.ry;
    for (std::int64_t c = 0; c < n_columns_; ++c) {
      avx512::choose_rows(least(c, false, s) + ry, least(c, true, s) + n_byte_rows_ - 1 - ry,
                          widths_ + 64 * (ry + 1), n_vector_rows(), sets_ + c * kByteRows);
    }
  }

  // What is still open is not in the dilation.
  void write(std::int64_t z) {
    const Word known = d_.keeps ? kOnes : 0;
    for (std::int64_t t = 0; t < d_.target.n_columns; ++t) {
      const Word* const open = open_ + (t - first_column_ + 1) * kByteRows;
      Word* const out = d_.target.column(z, t) + first_row_;
      for (std::int64_t y = 0; y < n_rows_; ++y) out[y] = (out[y] & known) | (~open[y] ^ d_.flip);
    }
  }

  const Dilation& d_;
  const Nearness& nearness_;
  const Byte* widths_;
  const std::int64_t first_row_, n_rows_, most_slices_;
  const std::int64_t first_column_, n_columns_;  // those worked on, counted in the target's columns
  const std::int64_t n_byte_rows_;
  Scratch scratch_;
  Byte *bytes_, *sums_;
  Word *sets_, *open_;
  Byte *least_, *carried_;
  std::vector<char> carries_;  // by column: whether the slices just before have left their distances
};

}  // namespace

bool can_dilate_bytes(const ReachTable& reach) {
  return simd_level() == Simd::avx512 && std::min(reach.rz, reach.ry) >= kLeastRadius &&
         std::max({reach.rz, reach.ry, reach.rx}) <= kMostRadius;
}

void dilate_bytes(const Dilation& d, const Nearness& nearness, int n_threads) {
  Scratch scratch(Scratch::cost<Byte>(64 * (d.reach.ry + 2)));
  Byte* const widths = scratch.take<Byte>(64 * (d.reach.ry + 2));
  fill_tables(d.reach.ball, widths);
  const std::int64_t n_slices = std::clamp<std::int64_t>(kCacheBytes / ByteChunk::bytes_per_slice(d), 2, 16);
  const std::int64_t n_chunks = (d.target.ny + kByteRows - 1) / kByteRows;
  const std::int64_t n_slabs = (d.target.nz + kSlicesPerTask - 1) / kSlicesPerTask;
  parallel_for(n_chunks * n_slabs, n_threads, [&](std::int64_t task, int) {
    ByteChunk chunk(d, nearness, widths, task / n_slabs * kByteRows, n_slices);
    const std::int64_t first = task % n_slabs * kSlicesPerTask,
                       end = std::min(d.target.nz, first + kSlicesPerTask);
    for (std::int64_t z = first; z < end; z += n_slices) chunk.run(z, std::min(n_slices, end - z));
  });
}

#else

bool can_dilate_bytes(const ReachTable&) {
  return false;
}
void dilate_bytes(const Dilation&, const Nearness&, int) {}

#endif

}  // namespace fg
