// A tile of labels and its surroundings as planes of bits, and back: what the median's kernels share.
#pragma once
#include "cuda/bit_counts.h"
#include "cuda/device.h"
#include "shared/rank.h"

namespace fg {

constexpr int kWords = 8, kOutX = 32 * kWords, kOutY = 16, kOutZ = 8;
constexpr int kThreads = kWords * kOutY;  // one for each word of a slice of the tile
constexpr int kBlocks = 5;                // on a processor, at least: as many as shared memory allows
constexpr int kPlanes = 3, kRanks = 8;    // values told apart in one round
constexpr int kRowWords = kWords + 1;     // the last has the three bits before the row and the three behind
constexpr int kQuads = 8;                 // of four labels in a word
constexpr unsigned kFirstBits = 0x11111111u, kGather = 0x01020408u, kSpread = 0x00204081u;
constexpr unsigned kLowBits = 0x01010101u;

struct Tile {
  long long z, y, x;  // first voxel
  int nz, ny;         // slices and rows within the volume
  int sz, sy, sx;     // of the box
  int most_rows;      // that a tile has with its surroundings

  __device__ __forceinline__ int rows_y() const { return kOutY + sy - 1; }
  __device__ __forceinline__ int n_rows() const { return (nz + sz - 1) * rows_y(); }
};

struct Labels {
  const unsigned char* labels;
  long long nz, ny, nx;
  bool aligned;  // whether sixteen labels can be loaded and stored as one

  // Where a row of a tile begins.
  __device__ __forceinline__ long long row(const Tile& tile, int r) const {
    const long long z = reflect(tile.z - tile.sz / 2 + r / tile.rows_y(), nz);
    const long long y = reflect(tile.y - tile.sy / 2 + r % tile.rows_y(), ny);
    return (z * ny + y) * nx;
  }
  // Labels x to x + 3 of a row, reflected at its ends, the first in the lowest byte.
  __device__ __forceinline__ unsigned quad(long long row, long long x) const {
    if (aligned) {
      const bool within = x >= 0 && x < nx;
      const unsigned four = *reinterpret_cast<const unsigned*>(labels + row +
                                                               (within  ? x
                                                                : x < 0 ? 0
                                                                        : nx - 4));
      return within ? four : __byte_perm(four, 0, 0x0123);
    }
    unsigned four = 0;
    for (int i = 0; i < 4; i++) four |= unsigned{labels[row + reflect(x + i, nx)]} << 8 * i;
    return four;
  }
  // 32 of them.
  __device__ __forceinline__ void load(long long row, long long x, unsigned (&quads)[kQuads]) const {
    const unsigned char* const from = labels + row + x;
    if (x + 32 > nx) {
#pragma unroll 1
      for (int i = 0; i < kQuads; i++) {  // rolled: what is read moves through the words
        for (int k = 0; k + 1 < kQuads; k++) quads[k] = quads[k + 1];
        quads[kQuads - 1] = quad(row, x + 4 * i);
      }
    } else if (aligned) {
      const uint4 low = *reinterpret_cast<const uint4*>(from),
                  high = *reinterpret_cast<const uint4*>(from + 16);
      quads[0] = low.x, quads[1] = low.y, quads[2] = low.z, quads[3] = low.w;
      quads[4] = high.x, quads[5] = high.y, quads[6] = high.z, quads[7] = high.w;
    } else {
      for (int i = 0; i < kQuads; i++) {
        quads[i] =
            from[4 * i] | from[4 * i + 1] << 8 | from[4 * i + 2] << 16 | unsigned{from[4 * i + 3]} << 24;
      }
    }
  }
};

using Planes = Counts<kPlanes>;

// What a block has of its tile.
struct Shared {
  long long* rows;      // where each begins
  unsigned* planes;     // [kPlanes][most_rows][kRowWords]
  unsigned* sums;       // [kPlanes][most_rows][kWords]
  unsigned char* held;  // the values in each row, as bits
  unsigned* occurs;     // a bit for each label
  unsigned char *values, *table, *told;
  int most_rows;

