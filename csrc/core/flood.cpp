// Floods across the faces of voxels.
//
// geodesic_flood works on whole words: a step moves the front of each flood by one voxel in all six
// directions at once, in the rows only that have a front beside them. Rows go into the list of the next step
// when a front is written to them or to a neighbour. Cost: the words of the rows that a front crosses, once
// per step that the front spends there.
//
// grow_region keeps one queue per threshold. A voxel is seen once, from the first voxel that reaches it; it
// then waits in the queue of the lowest threshold above its intensity, or goes into the one being worked on
// if that is higher. So the region of each threshold is that of the one before with what its queue adds, and
// no voxel is read twice.
#include "core/flood.h"

#include <algorithm>

#include "core/arena.h"
#include "shared/bits.h"

namespace fg {
namespace {

using Word = std::uint64_t;

// The front of one flood in this step and in the next, and the rows it may move in. All words are 0 but in
// those rows.
struct Front {
  Word* now;
  Word* next;
  std::int64_t* listed_at;  // by row: the step in which it was last put into next_rows
  std::vector<std::int64_t> rows, next_rows;
};

class Flood {
 public:
  Flood(MaskView mask, const std::vector<MaskOut>& out)
      : out_(out),
        ny_(mask.shape.ny),
        n_words_(mask.words_per_row()),
        n_rows_(mask.shape.nz * ny_),
        scratch_(Scratch::cost<Word>(n_rows_ * n_words_) * (1 + 2 * out.size()) +
                 Scratch::cost<std::int64_t>(n_rows_) * out.size()),
        free_(scratch_.take<Word>(n_rows_ * n_words_)) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      fronts_.push_back({scratch_.take<Word>(n_rows_ * n_words_),
                         scratch_.take<Word>(n_rows_ * n_words_),
                         scratch_.take<std::int64_t>(n_rows_),
                         {},
                         {}});
      std::fill_n(fronts_[i].now, n_rows_ * n_words_, Word{0});
      std::fill_n(fronts_[i].listed_at, n_rows_, std::int64_t{-1});
    }
    for (std::int64_t row = 0; row < n_rows_; ++row) {
      std::copy_n(mask.row(row / ny_, row % ny_), n_words_, free_ + row * n_words_);
    }
  }

  // Takes the seeds, and puts those with a free voxel beside them into the first front.
  void start(const std::vector<MaskView>& seeds) {
    for (std::int64_t row = 0; row < n_rows_; ++row) {
      for (std::size_t i = 0; i < seeds.size(); ++i) {
        const Word* seed = seeds[i].row(row / ny_, row % ny_);
        Word* free = free_ + row * n_words_;
        Word* next = fronts_[i].next + row * n_words_;
        Word* out = out_[i].row(row / ny_, row % ny_);
        Word any = 0;
        for (std::int64_t w = 0; w < n_words_; ++w) {
          out[w] = next[w] = seed[w] & free[w];
          free[w] &= ~seed[w];
          any |= next[w];
        }
        if (any) list_around(fronts_[i], row);
      }
    }
  }

  // Moves all fronts by one voxel; false when none moved.
  bool step() {
    ++step_;
    bool moved = false;
    for (Front& front : fronts_) {
      std::swap(front.now, front.next);
      front.rows.swap(front.next_rows);
      front.next_rows.clear();
    }
    for (std::size_t i = 0; i < fronts_.size(); ++i) {
      Front& front = fronts_[i];
      for (std::int64_t row : front.rows) {
        if (move(front, out_[i].row(row / ny_, row % ny_), row)) list_around(front, row);
      }
      // The front stands in rows of this list only; make it blank for the step after the next.
      for (std::int64_t row : front.rows) std::fill_n(front.now + row * n_words_, n_words_, Word{0});
      moved |= !front.next_rows.empty();
    }
    return moved;
  }

 private:
  // Takes the free voxels of the row that the front reaches, and says whether there are any.
  bool move(Front& front, Word* out, std::int64_t row) {
    Word* free = free_ + row * n_words_;
    Word* next = front.next + row * n_words_;
    if (std::all_of(free, free + n_words_, [](Word word) { return word == 0; })) return false;
    const Word* here = front.now + row * n_words_;
    const std::int64_t y = row % ny_;
    // Missing neighbours are read as the row itself, which takes nothing more: its voxels are not free any
    // longer.
    const Word* north = y > 0 ? here - n_words_ : here;
    const Word* south = y + 1 < ny_ ? here + n_words_ : here;
    const Word* below = row >= ny_ ? here - ny_ * n_words_ : here;
    const Word* above = row + ny_ < n_rows_ ? here + ny_ * n_words_ : here;
    Word any = 0;
    for (std::int64_t w = 0; w < n_words_; ++w) {
      if (!free[w]) continue;
      const Word west = here[w] << 1 | (w > 0 ? here[w - 1] >> 63 : 0);
      const Word east = here[w] >> 1 | (w + 1 < n_words_ ? here[w + 1] << 63 : 0);
      const Word taken = (west | east | north[w] | south[w] | below[w] | above[w]) & free[w];
      free[w] &= ~taken;
      out[w] |= taken;
      next[w] = taken;
      any |= taken;
    }
    return any != 0;
  }

  void list_around(Front& front, std::int64_t row) {
    const std::int64_t y = row % ny_;
    list(front, row);
    if (y > 0) list(front, row - 1);
    if (y + 1 < ny_) list(front, row + 1);
    if (row >= ny_) list(front, row - ny_);
    if (row + ny_ < n_rows_) list(front, row + ny_);
  }

