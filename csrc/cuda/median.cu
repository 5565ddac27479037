// Median of labels in bit slices: 64 voxels a word, counts as words of their bits.
//
// A block owns a tile of kOutX x kOutY x kOutZ voxels. It copies the labels of the tile and its surroundings
// to shared memory and lists the values v0 < v1 < … that occur there; the median is above v(i) exactly if at
// least n - n / 2 of the box's n labels are (shared/rank.h). For each i but the last:
//   threshold_rows  rows of 64 labels become words: bit x is label > v(i); a warp's ballot makes half a word
//   count_box       a thread takes a row of the tile: adds up the words of its sz rows (bits to a number of 3
//                   bits), these over sy rows (6 bits), and this, shifted, over sx voxels (9 bits)
//   at_least        compares all 64 counts with n - n / 2 at once
// and the result is added to the row's ranks, in bit slices, too: at the end they say which value each voxel
// gets. All 256 values and all sizes go the same way; a tile with one value, which most are, is filled at
// once.
//
// Cost at 512 x 512 x 827, 4 x 4 x 4: each label is loaded 1.6 times as part of four bytes, mostly from
// caches, and stored once, 0.43 GB or 0.10 ms at 4.3 TB/s, 0.14 ms with the copies through shared memory. A
// threshold is about 16 + 4 + 4 additions of words, 500 integer instructions for 56 voxels, where a tile has
// more than one value: with six labels in a quarter of the volume 45 instructions for 54e6 voxels, on 132 x
// 128 lanes at 1.7 GHz 0.08 ms. Predicted: 0.2 ms (issue: 0.2; floor 0.10).
#include "cuda/device.h"
#include "shared/bits.h"
#include "shared/rank.h"

namespace fg {

constexpr int kOutX = 56, kOutY = 16, kOutZ = 16;
constexpr int kThreads = kOutY * kOutZ;      // one per row of the tile
constexpr int kMargin = 4;                   // voxels before and after the 56, so that quads are aligned
constexpr int kMaxBefore = 3, kMaxSize = 7;  // of a box
constexpr int kMaxRows = (kOutY + kMaxSize - 1) * (kOutZ + kMaxSize - 1);
constexpr int kQuads = 16;     // of four labels, 64 a row
constexpr int kRankBits = 8;   // 256 values
constexpr int kCountBits = 9;  // 7^3 = 343

struct Tile {
  long long z, y, x;  // first voxel
  int nz, ny;         // slices and rows within the volume
  int sz, sy, sx;     // of the box
  __device__ int rows_y() const { return ny + sy - 1; }
  __device__ int n_rows() const { return (nz + sz - 1) * rows_y(); }
  __device__ bool has_row(int thread) const { return thread / kOutY < nz && thread % kOutY < ny; }
};

struct Labels {
  const unsigned char* labels;
  long long nz, ny, nx;
  bool has_quads;  // whether four labels can be loaded and stored as one number

  // Labels x to x + 3 of a row, reflected at its ends, the first in the lowest byte.
  __device__ unsigned quad(const unsigned char* row, long long x) const {
    if (x >= 0 && x + 4 <= nx && has_quads) return *reinterpret_cast<const unsigned*>(row + x);
    unsigned four = 0;
    for (int i = 0; i < 4; i++) four |= unsigned{row[reflect(x + i, nx)]} << 8 * i;
    return four;
  }
  __device__ const unsigned char* row(const Tile& tile, int r) const {
    const long long z = reflect(tile.z - tile.sz / 2 + r / tile.rows_y(), nz);
    const long long y = reflect(tile.y - tile.sy / 2 + r % tile.rows_y(), ny);
    return labels + (z * ny + y) * nx;
  }
};

// A number per bit of a word, as the words of its kBits bits.
template <int kBits>
struct Counts {
  Bits bit[kBits] = {};