  __device__ __forceinline__ void set(unsigned* of, int words, int at, const Planes& to) const {
#pragma unroll
    for (int b = 0; b < kPlanes; b++) of[b * most_rows * words + at] = to.bit[b];
  }
  __device__ __forceinline__ Planes get(const unsigned* of, int words, int at) const {
    Planes found;
#pragma unroll
    for (int b = 0; b < kPlanes; b++) found.bit[b] = of[b * most_rows * words + at];
    return found;
  }
};

// Which of 32 labels are above a value, and which are equal to one.
__device__ __forceinline__ unsigned above(const Planes& planes, int value) {
  unsigned is = 0;
#pragma unroll
  for (int b = 0; b < kPlanes; b++) {
    const unsigned zero = (value >> b & 1) - 1u;
    is = (is & planes.bit[b]) | (is & zero) | (planes.bit[b] & zero);
  }
  return is;
}
__device__ __forceinline__ unsigned equal(const Planes& planes, int value) {
  unsigned is = ~0u;
#pragma unroll
  for (int b = 0; b < kPlanes; b++) is &= value >> b & 1 ? planes.bit[b] : ~planes.bit[b];
  return is;
}

// What a thread has seen of a tile.
struct Seen {
  unsigned values = 0;  // a bit for each below kRanks
  unsigned bits = 0;    // of all labels
};

__device__ __forceinline__ unsigned looked_up(unsigned quad, const unsigned char* table) {
  unsigned found = 0;
  for (int k = 0; k < 4; k++) found |= unsigned{table[quad >> 8 * k & 255]} << 8 * k;
  return found;
}

// The bits of 32 labels; those of four make half a byte by a product whose terms do not meet.
__device__ __forceinline__ Planes planes_of(const unsigned (&quads)[kQuads]) {
  Planes planes;
#pragma unroll
  for (int i = 0; i < kQuads; i += 2) {
    const unsigned pair = quads[i] + (quads[i + 1] << 4);
#pragma unroll
    for (int b = 0; b < kPlanes; b++) {
      planes.bit[b] = __byte_perm(planes.bit[b], (pair & kFirstBits << b) * (kGather >> b), 0x7321);
    }
  }
  return planes;
}

// Makes planes of 32 labels; returns which values they have.
__device__ __forceinline__ unsigned enter(unsigned (&quads)[kQuads], const Shared& shared, int at) {
  unsigned differs = 0, values = 0;
  Planes planes;
#pragma unroll
  for (int k = 0; k < kQuads; k++) differs |= quads[k] ^ __byte_perm(quads[0], 0, 0);
  if (differs) {
    planes = planes_of(quads);
#pragma unroll
    for (int v = 0; v < kRanks; v++) values |= equal(planes, v) ? 1u << v : 0;
  } else {
    values = 1u << (quads[0] & (kRanks - 1));
#pragma unroll
    for (int b = 0; b < kPlanes; b++) planes.bit[b] = 0u - (quads[0] >> b & 1);
  }
  shared.set(shared.planes, kRowWords, at, planes);
  return values;
}

__device__ __forceinline__ void look_up(unsigned (&quads)[kQuads], const unsigned char* table) {
#pragma unroll
  for (int k = 0; k < kQuads; k++) quads[k] = looked_up(quads[k], table);
}

// The rows' beginnings, and what lies before and behind them.
__device__ __forceinline__ Seen load_sides(const Labels& source, const Tile& tile, const Shared& shared,
                                           const unsigned char* table) {
  Seen seen;
  for (int r = threadIdx.x; r < tile.n_rows(); r += kThreads) {
    const long long row = source.row(tile, r);
    const unsigned behind = source.quad(row, tile.x + kOutX), before = source.quad(row, tile.x - 4);
    seen.bits |= before | behind;
    unsigned quads[kQuads];
    for (int k = 0; k < kQuads; k++) quads[k] = k < kQuads - 1 ? behind : before;
    if (table) look_up(quads, table);
    shared.rows[r] = row;
    const unsigned values = enter(quads, shared, r * kRowWords + kWords);
    shared.held[r] = static_cast<unsigned char>(values);
    seen.values |= values;
  }
  return seen;
}

__device__ __forceinline__ Seen load_planes(const Labels& source, const Tile& tile, const Shared& shared,
                                            const unsigned char* table) {
  Seen seen = load_sides(source, tile, shared, table);
  __syncthreads();
  const int n = tile.n_rows() * kWords;
  for (int base = 0; base < n; base += kThreads) {
    const int i = base + threadIdx.x, row = i / kWords;
    unsigned values = 0;
    if (i < n) {
      unsigned quads[kQuads];
      source.load(shared.rows[row], tile.x + 32 * (i % kWords), quads);
      for (int k = 0; k < kQuads; k++) seen.bits |= quads[k];
      if (table) look_up(quads, table);
      values = enter(quads, shared, row * kRowWords + i % kWords);
    }
    seen.values |= values;
    for (int d = 1; d < kWords; d *= 2) values |= __shfl_xor_sync(kAllLanes, values, d);
    if (i < n && i % kWords == 0) shared.held[row] |= static_cast<unsigned char>(values);
  }
  return seen;
}

// The labels whose bits are those of four voxels of a word, the first at bit 4 * i.
__device__ __forceinline__ unsigned quad_of(const Planes& planes, int i) {
  unsigned four = 0;
#pragma unroll
  for (int b = 0; b < kPlanes; b++) four |= ((planes.bit[b] >> 4 * i & 15) * (kSpread << b)) & kLowBits << b;
  return four;
}

// Stores labels x to x + 15 of a row as far as they exist; where only some are told, those that are not 0.
__device__ __forceinline__ void store(const Labels& shape, unsigned char* row, long long x, uint4 quads,
                                      bool all) {
  if (all && shape.aligned && x < shape.nx) {
    *reinterpret_cast<uint4*>(row + x) = quads;
    return;
  }
#pragma unroll 1
  for (int i = 0; i < 16 && x + i < shape.nx; i++) {
    if (all || quads.x & 255) row[x + i] = static_cast<unsigned char>(quads.x);
    quads.x = __funnelshift_r(quads.x, quads.y, 8);
    quads.y = __funnelshift_r(quads.y, quads.z, 8);
    quads.z = __funnelshift_r(quads.z, quads.w, 8);
    quads.w >>= 8;
  }
}

// Stores the words of the result that stand in the place of the sums, by sixteen voxels: as they are, or what
// a table has for them.
__device__ __forceinline__ void store_tile(const Labels& shape, const Tile& tile, const Shared& shared,
                                           const unsigned char* table, bool all, unsigned char* out) {
  for (int i = threadIdx.x; i < tile.nz * kThreads * 2; i += kThreads) {
    const int row = i / (kWords * 2), first = i % 2 * 4;
    if (row % kOutY >= tile.ny) continue;
    const Planes ranks = shared.get(shared.sums, kWords, i / 2);
    uint4 quads = {quad_of(ranks, first), quad_of(ranks, first + 1), quad_of(ranks, first + 2),
                   quad_of(ranks, first + 3)};
    if (table) {
      quads = {looked_up(quads.x, table), looked_up(quads.y, table), looked_up(quads.z, table),
               looked_up(quads.w, table)};
    }
    const long long z = tile.z + row / kOutY, y = tile.y + row % kOutY;
    store(shape, out + (z * shape.ny + y) * shape.nx, tile.x + 16 * (i % (kWords * 2)), quads, all);
  }
}

__device__ __forceinline__ void fill_tile(const Labels& shape, const Tile& tile, unsigned label,
                                          unsigned char* out) {
  const unsigned quad = label * kLowBits;
  for (int i = threadIdx.x; i < tile.nz * kThreads * 2; i += kThreads) {
    const int row = i / (kWords * 2);
    if (row % kOutY >= tile.ny) continue;
    const long long z = tile.z + row / kOutY, y = tile.y + row % kOutY;
    store(shape, out + (z * shape.ny + y) * shape.nx, tile.x + 16 * (i % (kWords * 2)),
          {quad, quad, quad, quad}, true);
  }
}

// The tile of this block; a box of kSize, or else as told.
template <int kSize>
__device__ __forceinline__ Tile tile_of(const Labels& shape, long long sz, long long sy, long long sx,
                                        long long tile_nz) {
  const long long n_x = (shape.nx + kOutX - 1) / kOutX, n_y = (shape.ny + kOutY - 1) / kOutY;
  Tile tile;
  tile.z = blockIdx.x / n_x / n_y * tile_nz;
  tile.y = blockIdx.x / n_x % n_y * kOutY;
  tile.x = blockIdx.x % n_x * kOutX;
  tile.nz = static_cast<int>(min(shape.nz - tile.z, tile_nz));
  tile.ny = static_cast<int>(min(shape.ny - tile.y, static_cast<long long>(kOutY)));
  tile.sz = kSize ? kSize : static_cast<int>(sz);
  tile.sy = kSize ? kSize : static_cast<int>(sy);
  tile.sx = kSize ? kSize : static_cast<int>(sx);
  tile.most_rows = ((kSize ? kOutZ : static_cast<int>(tile_nz)) + tile.sz - 1) * tile.rows_y();
  return tile;
}

}  // namespace fg
