// Erosions and then dilations with the 6-neighbour cross, all in one pass over the mask; outside is 0.
//
// A block walks through a chunk of slices with a tile of kHigh rows of kColumns words; a thread has kRows
// rows of one word. Stage s takes in slice t - s at step t and gives slice t - s - 1 of its result at once to
// the next stage, for it keeps what the two slices before say:
//
//     held = west & mid & east & north & south of slice t - s - 1, & mid of slice t - s - 2
//     result = held & slice t - s        (for a dilation | in place of &)
//
// Only held asks for neighbours: along x they come from the warp's other lanes, along y from the thread's own
// rows and, at their ends, from shared memory, for all stages after one barrier. What lies beyond the tile is
// wrong by a voxel more with each stage, thus kSteps rows on each side are given up, and where a row does not
// fit the tile a word on either side. Voxels outside the mask may be set between dilations: a shortest way
// between two voxels of a box need not leave it, so within the mask nothing changes.
//
// Cost at 512 x 512 x 827, 3 + 3: a step of a warp is 281 instructions for 64 words, of which 108 logic and
// 48 shifts. Tiles of 64 rows keep 52, and 26 chunks of 32 slices, two blocks to each of 132 processors, take
// 44 steps each: 260 blocks * 8 warps * 44 * 281 = 26e6 instructions, 0.033 ms at 3 a cycle and 1.98 GHz.
// Loading and storing 54 MB is less. Measured on an NVIDIA H200: 0.053 ms (issue: 0.08); one longer chunk to
// a processor 0.078, four rows a thread 0.057, steps not unrolled, which moves 48 registers in each, 0.061.
// Defines: FG_EROSIONS, FG_DILATIONS.
#include "cuda/device.h"
#include "shared/bits.h"

namespace fg {

constexpr int kErosions = FG_EROSIONS, kSteps = FG_EROSIONS + FG_DILATIONS;
constexpr int kRows = 2;     // of a thread: what all stages keep of them fits 128 registers
constexpr int kColumns = 8;  // a row of 512 voxels
constexpr int kThreads = 256, kHigh = kThreads / kColumns * kRows;
constexpr int kBlocks = 2;  // on a processor: one computes while the other waits at its barrier

// A word as two halves: what the device computes with.
struct Halves {
  unsigned low, high;
  __device__ Halves() : low(0), high(0) {}
  __device__ Halves(unsigned l, unsigned h) : low(l), high(h) {}
  __device__ explicit Halves(Bits w) : low(static_cast<unsigned>(w)), high(static_cast<unsigned>(w >> 32)) {}
  __device__ Bits word() const { return static_cast<Bits>(high) << 32 | low; }
};

// Both words, or for a dilation either.
template <bool kErodes>
__device__ __forceinline__ Halves join(Halves a, Halves b) {
  return kErodes ? Halves{a.low & b.low, a.high & b.high} : Halves{a.low | b.low, a.high | b.high};
}

// The word of a thread with its neighbours along x. has_west, has_east: bit 0, bit 31 where the warp has the
// word beside it.
template <bool kErodes>
__device__ __forceinline__ Halves join_along_x(Halves mid, unsigned has_west, unsigned has_east) {
  const unsigned before = __shfl_up_sync(kAllLanes, mid.high, 1, kColumns);
  const unsigned after = __shfl_down_sync(kAllLanes, mid.low, 1, kColumns);
  const Halves west{(mid.low << 1 | before >> 31) & has_west, mid.high << 1 | mid.low >> 31};
  const Halves east{mid.low >> 1 | mid.high << 31, (mid.high >> 1 | after << 31) & has_east};
  return join<kErodes>(join<kErodes>(mid, west), east);
}

// The ends of the threads' rows in every stage, of two steps in turn.
struct Ends {
  Bits first[kSteps][kThreads], last[kSteps][kThreads];
};

struct Stage {
  Halves mid[kRows], held[kRows];

  // Takes in a slice; leaves in `slice` what the stage makes of the one before.
  template <bool kErodes>
  __device__ __forceinline__ void advance(Halves (&slice)[kRows]) {
    for (int r = 0; r < kRows; r++) {
      const Halves made = join<kErodes>(held[r], slice[r]);
      held[r] = mid[r];
      mid[r] = slice[r];
      slice[r] = made;
    }
  }

