// Opening with the 6-neighbour cross as a wavefront.
//
// While one slice enters, every step of erosion and dilation takes the slice that has just become possible,
// so that the mask is read once and written once, and nothing else is stored than three slices per step. A
// task is a block of rows and slices; its surroundings, as wide as there are steps, are worked out again.
// Slices without a voxel cost nothing. Many iterations take several such passes.
//
// Cost: 2 * iterations word steps per 64 voxels; memory per thread about 256 KiB.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "core/arena.h"
#include "core/morphology.h"
#include "core/parallel.h"
#include "shared/bits.h"

#define FG_KERNELS "core/morphology_cross_rows.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

constexpr int kStepsPerPass = 8;
constexpr std::int64_t kRingBytes = 1 << 18;  // of one task: within the second-level cache
constexpr std::int64_t kMinRows = 32;
constexpr std::int64_t kTasksPerThread = 3;
constexpr std::int64_t kMinSlices = 32;

using Words = std::uint64_t;

// The steps first_step .. first_step + n_steps - 1 of an opening whose first `iterations` steps erode.
struct Pass {
  std::int64_t iterations, first_step;
  int n_steps;
  bool erodes(int step) const { return first_step + step < iterations; }
};

struct Block {
  std::int64_t z0, z1, y0, y1;
};

// One task of a pass. Slices of a step are numbered as in the volume; step 0 is the input.
class Wavefront {
 public:
  Wavefront(const MaskView& mask, const MaskOut& out, const Pass& pass, const Block& block)
      : mask_(mask),
        out_(out),
        pass_(pass),
        block_(block),
        stride_(mask.words_per_row() + 1),
        first_row_(std::max<std::int64_t>(0, block.y0 - pass.n_steps)),
        n_rows_(std::min(mask.shape.ny, block.y1 + pass.n_steps) - first_row_),
        plane_((n_rows_ + 2) * stride_ + 1),
        scratch_((3 * (pass.n_steps + 1) + 2) * Scratch::cost<Words>(plane_)) {
    const std::size_t n_slots = 3 * (pass.n_steps + 1);
    for (std::size_t i = 0; i < n_slots; ++i) slots_.push_back(new_plane());
    zeros_ = new_plane();
    valid_ = new_plane();
    slices_.assign(n_slots, zeros_);
    for (std::int64_t y = 0; y < n_rows_; ++y) {
      for (std::int64_t w = 0; w + 1 < stride_; ++w) {
        valid_[row_at(y) + w] =
            low_ones(static_cast<int>(std::min<std::int64_t>(64, mask.shape.nx - 64 * w)));
      }
    }
  }

  void run() {
    const int n_steps = pass_.n_steps;
    for (std::int64_t entering = block_.z0 - n_steps; entering < block_.z1 + n_steps; ++entering) {
      load(entering);
      for (int step = 1; step <= n_steps; ++step) {
        const std::int64_t z = entering - step, margin = n_steps - step;
        if (z >= block_.z0 - margin && z < block_.z1 + margin) take_step(step, z);
      }
      const std::int64_t done = entering - n_steps;
      if (done >= block_.z0) store(done);
    }
  }

 private:
  Words* new_plane() {
    Words* const plane = scratch_.take<Words>(plane_);
    std::memset(plane, 0, plane_ * sizeof(Words));
    return plane;
  }
  // Plane position of row first_row_ + y; a zero word and a zero row lie before the first, a zero row after
  // the last.
  std::int64_t row_at(std::int64_t y) const { return 1 + (y + 1) * stride_; }
  static std::int64_t slot(int step, std::int64_t z) { return 3 * step + (z % 3 + 3) % 3; }
  bool is_inside(std::int64_t z) const { return z >= 0 && z < mask_.shape.nz; }

  void load(std::int64_t z) {
    const std::int64_t to = slot(0, z);
    slices_[to] = zeros_;
    if (!is_inside(z)) return;
    const Words any = FG_DISPATCH(copy_rows)(mask_.row(z, first_row_), stride_ - 1, n_rows_, stride_ - 1,
                                             stride_, slots_[to] + row_at(0));
    if (any) slices_[to] = slots_[to];
  }