  template <int kOther>
  __device__ __forceinline__ void add(const Counts<kOther>& other) {
    Bits carry = 0;
#pragma unroll
    for (int i = 0; i < kBits; i++) {
      const Bits a = bit[i], b = i < kOther ? other.bit[i < kOther ? i : 0] : 0;
      bit[i] = a ^ b ^ carry;
      carry = (a & b) | (a & carry) | (b & carry);
    }
  }
  // The numbers of the voxels `offset` further on.
  __device__ __forceinline__ Counts shifted(int offset) const {
    Counts moved;
#pragma unroll
    for (int i = 0; i < kBits; i++) moved.bit[i] = offset < 0 ? bit[i] << -offset : bit[i] >> offset;
    return moved;
  }
  __device__ __forceinline__ Bits at_least(int least) const {
    Bits is = ~Bits{0};
#pragma unroll
    for (int i = 0; i < kBits; i++) is = least >> i & 1 ? bit[i] & is : bit[i] | is;
    return is;
  }
};

__device__ __forceinline__ void load_tile(const Labels& source, const Tile& tile, unsigned* quads,
                                          unsigned* occurs) {
  unsigned told = 0;  // labels below 32 that this thread has entered: nobody reads what others are changing
  for (int i = threadIdx.x; i < tile.n_rows() * kQuads; i += kThreads) {
    const unsigned four = source.quad(source.row(tile, i / kQuads), tile.x - kMargin + 4 * (i % kQuads));
    quads[i] = four;
    for (int k = 0; k < 4; k++) {
      const unsigned label = four >> 8 * k & 255;
      if (k > 0 && label == (four & 255)) continue;
      const unsigned bit = 1u << label % 32;
      if (label < 32 && told & bit) continue;
      if (label < 32) told |= bit;
      atomicOr(occurs + label / 32, bit);
    }
  }
}

// Lists the values that occur, rising; returns how many.
__device__ __forceinline__ int list_values(const unsigned* occurs, unsigned char* values) {
  const int label = threadIdx.x;
  int n = 0, n_before = 0;
  for (int i = 0; i < 8; i++) {
    n += __popc(occurs[i]);
    if (i < label / 32) n_before += __popc(occurs[i]);
  }
  const unsigned own = occurs[label / 32];
  n_before += __popc(own & ((1u << label % 32) - 1));
  if (own >> label % 32 & 1) values[n_before] = static_cast<unsigned char>(label);
  return n;
}

__device__ __forceinline__ void threshold_rows(const unsigned* quads, int n_rows, int value,
                                               unsigned* halves) {
  const auto* const labels = reinterpret_cast<const unsigned char*>(quads);
  for (int half = threadIdx.x / kWarp; half < 2 * n_rows; half += kThreads / kWarp) {
    const unsigned above = __ballot_sync(kAllLanes, labels[half * kWarp + lane_index()] > value);
    if (lane_index() == 0) halves[half] = above;
  }
}

// How many labels of the box are above: for the 64 voxels of the row that begin kMargin before the tile.
__device__ __forceinline__ Counts<kCountBits> count_box(const Bits* above, const Tile& tile) {
  const int z = threadIdx.x / kOutY, y = threadIdx.x % kOutY;
  Counts<6> columns;
  for (int j = 0; j < tile.sy; j++) {
    Counts<3> column;
    for (int i = 0; i < tile.sz; i++) {
      Counts<1> one;
      one.bit[0] = above[(z + i) * tile.rows_y() + y + j];
      column.add(one);
    }
    columns.add(column);
  }
  Counts<kCountBits> box;
  for (int k = 0; k < tile.sx; k++) box.add(columns.shifted(k - tile.sx / 2));
  return box;
}

// The four values whose ranks begin at bit x of a row.
__device__ __forceinline__ unsigned values_at(const Bits* ranks, int n_bits, int x,
                                              const unsigned char* values) {
  unsigned four = 0;
  for (int k = 0; k < 4; k++) {
    int rank = 0;
    for (int b = 0; b < n_bits; b++) rank |= static_cast<int>(ranks[b * kThreads] >> (x + k) & 1) << b;
    four |= unsigned{values[rank]} << 8 * k;
  }
  return four;
}

__device__ __forceinline__ void store_tile(const Tile& tile, const Labels& shape, const Bits* ranks,
                                           int n_bits, const unsigned char* values, unsigned char* out) {
  for (int i = threadIdx.x; i < kThreads * kQuads; i += kThreads) {
    const int row = i / kQuads, quad = i % kQuads;
    const long long z = tile.z + row / kOutY, y = tile.y + row % kOutY, x = tile.x + 4 * quad;
    if (quad >= kOutX / 4 || !tile.has_row(row) || x >= shape.nx) continue;
    const unsigned four = values_at(ranks + row, n_bits, kMargin + 4 * quad, values);
    unsigned char* const to = out + (z * shape.ny + y) * shape.nx + x;
    if (shape.has_quads) {
      *reinterpret_cast<unsigned*>(to) = four;
    } else {
      for (int k = 0; k < 4 && x + k < shape.nx; k++) to[k] = static_cast<unsigned char>(four >> 8 * k);
    }
  }
}

// One block per tile.
extern "C" __global__ void __launch_bounds__(kThreads)
    median_filter(const unsigned char* labels, long long nz, long long ny, long long nx, long long sz,
                  long long sy, long long sx, unsigned char* out) {
  CU_SHARED(Bits, rows, [kMaxRows * kQuads / 2]);
  CU_SHARED(Bits, above, [2][kMaxRows]);
  CU_SHARED(unsigned, occurs, [8]);
  CU_SHARED(unsigned char, values, [256]);
  unsigned* const quads = reinterpret_cast<unsigned*>(rows);
  const auto ends = reinterpret_cast<unsigned long long>(labels) | reinterpret_cast<unsigned long long>(out);
  const Labels source{labels, nz, ny, nx, (ends | static_cast<unsigned long long>(nx)) % 4 == 0};
  const long long n_x = (nx + kOutX - 1) / kOutX, n_y = (ny + kOutY - 1) / kOutY;
  const long long z = blockIdx.x / n_x / n_y * kOutZ, y = blockIdx.x / n_x % n_y * kOutY;
  const Tile tile{z,
                  y,
                  blockIdx.x % n_x * kOutX,
                  static_cast<int>(min(nz - z, static_cast<long long>(kOutZ))),
                  static_cast<int>(min(ny - y, static_cast<long long>(kOutY))),
                  static_cast<int>(sz),
                  static_cast<int>(sy),
                  static_cast<int>(sx)};
  if (threadIdx.x < 8) occurs[threadIdx.x] = 0;
  __syncthreads();
  load_tile(source, tile, quads, occurs);
  __syncthreads();
  const int n_values = list_values(occurs, values), least = majority(static_cast<int>(sz * sy * sx));
  __syncthreads();
  Counts<kRankBits> ranks;
  for (int i = 0; i + 1 < n_values; i++) {  // two sets of words: one barrier a threshold
    threshold_rows(quads, tile.n_rows(), values[i], reinterpret_cast<unsigned*>(above[i & 1]));
    __syncthreads();
    if (!tile.has_row(threadIdx.x)) continue;
    Counts<1> passed;
    passed.bit[0] = count_box(above[i & 1], tile).at_least(least);
    ranks.add(passed);
  }
  for (int b = 0; b < kRankBits; b++)
    rows[b * kThreads + threadIdx.x] = ranks.bit[b];  // nobody reads labels after the last barrier
  __syncthreads();
  store_tile(tile, source, rows, 32 - __clz(n_values - 1), values, out);
}

}  // namespace fg