  template <bool kErodes>
  __device__ __forceinline__ void hold(Halves north, Halves south, unsigned has_west, unsigned has_east) {
    for (int r = 0; r < kRows; r++) {
      const Halves flat = join_along_x<kErodes>(mid[r], has_west, has_east);
      const Halves up = r > 0 ? mid[r - 1] : north, down = r + 1 < kRows ? mid[r + 1] : south;
      held[r] = join<kErodes>(held[r], join<kErodes>(join<kErodes>(flat, up), down));
    }
  }
};

// The words of a thread in a slice of the mask.
struct Place {
  long long at[kRows];
  Bits exists[kRows], is_result[kRows];  // the bits to load and to store

  __device__ Place(long long tile, long long ny, long long nx) {
    const long long n_words = (nx + 63) / 64;
    const int halo = n_words > kColumns ? 1 : 0, high = kHigh - 2 * kSteps, wide = kColumns - 2 * halo;
    const long long n_across = (n_words + wide - 1) / wide;
    const int column = threadIdx.x % kColumns, row = threadIdx.x / kColumns * kRows;
    const long long y = tile / n_across * high - kSteps + row, w = tile % n_across * wide - halo + column;
    const bool is_inner = column >= halo && column < halo + wide;
    for (int r = 0; r < kRows; r++) {
      at[r] = (y + r) * n_words + w;
      const bool is_in = y + r >= 0 && y + r < ny && w >= 0 && w < n_words;
      const Bits bits = w == n_words - 1 ? low_ones(static_cast<int>((nx + 63) % 64) + 1) : ~Bits{0};
      exists[r] = is_in ? bits : 0;
      is_result[r] = is_inner && row + r >= kSteps && row + r < kSteps + high ? exists[r] : 0;
    }
  }
};

// A block per tile and chunk of slices.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    cross_steps(const Bits* mask, long long nz, long long ny, long long nx, long long n_tiles,
                long long chunk, Bits* out) {
  CU_SHARED(Ends, ends, [2]);
  const Place place(blockIdx.x % n_tiles, ny, nx);
  const long long first = blockIdx.x / n_tiles * chunk, end = min(first + chunk, nz);
  const int thread = threadIdx.x, column = thread % kColumns;
  const unsigned has_west = column > 0 ? ~0u : ~1u, has_east = column + 1 < kColumns ? ~0u : ~0u >> 1;
  const int north = max(thread - kColumns, column),
            south = min(thread + kColumns, kThreads - kColumns + column);

  Stage stages[kSteps];
  Halves next[kRows];
  const long long plane = ny * ((nx + 63) / 64);
  const Bits* load = mask + (first - kSteps) * plane;
  Bits* store = out + (first - 2 * kSteps - 1) * plane;
#pragma unroll 2  // what is kept changes registers from step to step
  for (long long t = first - kSteps - 1; t < end + kSteps; t++, load += plane, store += plane) {
    const bool is_within = t + 1 >= 0 && t + 1 < nz;
    Halves slice[kRows];
    for (int r = 0; r < kRows; r++) {
      slice[r] = next[r];
      next[r] = Halves{is_within && place.exists[r] ? load[place.at[r]] : 0};
    }
    Ends& now = ends[t & 1];
#pragma unroll
    for (int s = 0; s < kSteps; s++) {
      s < kErosions ? stages[s].advance<true>(slice) : stages[s].advance<false>(slice);
      now.first[s][thread] = stages[s].mid[0].word();
      now.last[s][thread] = stages[s].mid[kRows - 1].word();
    }
    for (int r = 0; r < kRows; r++) {
      if (t - kSteps >= first && place.is_result[r])
        store[place.at[r]] = slice[r].word() & place.is_result[r];
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < kSteps; s++) {
      const Halves up{now.last[s][north]}, down{now.first[s][south]};
      s < kErosions ? stages[s].hold<true>(up, down, has_west, has_east)
                    : stages[s].hold<false>(up, down, has_west, has_east);
    }
  }
}

}  // namespace fg