  void take_step(int step, std::int64_t z) {
    const bool erodes = pass_.erodes(step - 1);
    const Words* const front = slices_[slot(step - 1, z - 1)];
    const Words* const mid = slices_[slot(step - 1, z)];
    const Words* const back = slices_[slot(step - 1, z + 1)];
    const int n_empty = (front == zeros_) + (mid == zeros_) + (back == zeros_);
    const std::int64_t to = slot(step, z), margin = pass_.n_steps - step;
    slices_[to] = zeros_;
    if (!is_inside(z) || n_empty == 3 || (erodes && n_empty > 0)) return;
    const std::int64_t from = row_at(std::max(first_row_, block_.y0 - margin) - first_row_);
    const std::int64_t end = row_at(std::min(first_row_ + n_rows_, block_.y1 + margin) - first_row_);
    const auto apply = erodes ? FG_DISPATCH(erode_words) : FG_DISPATCH(dilate_words);
    const Words any =
        apply(front + from, mid + from, back + from, valid_ + from, stride_, end - from, slots_[to] + from);
    if (any) slices_[to] = slots_[to];
  }

  void store(std::int64_t z) {
    const Words* const slice = slices_[slot(pass_.n_steps, z)];
    FG_DISPATCH(copy_rows)(slice + row_at(block_.y0 - first_row_), stride_, block_.y1 - block_.y0,
                           stride_ - 1, stride_ - 1, out_.row(z, block_.y0));
  }

  const MaskView& mask_;
  const MaskOut& out_;
  const Pass& pass_;
  const Block block_;
  const std::int64_t stride_, first_row_, n_rows_, plane_;  // in words, rows, rows, words
  Scratch scratch_;
  std::vector<Words*> slots_;         // three planes per step
  std::vector<const Words*> slices_;  // what the slot of a step and slice holds: its plane, or zeros_
  Words* zeros_;
  Words* valid_;
};

void run_pass(const MaskView& mask, const MaskOut& out, const Pass& pass, int n_threads) {
  const Shape& shape = mask.shape;
  const std::int64_t row_bytes =
      3 * (pass.n_steps + 1) * (mask.words_per_row() + 1) * std::int64_t{sizeof(Words)};
  const std::int64_t rows = std::max(kMinRows, kRingBytes / row_bytes - 2 * pass.n_steps);
  const Pieces blocks(shape.ny, (shape.ny + rows - 1) / rows);
  const std::int64_t wanted = (kTasksPerThread * n_threads + blocks.n_parts - 1) / blocks.n_parts;
  const Pieces slabs(shape.nz, std::min(n_threads > 1 ? wanted : 1, shape.nz / kMinSlices));
  parallel_for(blocks.n_parts * slabs.n_parts, n_threads, [&](std::int64_t task, int) {
    const std::int64_t slab = task % slabs.n_parts, block = task / slabs.n_parts;
    Wavefront(mask, out, pass,
              {slabs.begin(slab), slabs.begin(slab + 1), blocks.begin(block), blocks.begin(block + 1)})
        .run();
  });
}

}  // namespace

void open_cross(MaskView mask, std::int64_t iterations, MaskOut out, int n_threads) {
  const Shape& shape = mask.shape;
  if (std::min({shape.nz, shape.ny, shape.nx}) < 2 * iterations + 1)
    return clear(out);  // nothing survives erosion
  const Pieces passes(2 * iterations, (2 * iterations + kStepsPerPass - 1) / kStepsPerPass);
  const std::int64_t plane = padded_plane(shape.ny * mask.words_per_row());
  Scratch scratch(passes.n_parts > 1 ? Scratch::cost<Words>(shape.nz * plane) : 0);
  const MaskOut spare{passes.n_parts > 1 ? scratch.take<Words>(shape.nz * plane) : nullptr, shape, plane};
  for (std::int64_t i = 0; i < passes.n_parts; ++i) {
    const MaskOut& target = (passes.n_parts - i) % 2 == 1 ? out : spare;
    const std::int64_t first_step = passes.begin(i);
    const Pass pass{iterations, first_step, static_cast<int>(passes.begin(i + 1) - first_step)};
    run_pass(mask, target, pass, n_threads);
    mask = {target.words, shape, target.plane_stride};
  }
}

}  // namespace fg
