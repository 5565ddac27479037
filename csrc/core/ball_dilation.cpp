// Dilation by a ball, from bounded distances held as bits.
//
// A voxel is in the dilation if a set voxel lies m slices, |dy| rows and |dx| voxels away, with (m, dy, dx)
// in the ball. Found axis by axis:
// - z: plane m holds the voxels with a set voxel at most m slices away: a distance in unary, one bit per
// unit.
// - y: room h holds the voxels that reach a set voxel with h steps along x to spare. For each dy it needs the
//   plane of the largest m that the ball allows, and only where that m grows as h falls.
// - x: the widest room is grown by one voxel and joined with the next, until h = 0.
//
// All of it is "or" on words of 64 voxels; vectors run along y, and one column of a chunk of 64 rows stays in
// the caches. Columns of a chunk that are far from every set voxel, or set throughout, are decided at once.
// Erosion is the dilation of the complement. Exact for any radii: the ball is decided in whole numbers.
//
// Cost: about (rz + 0.5 rz ry + rx) word steps per 64 voxels near the surface, hardly any elsewhere.
#include "core/ball_dilation.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/arena.h"
#include "core/ball_bytes.h"
#include "core/ball_nearness.h"
#include "core/parallel.h"

#define FG_KERNELS "core/ball_dilation_rows.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

using Word = std::uint64_t;
constexpr Word kOnes = ~Word{0};
constexpr std::int64_t kSlicesPerTask = 4;
constexpr std::int64_t kTilesPerChunk = kChunkRows / kTileRows;

// Works on one chunk of rows, slice after slice.
class ChunkDilation {
 public:
  ChunkDilation(const Dilation& d, const Nearness& nearness, std::int64_t first_row)
      : d_(d),
        nearness_(nearness),
        first_row_(first_row),
        n_rows_(std::min(kChunkRows, d.target.ny - first_row)),
        reach_columns_((d.reach.rx + 63) / 64),
        first_column_(std::max(std::min<std::int64_t>(0, -d.shift.word), -reach_columns_)),
        n_columns_(std::min(std::max(d.target.n_columns, d.source.n_columns - d.shift.word),
                            d.target.n_columns + reach_columns_) -
                   first_column_),
        scratch_(memory(d.reach, n_columns_)),
        planes_(scratch_.take<Word>((d.reach.rz + 1) * d.reach.plane_stride)),
        rooms_(scratch_.take<Word>(n_columns_ * room_size())),
        sums_(scratch_.take<Word>(2 * sums_size())),
        zeros_(scratch_.take<Word>(d.reach.plane_stride)),
        states_(n_columns_) {
    std::fill_n(planes_, (d.reach.rz + 1) * d.reach.plane_stride, Word{0});
    std::fill_n(sums_, 2 * sums_size(), Word{0});
    std::fill_n(zeros_, d.reach.plane_stride, Word{0});
  }

  void run(std::int64_t z) {
    for (std::int64_t c = 0; c < n_columns_; ++c) states_[c] = examine(z, c);
    grow_along_x();
    const Word* const sums = sums_ + d_.reach.rx % 2 * sums_size();
    const Word flip = d_.flip;
    for (std::int64_t t = 0; t < d_.target.n_columns; ++t) {
      const Word* const column = sums + (t - first_column_ + 1) * kChunkRows;
      Word* __restrict const out = d_.target.column(z, t) + first_row_;
      for (std::int64_t y = 0; y < n_rows_; ++y) out[y] = column[y] ^ flip;
    }
  }

 private:
  enum class State : std::uint8_t { kEmpty, kMixed, kFull };

  static std::size_t memory(const ReachTable& reach, std::int64_t n_columns) {
    return Scratch::cost<Word>((reach.rz + 1) * reach.plane_stride) +
           Scratch::cost<Word>(n_columns * (reach.rx + 1) * kChunkRows) +
           Scratch::cost<Word>(2 * (n_columns + 2) * kChunkRows) + Scratch::cost<Word>(reach.plane_stride);
  }
  std::int64_t room_size() const { return (d_.reach.rx + 1) * kChunkRows; }
  std::int64_t sums_size() const { return (n_columns_ + 2) * kChunkRows; }  // an empty column on either side

  // Finds the rooms of a column unless it is empty within reach or full.
  State examine(std::int64_t z, std::int64_t c) {
    const std::int64_t column = c + first_column_ + d_.shift.word;
    if (column < 0 || column >= d_.source.n_columns) return State::kEmpty;
    const std::int64_t row = first_row_ + d_.shift.y, from_z = z + d_.shift.z;
    bool within[kTilesPerChunk];
    for (std::int64_t t = 0; t < kTilesPerChunk; ++t) {
      const std::int64_t tile = row + t * kTileRows;
      within[t] = t * kTileRows < n_rows_ &&
                  nearness_.is_near(z, column, tile - d_.reach.ry, tile + kTileRows + d_.reach.ry);
    }
    if (std::none_of(within, within + kTilesPerChunk, [](bool w) { return w; })) return State::kEmpty;
    const bool has_rows = from_z >= 0 && from_z < d_.source.nz && row >= 0 && row + n_rows_ <= d_.source.ny;
    if (has_rows && FG_DISPATCH(is_full)(d_.source.column(from_z, column) + row, n_rows_))
      return State::kFull;

    const std::int64_t lead = (row - d_.reach.ry) & 7;  // lets the planes start at a cache line of the source
    const std::int64_t least_m = join_along_z(from_z, column, row - d_.reach.ry - lead);
    Word* const rooms = rooms_ + c * room_size();
    const auto find = FG_DISPATCH(find_rooms);
    for (std::int64_t t = 0; t < kTilesPerChunk; ++t) {
      if (within[t]) {
        find(planes_ + lead + d_.reach.ry + t * kTileRows, d_.reach, least_m, rooms + t * kTileRows);
      } else {
        for (std::int64_t h = 0; h <= d_.reach.rx; ++h) {
          std::fill_n(rooms + h * kChunkRows + t * kTileRows, kTileRows, Word{0});
        }
      }
    }
    return State::kMixed;
  }

