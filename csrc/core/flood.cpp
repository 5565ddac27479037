// The flood of a mask from seeds, in steps across the faces of voxels.
//
// It works on whole words: a step moves the front of each flood by one voxel in all six directions at once.
// A front is the list of the rows that were reached last, with their words; the rows that a step looks at are
// these and those beside them. Cost: the words of the rows that a front crosses, once per step that the front
// spends there. Scratch: one bit per voxel, and a few numbers per row and flood.
#include "core/flood.h"

#include <algorithm>

#include "core/arena.h"
#include "shared/bits.h"

#define FG_KERNELS "core/flood_rows.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

using Word = std::uint64_t;

// The rows that a flood reached in one step.
class Front {
 public:
  Front(std::int64_t n_rows, std::int64_t n_words)
      : stride_(n_words + 1), none_(n_words + 2, 0), slots_(static_cast<std::size_t>(n_rows), -1) {}

  const std::vector<std::int64_t>& rows() const { return rows_; }

  // The words of a row, with zeros before and behind: all zeros unless it was reached.
  const Word* words(std::int64_t row) const {
    return (slots_[row] < 0 ? none_.data() : words_.data() + slots_[row] * stride_) + 1;
  }

  // Words to be written for the next row; they become its own by `keep`. Those before and behind stay 0.
  Word* next_words() {
    const std::size_t needed = (rows_.size() + 1) * stride_ + 1;
    if (words_.size() < needed) words_.resize(2 * needed, 0);
    return words_.data() + rows_.size() * stride_ + 1;
  }
  void keep(std::int64_t row) {
    slots_[row] = static_cast<std::int64_t>(rows_.size());
    rows_.push_back(row);
  }

  void clear() {
    for (std::int64_t row : rows_) slots_[row] = -1;
    rows_.clear();
  }

 private:
  std::int64_t stride_;
  std::vector<Word> none_, words_;
  std::vector<std::int64_t> slots_, rows_;
};

class Flood {
 public:
  Flood(MaskView mask, const std::vector<MaskView>& seeds, const std::vector<MaskOut>& out)
      : out_(out),
        ny_(mask.shape.ny),
        n_words_(mask.words_per_row()),
        n_rows_(mask.shape.nz * ny_),
        scratch_(Scratch::cost<Word>(n_rows_ * n_words_)),
        free_(scratch_.take<Word>(n_rows_ * n_words_)),
        listed_at_(static_cast<std::size_t>(n_rows_), 0) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      now_.emplace_back(n_rows_, n_words_);
      next_.emplace_back(n_rows_, n_words_);
    }
    for (std::int64_t row = 0; row < n_rows_; ++row) {
      std::copy_n(mask.row(row / ny_, row % ny_), n_words_, free_ + row * n_words_);
      for (std::size_t i = 0; i < out.size(); ++i) {
        take_seed(i, seeds[i].row(row / ny_, row % ny_), row);
      }
    }
  }

  // Moves all fronts by one voxel; false when none moved.
  bool step() {
    const auto move = FG_DISPATCH(move_front);
    bool moved = false;
    for (std::size_t i = 0; i < out_.size(); ++i) {
      std::swap(now_[i], next_[i]);
      next_[i].clear();
      list_around(now_[i]);
      for (std::int64_t row : listed_) {
        const Word* around[5];
        find_around(now_[i], row, around);
        Word* const out = out_[i].row(row / ny_, row % ny_);
        if (move(around, n_words_, free_ + row * n_words_, next_[i].next_words(), out)) next_[i].keep(row);
      }
      moved |= !next_[i].rows().empty();
    }
    return moved;
  }

 private:
  void take_seed(std::size_t i, const Word* seed, std::int64_t row) {
    Word* const free = free_ + row * n_words_;
    Word* const out = out_[i].row(row / ny_, row % ny_);
    Word any = 0;
    for (std::int64_t w = 0; w < n_words_; ++w) {
      out[w] = seed[w] & free[w];
      free[w] &= ~seed[w];
      any |= out[w];
    }
    if (!any) return;
    std::copy_n(out, n_words_, next_[i].next_words());
    next_[i].keep(row);
  }

  // The row itself, then those across its faces; missing ones are the row itself, which takes nothing more:
  // its voxels are not free any longer.
  void find_around(const Front& front, std::int64_t row, const Word** around) const {
    const std::int64_t y = row % ny_;
    around[0] = front.words(row);
    around[1] = y > 0 ? front.words(row - 1) : around[0];
    around[2] = y + 1 < ny_ ? front.words(row + 1) : around[0];
    around[3] = row >= ny_ ? front.words(row - ny_) : around[0];
    around[4] = row + ny_ < n_rows_ ? front.words(row + ny_) : around[0];
  }

  // Lists the rows that a front may move in.
  void list_around(const Front& front) {
    ++n_listings_;
    listed_.clear();
    for (std::int64_t row : front.rows()) {
      const std::int64_t y = row % ny_;
      list(row);
      if (y > 0) list(row - 1);
      if (y + 1 < ny_) list(row + 1);
      if (row >= ny_) list(row - ny_);
      if (row + ny_ < n_rows_) list(row + ny_);
    }
  }

  void list(std::int64_t row) {
    if (listed_at_[row] == n_listings_) return;
    listed_at_[row] = n_listings_;
    listed_.push_back(row);
  }

  const std::vector<MaskOut>& out_;
  std::int64_t ny_, n_words_, n_rows_;
  Scratch scratch_;
  Word* free_;
  std::vector<std::int64_t> listed_at_, listed_;  // by row: in which listing it was last
  std::int64_t n_listings_ = 0;
  std::vector<Front> now_, next_;
};

}  // namespace

void geodesic_flood(MaskView mask, const std::vector<MaskView>& seeds, const std::vector<MaskOut>& out) {
  Flood flood(mask, seeds, out);
  while (flood.step()) {
  }
}

}  // namespace fg
