#include "core/median.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "core/arena.h"
#include "core/parallel.h"
#include "core/simd.h"
#include "core/streaming.h"
#include "shared/bits.h"
#include "shared/rank.h"

namespace fg {
namespace {

constexpr int kBlock = 64;  // bytes; rows are padded to whole blocks, so that inner loops have a fixed length
constexpr int kRing = 8;    // rows and slices of one box, to be told apart by their lowest bits
static_assert(kRing >= kMaxMedianSize && (kRing & (kRing - 1)) == 0, "");

struct Box {
  int size[3], n, needed;
  int before(int axis) const { return size[axis] / 2; }
  int after(int axis) const { return size[axis] - 1 - size[axis] / 2; }
};

// The labels that may occur as base + step[0] + step[1] + …; label v is above the first level_of[v]
// thresholds.
struct Levels {
  int n;
  std::uint8_t base, largest;
  std::uint8_t threshold[255], step[255], level_of[256];
  explicit Levels(const bool (&occurs)[256]) : n(-1), base(0), largest(0), threshold{}, step{}, level_of{} {
    for (int v = 0; v < 256; v++) {
      if (!occurs[v]) continue;
      const std::uint8_t label = static_cast<std::uint8_t>(v);
      if (++n == 0) base = label;
      if (n > 0) {
        threshold[n - 1] = largest;
        step[n - 1] = static_cast<std::uint8_t>(label - largest);
      }
      level_of[v] = static_cast<std::uint8_t>(n);
      largest = label;
    }
  }
};

struct Job {
  VolumeView<const std::uint8_t> labels;
  VolumeView<std::uint8_t> out;
  const Box& box;
  const Levels& levels;
  bool streamed;
};

// A piece of the output, and the input rows and columns that its boxes reach inside the volume.
struct Block {
  std::int64_t z_begin, z_end, y_begin, y_end, x_begin, x_end;
  std::int64_t row_begin, row_end, column_begin, column_end;
};

// Scratch rows of one block; column 0 of each is block.column_begin.
struct Workspace {
  std::int64_t width, n_rows;
  std::int64_t slice_held[kRing];
  std::uint8_t *levels_by_slice, *level, *reach, *counts, *sums, *line, *zeros, *copies;
  std::uint64_t *blocks_by_slice, *blocks, *window;  // bit b: columns from kBlock * b on

  Workspace(const Block& block, int n_levels)
      : width(padded(block.column_end - block.column_begin)),
        n_rows(block.row_end - block.row_begin),
        memory_(static_cast<std::size_t>((kRing + 2) * padded(n_rows) + (kRing + 2) * padded(8 * n_rows) +
                                         (kRing * width + sums_stride()) * n_levels +
                                         (2 + kMaxMedianSize) * width) +
                kBlock) {
    std::fill_n(slice_held, kRing, -1);
    levels_by_slice = take(kRing * padded(n_rows));
    level = take(padded(n_rows));
    reach = take(padded(n_rows));
    blocks_by_slice = memory_.take<std::uint64_t>(kRing * padded(8 * n_rows) / 8);
    blocks = memory_.take<std::uint64_t>(n_rows);
    window = memory_.take<std::uint64_t>(n_rows);
    counts = take(kRing * width * n_levels);
    sums = take(sums_stride() * n_levels);
    line = take(width);
    zeros = take(width);
    copies = take(kMaxMedianSize * width);
    std::fill_n(zeros, width, std::uint8_t{0});
    std::fill_n(copies, kMaxMedianSize * width, std::uint8_t{0});
  }

  // Whether the slice has to be measured: the ring did not hold it, and does from now on.
  bool claim_slice(std::int64_t z) {
    if (slice_held[z % kRing] == z) return false;
    slice_held[z % kRing] = z;
    return true;
  }
  std::uint8_t* row_levels(std::int64_t z) const { return levels_by_slice + z % kRing * n_rows; }
  std::uint64_t* row_blocks(std::int64_t z) const { return blocks_by_slice + z % kRing * n_rows; }
  std::uint8_t* counts_row(int c, std::int64_t y) const { return counts + (c * kRing + y % kRing) * width; }
  // May be written up to a block before its begin and read up to a block after its end.
  std::uint8_t* sums_row(int c) const { return sums + c * sums_stride() + kBlock; }

  // The block's columns of an input row, or a copy of them near the end of the volume: `width` bytes can be
  // read.
  const std::uint8_t* readable_row(const Job& job, const Block& block, std::int64_t z, std::int64_t y,
                                   int k) const {
    const std::uint8_t* row = job.labels.row(z, y) + block.column_begin;
    const std::uint8_t* end = job.labels.voxels + job.labels.shape.count();
    if (end - row >= width) return row;
    std::copy_n(row, block.column_end - block.column_begin, copies + k * width);
    return copies + k * width;
  }

  static std::int64_t padded(std::int64_t n) { return (n + kBlock - 1) / kBlock * kBlock; }