  // Fills the planes of a column, whose first row is row `first` of the source; returns the first that is not
  // empty.
  std::int64_t join_along_z(std::int64_t z, std::int64_t column, std::int64_t first) {
    const std::int64_t begin = std::max<std::int64_t>(0, -first);
    const std::int64_t n = std::min(d_.reach.plane_stride, d_.source.ny - first) - begin;
    const auto slice = [&](std::int64_t from_z) -> const Word* {
      const bool has_z = from_z >= 0 && from_z < d_.source.nz;
      return has_z ? d_.source.column(from_z, column) + first + begin : zeros_;
    };
    const auto join = FG_DISPATCH(join_slices);
    std::int64_t least_m = d_.reach.rz + 1;
    const Word* inner = zeros_;
    for (std::int64_t m = 0; m <= d_.reach.rz; ++m) {
      Word* const plane = planes_ + m * d_.reach.plane_stride + begin;
      if (join(inner, slice(z - m), slice(z + m), n, plane) && least_m > m) least_m = m;
      inner = plane;
    }
    return least_m;
  }

  // Leaves the result in the sums of rx % 2, one column further on.
  void grow_along_x() {
    std::vector<std::int64_t> moving;
    for (std::int64_t c = 0; c < n_columns_; ++c) {
      const Word* const widest = rooms_ + c * room_size() + d_.reach.rx * kChunkRows;
      for (int side = 0; side < 2; ++side) {
        Word* const sum = sums_ + side * sums_size() + (c + 1) * kChunkRows;
        if (states_[c] == State::kMixed) std::copy_n(widest, kChunkRows, sum);
        if (states_[c] != State::kMixed)
          std::fill_n(sum, kChunkRows, states_[c] == State::kFull ? kOnes : Word{0});
      }
      if (is_moving(c)) moving.push_back(c);
    }
    const auto step = FG_DISPATCH(step_along_x);
    for (std::int64_t h = d_.reach.rx - 1; h >= 0; --h) {
      const std::int64_t n_done = d_.reach.rx - 1 - h;
      const Word* const from = sums_ + n_done % 2 * sums_size();
      Word* const to = sums_ + (n_done + 1) % 2 * sums_size();
      for (const std::int64_t c : moving) {
        const Word* const mid = from + (c + 1) * kChunkRows;
        const Word* const room =
            states_[c] == State::kMixed ? rooms_ + c * room_size() + h * kChunkRows : zeros_;
        step(mid - kChunkRows, mid, mid + kChunkRows, room, to + (c + 1) * kChunkRows);
      }
    }
  }

  // Whether the column is neither full nor beyond the reach of all that are not empty.
  bool is_moving(std::int64_t c) const {
    if (states_[c] != State::kEmpty) return states_[c] == State::kMixed;
    const std::int64_t first = std::max<std::int64_t>(0, c - reach_columns_);
    const std::int64_t end = std::min(n_columns_, c + reach_columns_ + 1);
    return std::any_of(states_.begin() + first, states_.begin() + end,
                       [](State s) { return s != State::kEmpty; });
  }

  const Dilation& d_;
  const Nearness& nearness_;
  const std::int64_t first_row_, n_rows_, reach_columns_;
  const std::int64_t first_column_, n_columns_;  // those worked on, counted in the target's columns
  Scratch scratch_;
  Word *planes_, *rooms_, *sums_, *zeros_;
  std::vector<State> states_;
};

}  // namespace

void dilate(const Dilation& d, int n_threads) {
  const Nearness nearness(d, n_threads);
  if (can_dilate_bytes(d.reach)) return dilate_bytes(d, nearness, n_threads);
  const std::int64_t n_chunks = (d.target.ny + kChunkRows - 1) / kChunkRows;
  const std::int64_t n_slabs = (d.target.nz + kSlicesPerTask - 1) / kSlicesPerTask;
  parallel_for(n_chunks * n_slabs, n_threads, [&](std::int64_t task, int) {
    ChunkDilation chunk(d, nearness, task / n_slabs * kChunkRows);
    const std::int64_t first = task % n_slabs * kSlicesPerTask;
    for (std::int64_t z = first; z < std::min(d.target.nz, first + kSlicesPerTask); ++z) chunk.run(z);
  });
}

}  // namespace fg
