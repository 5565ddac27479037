// Regions below rising thresholds, grown row by row.
//
// A row that something beside it was taken in waits in a list; when its turn comes, all its runs below the
// threshold that are touched are taken at once (take_reached), and the rows beside what was taken are listed.
// Voxels are compared with the threshold where a run is touched only. For the next threshold all rows seen so
// far are listed again: they hold the region and its rim. Cost: per threshold a few visits of each row that
// the region has or touches, and one read of the voxels at its surface. Scratch: one bit per voxel.
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "core/arena.h"
#include "core/flood.h"
#include "shared/bits.h"

#define FG_KERNELS "core/grow_region_rows.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

using Word = std::uint64_t;

template <class T>
class Growth {
 public:
  Growth(VolumeView<const T> volume, MaskView seeds)
      : volume_(volume),
        seeds_(seeds),
        ny_(volume.shape.ny),
        n_words_(seeds.words_per_row()),
        n_rows_(volume.shape.nz * ny_),
        scratch_(Scratch::cost<Word>(n_rows_ * n_words_) + 2 * Scratch::cost<Word>(n_words_)),
        taken_(scratch_.take<Word>(n_rows_ * n_words_)),
        fresh_(scratch_.take<Word>(n_words_)),
        open_(scratch_.take<Word>(n_words_)),
        state_(static_cast<std::size_t>(n_rows_), 0) {
    std::fill_n(taken_, n_rows_ * n_words_, Word{0});
    for (std::int64_t row = 0; row < n_rows_; ++row) {
      const Word* const words = seeds.row(row / ny_, row % ny_);
      if (std::any_of(words, words + n_words_, [](Word word) { return word != 0; })) see(row);
    }
  }

  // Grows the region below a threshold; false as soon as it has more than max_voxels.
  bool grow(std::int64_t threshold, std::int64_t max_voxels) {
    if (threshold <= std::numeric_limits<T>::min()) return true;
    const T top = static_cast<T>(std::min<std::int64_t>(threshold - 1, std::numeric_limits<T>::max()));
    const auto take = FG_DISPATCH(take_reached<T>);
    std::vector<std::int64_t> now, later = seen_;
    for (std::int64_t row : seen_) state_[row] |= kListed;
    while (!later.empty()) {
      now.swap(later);
      later.clear();
      for (std::int64_t row : now) {
        state_[row] &= ~kListed;
        const Word* around[5];
        find_around(row, around);
        const std::int64_t z = row / ny_, y = row % ny_;
        const std::int64_t n = take(volume_.row(z, y), volume_.shape.nx, top, around, seeds_.row(z, y),
                                    n_words_, taken_ + row * n_words_, fresh_, open_);
        n_voxels_ += n;
        if (n_voxels_ > max_voxels) return false;
        if (n > 0) list_around(row, around, later);
      }
    }
    return true;
  }

  // Copies the region to `out`; rows not seen are left alone.
  void write(const MaskOut& out) const {
    for (std::int64_t row : seen_)
      std::copy_n(taken_ + row * n_words_, n_words_, out.row(row / ny_, row % ny_));
  }

 private:
  static constexpr std::uint8_t kSeen = 1, kListed = 2;

  // The row itself, then those across its faces; missing ones are the row itself, which reaches nothing new.
  void find_around(std::int64_t row, const Word** around) const {
    const Word* const here = taken_ + row * n_words_;
    const std::int64_t y = row % ny_;
    around[0] = here;
    around[1] = y > 0 ? here - n_words_ : here;
    around[2] = y + 1 < ny_ ? here + n_words_ : here;
    around[3] = row >= ny_ ? here - ny_ * n_words_ : here;
    around[4] = row + ny_ < n_rows_ ? here + ny_ * n_words_ : here;
  }

  // Lists the rows beside it that lack a voxel across a face from what was taken last.
  void list_around(std::int64_t row, const Word* const* around, std::vector<std::int64_t>& rows) {
    const std::int64_t steps[] = {0, -1, 1, -ny_, ny_};
    for (int i = 1; i < 5; ++i) {
      const std::int64_t near = row + steps[i];
      if (around[i] == around[0] || state_[near] & kListed) continue;
      Word missing = 0;
      for (std::int64_t w = 0; w < n_words_; ++w) missing |= fresh_[w] & ~around[i][w];
      if (!missing) continue;
      see(near);
      state_[near] |= kListed;
      rows.push_back(near);
    }
  }

  void see(std::int64_t row) {
    if (state_[row] & kSeen) return;
    state_[row] |= kSeen;
    seen_.push_back(row);
  }

  VolumeView<const T> volume_;
  MaskView seeds_;
  std::int64_t ny_, n_words_, n_rows_;
  Scratch scratch_;
  Word *taken_, *fresh_, *open_;
  std::vector<std::uint8_t> state_;
  std::vector<std::int64_t> seen_;
  std::int64_t n_voxels_ = 0;
};

}  // namespace

template <class T>
std::int64_t grow_region(VolumeView<const T> volume, MaskView seeds,
                         const std::vector<std::int64_t>& thresholds, std::int64_t max_voxels, MaskOut out) {
  clear(out);
  Growth<T> growth(volume, seeds);
  std::int64_t level = 0;
  while (level < static_cast<std::int64_t>(thresholds.size()) && growth.grow(thresholds[level], max_voxels)) {
    growth.write(out);
    ++level;
  }
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
