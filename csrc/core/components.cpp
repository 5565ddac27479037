#include "core/components.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <vector>

#include "core/arena.h"
#include "core/parallel.h"
#include "shared/runs.h"
#include "shared/union_find.h"

namespace fg {
namespace {

// Row z * ny + y, walking upwards.
struct RowCursor {
  std::int64_t ny, index, z, y;
  RowCursor(std::int64_t ny_, std::int64_t row)
      : ny(ny_), index(row), z(ny ? row / ny : 0), y(ny ? row % ny : 0) {}
  void next() {
    index++;
    if (++y == ny) {
      y = 0;
      z++;
    }
  }
};

struct Neighbours {
  NeighbourRow rows[4];
  int n_rows;
  explicit Neighbours(int connectivity) : rows{}, n_rows(count_neighbour_rows(connectivity)) {
    for (int i = 0; i < n_rows; i++) rows[i] = neighbour_row(i, connectivity);
  }
  const NeighbourRow* begin() const { return rows; }
  const NeighbourRow* end() const { return rows + n_rows; }
};

// Consecutive rows that one thread labels by itself. Runs and components are numbered from 0 within the slab.
template <class Index>
struct Slab {
  std::int64_t row_begin, row_end;
  Index* first_run;       // per row, and one more
  Index* component;       // per run
  Index first_component;  // of the slab, among those of all slabs
  Index n_components;
};

// A row and its runs' first bits, with the number of the last run that starts in a word before each.
template <class Index>
struct MarkedRow {
  const std::uint64_t* words;
  std::uint64_t* starts;
  Index* last_before;
};

// The marks of the rows that the row at hand looks back at: as many as a plane has, and two.
template <class Index>
class MarkedRows {
 public:
  explicit MarkedRows(const MaskView& mask)
      : n_words_(mask.words_per_row()),
        n_rows_(mask.shape.ny + 2),
        memory_(Scratch::cost<std::uint64_t>((n_rows_ + 1) * n_words_) +
                Scratch::cost<Index>(n_rows_ * n_words_)),
        starts_(memory_.take<std::uint64_t>((n_rows_ + 1) * n_words_)),
        last_before_(memory_.take<Index>(n_rows_ * n_words_)),
        zeros(starts_ + n_rows_ * n_words_) {
    std::fill_n(starts_ + n_rows_ * n_words_, n_words_, std::uint64_t{0});
  }
  MarkedRow<Index> at(const std::uint64_t* words, std::int64_t row) const {
    const std::int64_t at = row % n_rows_ * n_words_;
    return {words, starts_ + at, last_before_ + at};
  }

 private:
  std::int64_t n_words_, n_rows_;
  Scratch memory_;
  std::uint64_t* starts_;
  Index* last_before_;

 public:
  const std::uint64_t* const zeros;  // a row without a voxel
};

// Two rows: a voxel set in both links them.
struct RowPair {
  const std::uint64_t *a, *b;
};

}  // namespace
}  // namespace fg

#define FG_KERNELS "core/components_rows.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

constexpr std::int64_t kSlabsPerThread = 4;
constexpr std::int64_t kMinSlabPlanes = 4;

// Equal runs of rows, each at least as long as the way back to the farthest neighbour row.
Pieces cut_into_slabs(const Shape& shape, int n_threads) {
  const std::int64_t rows = shape.nx == 0 ? 0 : shape.nz * shape.ny;
  const std::int64_t min_rows = shape.nz > 1 ? kMinSlabPlanes * (shape.ny + 1) : 64;
  const std::int64_t wanted = n_threads == 1 ? 1 : kSlabsPerThread * n_threads;
  return Pieces(rows, std::min(wanted, rows / min_rows));
}

template <class Index>
class Runs final : public ComponentRuns {
 public:
  Runs(MaskView mask, const Neighbours& neighbours, int n_threads, const Pieces& pieces,
       const std::vector<std::int64_t>& n_runs)
      : mask_(mask), n_threads_(n_threads) {
    label_slabs(neighbours, pieces, n_runs);
    join_slabs(neighbours);
  }

  Shape shape() const override { return mask_.shape; }
  std::int64_t n_components() const override { return n_components_; }

  void write_table(ComponentRecord* table) const override {
    constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
    const ComponentRecord empty{0, 0, {kFar, kFar, kFar}, {0, 0, 0}, {}};
    std::fill_n(table, n_components_, empty);
    std::mutex mutex;
    each_slab([&](const Slab<Index>& slab) {
      Scratch scratch(Scratch::cost<ComponentRecord>(slab.n_components));
      ComponentRecord* records = scratch.take<ComponentRecord>(slab.n_components);
      std::fill_n(records, slab.n_components, empty);
      FG_DISPATCH(tally_slab<Index>)(mask_, slab, records);
      std::lock_guard<std::mutex> lock(mutex);
      for (Index c = 0; c < slab.n_components; c++)
        add_record(table[number_[slab.first_component + c]], records[c]);
    });
    for (std::int64_t c = 0; c < n_components_; c++) table[c].label = c + 1;
  }

