// Median of labels in bit slices: 32 voxels a word, labels and counts as words of their bits.
//
// A block owns a tile of kOutX x kOutY x tile_nz voxels. The labels of the tile and its surroundings become
// kPlanes words for every 32 of a row (bits of the label), in shared memory; a tile with one value, which
// most are, is filled at once. For each value v that occurs but the highest, the median is above v exactly if
// at least n - n / 2 of the box's n labels are (shared/rank.h):
//   add_along_x   bit x of a word is label > v, from the planes by one operation each; the words of the row's
//                 sx voxels are added up to numbers of 3 bits, in shared memory
//   count_boxes   a thread takes 32 voxels of a row and goes through the slices: adds up sy rows, and sz
//                 slices, by sums of two and of four that it keeps, where the box is 4 x 4 x 4
// and where the median is above v, the result becomes the next value that occurs. Where labels above 7 occur,
// they are ranked, seven values a round. All sizes and values go the same way.
//
// Rows whose values are all above v or all not above it are not counted, and boxes of such rows are not added
// up: each row's values are known from its planes, those of a warp's boxes once a tile.
//
// Cost of 32 voxels, 4 x 4 x 4: of what is loaded (1.6 times the tile), 20 instructions where labels are
// equal and 90 where not; for each value that occurs but the highest 75 a row loaded and 90 a row of the
// tile, as far as they are mixed; to store bytes, 70. Measured on an NVIDIA H200 before rows were left out,
// six labels in lungs of 14 % of 512 x 512 x 827: 0.31 ms (tiles of 8 rows 0.36, of 32 0.35, of 4 slices
// 0.36), of which 0.10 are the bytes moved; 30.5e6 instructions of warps for 512 x 512 x 128, 0.9 a voxel.
#include "cuda/label_ranks.h"
#include "cuda/label_tile.h"