  void list(Front& front, std::int64_t row) {
    if (front.listed_at[row] == step_) return;
    front.listed_at[row] = step_;
    front.next_rows.push_back(row);
  }

  const std::vector<MaskOut>& out_;
  std::int64_t ny_, n_words_, n_rows_;
  Scratch scratch_;
  Word* free_;
  std::vector<Front> fronts_;
  std::int64_t step_ = 0;
};

}  // namespace

void geodesic_flood(MaskView mask, const std::vector<MaskView>& seeds, const std::vector<MaskOut>& out) {
  Flood flood(mask, out);
  flood.start(seeds);
  while (flood.step()) {
  }
}

namespace {

// The voxels reached, in one queue per threshold.
template <class T>
class Growth {
 public:
  Growth(VolumeView<const T> volume, const std::vector<std::int64_t>& thresholds, MaskOut seen)
      : volume_(volume), thresholds_(thresholds), seen_(seen), queues_(thresholds.size()) {
    for (std::int64_t z = 0; z < seen.shape.nz; ++z) {
      std::fill_n(seen.plane(z), seen.shape.ny * seen.words_per_row(), Word{0});
    }
  }

  void add_seeds(MaskView seeds) {
    for (std::int64_t z = 0; z < seeds.shape.nz; ++z) {
      for (std::int64_t y = 0; y < seeds.shape.ny; ++y) {
        const Word* row = seeds.row(z, y);
        for (std::int64_t w = 0; w < seeds.words_per_row(); ++w) {
          for (Word left = row[w]; left; left &= left - 1) see(z, y, 64 * w + lowest_one(left), 0);
        }
      }
    }
  }

  // Works off the queue of a threshold; false if the region then has more than max_voxels.
  bool grow(std::size_t level, std::int64_t max_voxels) {
    std::vector<std::int64_t>& queue = queues_[level];
    for (std::size_t i = 0; i < queue.size(); ++i) {
      if (n_voxels_ + static_cast<std::int64_t>(queue.size()) > max_voxels) return false;
      const std::int64_t x = queue[i] % volume_.shape.nx, row = queue[i] / volume_.shape.nx;
      const std::int64_t y = row % volume_.shape.ny, z = row / volume_.shape.ny;
      if (x > 0) see(z, y, x - 1, level);
      if (x + 1 < volume_.shape.nx) see(z, y, x + 1, level);
      if (y > 0) see(z, y - 1, x, level);
      if (y + 1 < volume_.shape.ny) see(z, y + 1, x, level);
      if (z > 0) see(z - 1, y, x, level);
      if (z + 1 < volume_.shape.nz) see(z + 1, y, x, level);
    }
    n_voxels_ += static_cast<std::int64_t>(queue.size());
    return true;
  }

  // Leaves the voxels of the thresholds up to `level` in the mask that was used for those seen.
  void write(std::int64_t level) {
    for (std::int64_t z = 0; z < seen_.shape.nz; ++z) {
      std::fill_n(seen_.plane(z), seen_.shape.ny * seen_.words_per_row(), Word{0});
    }
    for (std::int64_t i = 0; i <= level; ++i) {
      for (std::int64_t voxel : queues_[static_cast<std::size_t>(i)]) {
        const std::int64_t x = voxel % volume_.shape.nx, row = voxel / volume_.shape.nx;
        seen_.row(row / volume_.shape.ny, row % volume_.shape.ny)[x / 64] |= Word{1} << (x % 64);
      }
    }
  }

 private:
  void see(std::int64_t z, std::int64_t y, std::int64_t x, std::size_t level) {
    Word& word = seen_.row(z, y)[x / 64];
    const Word bit = Word{1} << (x % 64);
    if (word & bit) return;
    word |= bit;
    const auto value = static_cast<std::int64_t>(volume_.row(z, y)[x]);
    const auto above = std::upper_bound(thresholds_.begin(), thresholds_.end(), value);
    if (above == thresholds_.end()) return;
    const auto own = static_cast<std::size_t>(above - thresholds_.begin());
    queues_[std::max(level, own)].push_back((z * volume_.shape.ny + y) * volume_.shape.nx + x);
  }

  VolumeView<const T> volume_;
  const std::vector<std::int64_t>& thresholds_;
  MaskOut seen_;
  std::vector<std::vector<std::int64_t>> queues_;
  std::int64_t n_voxels_ = 0;
};

}  // namespace

template <class T>
std::int64_t grow_region(VolumeView<const T> volume, MaskView seeds,
                         const std::vector<std::int64_t>& thresholds, std::int64_t max_voxels, MaskOut out) {
  Growth<T> growth(volume, thresholds, out);
  growth.add_seeds(seeds);
  std::int64_t level = 0;
  const auto n_levels = static_cast<std::int64_t>(thresholds.size());
  while (level < n_levels && growth.grow(static_cast<std::size_t>(level), max_voxels)) ++level;
  growth.write(level - 1);
  return level - 1;
}

#define FG_INSTANTIATE(T)                                                                               \
  template std::int64_t grow_region<T>(VolumeView<const T>, MaskView, const std::vector<std::int64_t>&, \
                                       std::int64_t, MaskOut);
FG_INSTANTIATE(std::int8_t)
FG_INSTANTIATE(std::uint8_t)
FG_INSTANTIATE(std::int16_t)
FG_INSTANTIATE(std::uint16_t)
FG_INSTANTIATE(std::int32_t)

}  // namespace fg