 private:
  std::int64_t sums_stride() const { return width + 2 * kBlock; }
  std::uint8_t* take(std::int64_t n) { return memory_.take<std::uint8_t>(n); }
  Scratch memory_;
};

}  // namespace
}  // namespace fg

#define FG_KERNELS "core/median_rows.inl"
#include "core/foreach_simd.h"

namespace fg {
namespace {

constexpr std::int64_t kCountsBytes =
    1 << 15;  // of the ring of counts, so that it stays in the first level of cache
constexpr std::int64_t kMinColumns = 128, kMaxColumns = 61 * kBlock;  // a word holds a bit per block
constexpr std::int64_t kSlicesBytes = 1 << 18;  // of the slices of a box: half of a second level of cache
constexpr std::int64_t kBlocksPerThread = 4;
constexpr std::int64_t kMinRows = 32;

// The whole output in blocks: about kBlocksPerThread per thread along z, then y; as wide as the counts'
// budget allows.
struct Blocks {
  const Job& job;
  Pieces z, y, x;
  Blocks(const Job& job_, int n_threads)
      : job(job_),
        z(shape().nz, wanted(n_threads) > 1 ? std::min(wanted(n_threads), shape().nz / 8) : 1),
        y(shape().ny, std::min(std::max(wanted(n_threads) / z.n_parts, for_cache()), shape().ny / kMinRows)),
        x(shape().nx, (shape().nx + columns() - 1) / columns()) {}
  std::int64_t count() const { return z.n_parts * y.n_parts * x.n_parts; }
  Block operator[](std::int64_t i) const {
    const std::int64_t k = i % x.n_parts, j = i / x.n_parts % y.n_parts, s = i / x.n_parts / y.n_parts;
    Block b{z.begin(s), z.begin(s + 1), y.begin(j), y.begin(j + 1), x.begin(k), x.begin(k + 1), 0, 0, 0, 0};
    b.row_begin = std::max<std::int64_t>(0, b.y_begin - job.box.before(1));
    b.row_end = std::min(shape().ny, b.y_end + job.box.after(1));
    b.column_begin = std::max<std::int64_t>(0, b.x_begin - job.box.before(2));
    b.column_end = std::min(shape().nx, b.x_end + job.box.after(2));
    return b;
  }

 private:
  const Shape& shape() const { return job.labels.shape; }
  static std::int64_t wanted(int n_threads) { return n_threads == 1 ? 1 : kBlocksPerThread * n_threads; }
  std::int64_t for_cache() const {
    return shape().ny * std::min(shape().nx, columns()) * job.box.size[0] / kSlicesBytes;
  }
  std::int64_t columns() const {
    return std::clamp(kCountsBytes / (std::clamp(job.levels.n, 1, 7) * job.box.size[1]), kMinColumns,
                      kMaxColumns);
  }
};

// False if a label is above all levels.
bool filter_volume(Job job, int n_threads) {
  const Blocks blocks(job, n_threads);
  const std::int64_t nx = job.out.shape.nx;
  job.streamed =
      blocks.x.n_parts == 1 && nx % 16 == 0 && should_stream(job.out.voxels, job.out.shape.count());
  std::atomic<bool> covered{true};
  parallel_for(blocks.count(), n_threads, [&](std::int64_t i, int) {
    if (!covered) return;
    const Block block = blocks[i];
    Workspace work(block, job.levels.n);
    if (!FG_DISPATCH(filter_block)(job, block, work)) covered = false;
    if (job.streamed) end_stream();
  });
  return covered;
}

Levels levels_in(VolumeView<const std::uint8_t> labels, int n_threads) {
  const Pieces pieces(labels.shape.count(), n_threads);
  bool occurs[256] = {};
  std::mutex mutex;
  parallel_for(pieces.n_parts, n_threads, [&](std::int64_t i, int) {
    bool here[256] = {};
    const std::uint8_t* const end = labels.voxels + pieces.begin(i + 1);
    for (const std::uint8_t* v = labels.voxels + pieces.begin(i); v < end; v++) {
      here[*v] = true;
      while (end - v > 8 && std::memcmp(v, v + 1, 8) == 0) v += 8;  // over stretches of one label
    }
    std::lock_guard<std::mutex> lock(mutex);
    for (int v = 0; v < 256; v++) occurs[v] |= here[v];
  });
  return Levels(occurs);
}

}  // namespace

void median_filter(VolumeView<const std::uint8_t> labels, const int (&size)[3], VolumeView<std::uint8_t> out,
                   int n_threads) {
  if (labels.shape.count() == 0) return;
  const int n = size[0] * size[1] * size[2];
  const Box box{{size[0], size[1], size[2]}, n, majority(n)};
  const bool few[256] = {true, true, true, true, true, true, true, true};
  if (filter_volume({labels, out, box, Levels(few), false}, n_threads)) return;
  filter_volume({labels, out, box, levels_in(labels, n_threads), false}, n_threads);
}

}  // namespace fg