  void select(const bool* keep, MaskOut out) const override {
    each_slab([&](const Slab<Index>& slab) {
      Scratch scratch(Scratch::cost<bool>(slab.n_components));
      bool* keep_here = scratch.take<bool>(slab.n_components);
      for (Index c = 0; c < slab.n_components; c++) keep_here[c] = keep[number_[slab.first_component + c]];
      FG_DISPATCH(select_slab<Index>)(mask_, slab, keep_here, out);
    });
  }

  void write_labels(VolumeView<std::int32_t> out) const override { write_labels_as(out); }
  void write_labels(VolumeView<std::int64_t> out) const override { write_labels_as(out); }

 private:
  void label_slabs(const Neighbours& neighbours, const Pieces& pieces,
                   const std::vector<std::int64_t>& n_runs) {
    const std::int64_t n_slabs = pieces.n_parts;
    std::size_t bytes = 0;
    for (std::int64_t s = 0; s < n_slabs; s++)
      bytes +=
          Scratch::cost<Index>(pieces.begin(s + 1) - pieces.begin(s) + 1) + Scratch::cost<Index>(n_runs[s]);
    run_memory_.emplace(bytes);
    for (std::int64_t s = 0; s < n_slabs; s++) {
      const std::int64_t begin = pieces.begin(s), end = pieces.begin(s + 1);
      Index* first_run = run_memory_->take<Index>(end - begin + 1);
      slabs_.push_back({begin, end, first_run, run_memory_->take<Index>(n_runs[s]), 0, 0});
    }
    parallel_for(n_slabs, n_threads_, [&](std::int64_t s, int) {
      const MarkedRows<Index> marked(mask_);
      FG_DISPATCH(label_slab<Index>)(mask_, neighbours, slabs_[s], marked);
    });
  }

  // Seams are joined in rounds (1-2 3-4 5-6 …, then 2-3 6-7 …, then 4-5 …), so that no two touch the same
  // sets.
  void join_slabs(const Neighbours& neighbours) {
    Index n = 0;
    for (Slab<Index>& slab : slabs_) {
      slab.first_component = n;
      n += slab.n_components;
    }
    number_memory_.emplace(Scratch::cost<Index>(n));
    number_ = number_memory_->take<Index>(n);
    for (Index c = 0; c < n; c++) number_[c] = c;
    const std::int64_t n_slabs = static_cast<std::int64_t>(slabs_.size());
    for (std::int64_t width = 1; width < n_slabs; width *= 2) {
      parallel_for((n_slabs + width - 1) / (2 * width), n_threads_, [&](std::int64_t i, int) {
        const std::int64_t s = (2 * i + 1) * width;
        FG_DISPATCH(join_slabs<Index>)(mask_, neighbours, slabs_[s - 1], slabs_[s], number_);
      });
    }
    n_components_ = number_sets(number_, n);
  }

  template <class Visit>
  void each_slab(const Visit& visit) const {
    parallel_for(static_cast<std::int64_t>(slabs_.size()), n_threads_,
                 [&](std::int64_t s, int) { visit(slabs_[s]); });
  }

  static void add_record(ComponentRecord& total, const ComponentRecord& part) {
    total.n_voxels += part.n_voxels;
    for (int axis = 0; axis < 3; axis++) {
      total.begin[axis] = std::min(total.begin[axis], part.begin[axis]);
      total.end[axis] = std::max(total.end[axis], part.end[axis]);
      for (int face = 0; face < 2; face++) total.contact[axis][face] += part.contact[axis][face];
    }
  }

  template <class Label>
  void write_labels_as(VolumeView<Label> out) const {
    each_slab([&](const Slab<Index>& slab) {
      FG_DISPATCH(write_slab<Index, Label>)(mask_, slab, number_ + slab.first_component, out);
    });
  }

  MaskView mask_;
  int n_threads_;
  std::vector<Slab<Index>> slabs_;
  std::optional<Scratch> run_memory_, number_memory_;
  Index* number_ = nullptr;  // per component of each slab: its number in the volume
  std::int64_t n_components_ = 0;
};

}  // namespace

std::unique_ptr<ComponentRuns> find_components(MaskView mask, int connectivity, int n_threads, bool wide) {
  const Neighbours neighbours(connectivity);
  const Pieces pieces = cut_into_slabs(mask.shape, n_threads);
  std::vector<std::int64_t> n_runs(pieces.n_parts);
  parallel_for(pieces.n_parts, n_threads, [&](std::int64_t s, int) {
    FG_DISPATCH(count_runs)(mask, pieces.begin(s), pieces.begin(s + 1), &n_runs[s]);
  });
  std::int64_t total = 0;
  for (std::int64_t n : n_runs) total += n;
  if (wide || total > std::numeric_limits<std::int32_t>::max())
    return std::make_unique<Runs<std::int64_t>>(mask, neighbours, n_threads, pieces, n_runs);
  return std::make_unique<Runs<std::int32_t>>(mask, neighbours, n_threads, pieces, n_runs);
}

}  // namespace fg