namespace fg {

// Whether some of the values are above one, and whether some are not.
__device__ __forceinline__ bool some_above(unsigned values, int value) {
  return values >> value > 1;
}
__device__ __forceinline__ bool some_below(unsigned values, int value) {
  return (values & ((2u << value) - 1)) != 0;
}

// How many of the sx voxels about each of a row's are above a value.
template <int kSize>
__device__ __forceinline__ Planes count_along_x(const Tile& tile, const Shared& shared, int row, int w,
                                                int value) {
  const int at = row * kRowWords;
  const unsigned left = above(shared.get(shared.planes, kRowWords, at + (w ? w - 1 : kWords)), value);
  const unsigned word = above(shared.get(shared.planes, kRowWords, at + w), value);
  const unsigned right = above(shared.get(shared.planes, kRowWords, at + w + 1), value);
  Counts<1> one[kSize ? kSize : 1];
  Planes sum;
#pragma unroll
  for (int k = 0; k < tile.sx; k++) {
    const int before = tile.sx / 2 - k;
    unsigned& bits = one[kSize ? k : 0].bit[0];
    bits = before > 0 ? __funnelshift_r(left, word, 32 - before) : __funnelshift_r(word, right, -before);
    if (!kSize) sum.add(one[0]);
  }
  if constexpr (kSize == 4) sum = one[0].plus(one[1]).plus(one[2].plus(one[3]));
  return sum;
}

template <int kSize>
__device__ __forceinline__ void add_along_x(const Tile& tile, const Shared& shared, int value) {
  const int w = threadIdx.x % kWords;
  for (int row = threadIdx.x / kWords; row < tile.n_rows(); row += kThreads / kWords) {
    const unsigned held = shared.held[row];
    Planes sum;
    if (some_above(held, value) && some_below(held, value)) {
      sum = count_along_x<kSize>(tile, shared, row, w, value);
    } else {
      const int all = some_above(held, value) ? tile.sx : 0;
#pragma unroll
      for (int b = 0; b < kPlanes; b++) sum.bit[b] = 0u - (all >> b & 1);
    }
    shared.set(shared.sums, kWords, row * kWords + w, sum);
  }
}

// A thread's words of the result: for kOutZ slices, the ranks of 32 voxels.
using Ranks = Planes[kOutZ];

// Where the median is above a value it becomes the next.
__device__ __forceinline__ void raise(Planes& ranks, unsigned passed, int next) {
#pragma unroll
  for (int b = 0; b < kPlanes; b++) {
    const unsigned bit = 0u - (next >> b & 1);
    ranks.bit[b] = (passed & bit) | (~passed & ranks.bit[b]);
  }
}

// Slices of the tile, as bits, in which the boxes of a warp's rows have labels above a value and others, and
// in which they have no others.
struct Slices {
  unsigned mixed, full;
};

// Boxes of 4 x 4 x 4.
__device__ __forceinline__ void count_boxes_of_4(const Tile& tile, const Shared& shared, Slices slices,
                                                 int next, Ranks& ranks) {
  const int y = threadIdx.x / kWords, w = threadIdx.x % kWords;
  const unsigned two_of = slices.mixed | slices.mixed << 1, needed = two_of | two_of << 2;
  Counts<5> slice;
  Counts<6> two[2];  // sums of the last two slices, and of the two before the last
#pragma unroll
  for (int z = 0; z < kOutZ + 3; z++) {
    if (needed >> z & 1) {
      const int at = (z * tile.rows_y() + y) * kWords + w;
      const auto row = [&](int j) { return shared.get(shared.sums, kWords, at + j * kWords); };
      const Counts<5> now = row(0).plus(row(1)).plus(row(2).plus(row(3)));
      const Counts<6> pair = slice.plus(now);
      if (z >= 3 && slices.mixed >> (z - 3) & 1) {
        raise(ranks[z >= 3 ? z - 3 : 0], two[z % 2].plus(pair).at_least(32), next);
      }
      two[z % 2] = pair;
      slice = now;
    }
  }
}

__device__ __forceinline__ void count_boxes(const Tile& tile, const Shared& shared, Slices slices, int next,
                                            Ranks& ranks) {
  const int y = threadIdx.x / kWords, w = threadIdx.x % kWords;
  const int least = majority(tile.sz * tile.sy * tile.sx);
#pragma unroll
  for (int z = 0; z < kOutZ; z++) {
    if (!(slices.mixed >> z & 1)) continue;
    Counts<9> box;  // up to 7^3
    for (int i = 0; i < tile.sz; i++) {
      Counts<6> slice;
      for (int j = 0; j < tile.sy; j++) {
        slice.add(shared.get(shared.sums, kWords, ((z + i) * tile.rows_y() + y + j) * kWords + w));
      }
      box.add(slice);
    }
    raise(ranks[z], box.at_least(least), next);
  }
}

// The values in the boxes of the warp's rows, in a slice for each lane.
__device__ __forceinline__ unsigned values_of_boxes(const Tile& tile, const Shared& shared) {
  const int z = lane_index(), y = static_cast<int>(threadIdx.x) / kWarp * (kWarp / kWords);
  unsigned values = 0;
  for (int i = 0; i < tile.sz && z < tile.nz; i++) {
    for (int j = 0; j < tile.sy + kWarp / kWords - 1; j++)
      values |= shared.held[(z + i) * tile.rows_y() + y + j];
  }
  return values;
}

// The medians of planes whose values are told as bits; they take the place of the sums.
template <int kSize>
__device__ __forceinline__ void filter(const Tile& tile, const Shared& shared, unsigned values) {
  Ranks ranks;
  const unsigned boxes = values_of_boxes(tile, shared);
  int value = __ffs(static_cast<int>(values)) - 1;
#pragma unroll
  for (int z = 0; z < kOutZ; z++) raise(ranks[z], ~0u, value);
  for (unsigned left = values & (values - 1); left; left &= left - 1) {
    const int next = __ffs(static_cast<int>(left)) - 1;
    add_along_x<kSize>(tile, shared, value);
    const unsigned some = __ballot_sync(kAllLanes, some_above(boxes, value));
    const unsigned others = __ballot_sync(kAllLanes, some_below(boxes, value));
    const Slices slices = {some & others, some & ~others};
    __syncthreads();
    if constexpr (kSize == 4) count_boxes_of_4(tile, shared, slices, next, ranks);
    if constexpr (kSize == 0) count_boxes(tile, shared, slices, next, ranks);
#pragma unroll
    for (int z = 0; z < kOutZ; z++) {
      if (slices.full >> z & 1) raise(ranks[z], ~0u, next);
    }
    __syncthreads();
    value = next;
  }
#pragma unroll
  for (int z = 0; z < kOutZ; z++) {
    if (z < tile.nz) shared.set(shared.sums, kWords, z * kThreads + static_cast<int>(threadIdx.x), ranks[z]);
  }
}

template <int kSize>
__device__ __forceinline__ void filter_tile(const Labels& source, const Tile& tile, const Shared& shared,
                                            unsigned char* out) {
  bool ranked = false;
  for (int n = 0, base = 0; base == 0 || base + 1 < n;) {
    if (threadIdx.x < 9) shared.occurs[threadIdx.x] = 0;  // the last: values below kRanks
    __syncthreads();
    const Seen seen = load_planes(source, tile, shared, ranked ? shared.table : nullptr);
    atomicOr(shared.occurs + 8, seen.values);
    if (__syncthreads_or((seen.bits & ~(kLowBits * (kRanks - 1))) != 0) && !ranked) {
      n = list_values(source, tile, shared);
      rank_labels(shared, n, 0);
      ranked = true;
      __syncthreads();
      continue;
    }
    const unsigned values = shared.occurs[8];
    if (!ranked && !(values & (values - 1))) {
      fill_tile(source, tile, static_cast<unsigned>(__ffs(static_cast<int>(values))) - 1, out);
      return;
    }
    filter<kSize>(tile, shared, values);
    __syncthreads();
    store_tile(source, tile, shared, ranked ? shared.told : nullptr, base == 0, out);
    base += kRanks - 1;
    __syncthreads();
    if (ranked) rank_labels(shared, n, base);
  }
}

// One block per tile, of tile_nz slices.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocks - 1)
    median_filter(const unsigned char* labels, long long nz, long long ny, long long nx, long long sz,
                  long long sy, long long sx, long long tile_nz, unsigned char* out) {
  CU_DYN_SHARED(long long, rows);
  CU_SHARED(unsigned, occurs, [9]);
  CU_SHARED(unsigned char, values, [256]);
  CU_SHARED(unsigned char, table, [256]);
  CU_SHARED(unsigned char, told, [kRanks]);
  const auto ends = reinterpret_cast<unsigned long long>(labels) | reinterpret_cast<unsigned long long>(out);
  const Labels source{labels, nz, ny, nx, (ends | static_cast<unsigned long long>(nx)) % 16 == 0};
  const Tile tile = tile_of<0>(source, sz, sy, sx, tile_nz);
  unsigned* const planes = reinterpret_cast<unsigned*>(rows + tile.most_rows);
  unsigned* const sums = planes + kPlanes * tile.most_rows * kRowWords;
  auto* const held = reinterpret_cast<unsigned char*>(sums + kPlanes * tile.most_rows * kWords);
  filter_tile<0>(source, tile, {rows, planes, sums, held, occurs, values, table, told, tile.most_rows}, out);
}

// The same for boxes of 4 x 4 x 4 and tiles of kOutZ slices.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    median_filter_4(const unsigned char* labels, long long nz, long long ny, long long nx, long long sz,
                    long long sy, long long sx, long long tile_nz, unsigned char* out) {
  CU_DYN_SHARED(long long, rows);
  CU_SHARED(unsigned, occurs, [9]);
  CU_SHARED(unsigned char, values, [256]);
  CU_SHARED(unsigned char, table, [256]);
  CU_SHARED(unsigned char, told, [kRanks]);
  const auto ends = reinterpret_cast<unsigned long long>(labels) | reinterpret_cast<unsigned long long>(out);
  const Labels source{labels, nz, ny, nx, (ends | static_cast<unsigned long long>(nx)) % 16 == 0};
  const Tile tile = tile_of<4>(source, sz, sy, sx, tile_nz);
  unsigned* const planes = reinterpret_cast<unsigned*>(rows + tile.most_rows);
  unsigned* const sums = planes + kPlanes * tile.most_rows * kRowWords;
  auto* const held = reinterpret_cast<unsigned char*>(sums + kPlanes * tile.most_rows * kWords);
  filter_tile<4>(source, tile, {rows, planes, sums, held, occurs, values, table, told, tile.most_rows}, out);
}

}  // namespace fg
