// Erosions and dilations with the 6-neighbour cross, up to six in one pass over the mask; outside is 0.
//
// A block owns kTileRows rows of kTileWords words and walks through kChunkSlices slices, with a halo of six
// rows and one word (six of its bits matter) on every side. Stage s works two slices behind stage s - 1:
//
//     step t:   stage 0 loads slice t, stage 1 takes its step in slice t - 2, … stage 6 in slice t - 12
//
// so that all stages find what they need from the steps before, and one barrier a step is enough. A thread
// keeps its own word of the last three slices of each stage in registers; the words beside it come from
// shared memory, where each stage has two slices, written one step late.
//
// Cost at 512 x 512 x 827, 3 + 3: a word is loaded 44/32 * 76/64 = 1.6 times, of which the second time from
// the L2 cache, and stored once: 27 + 27 MB, 0.013 ms at 4.3 TB/s. A step is 4 loads from shared memory and
// 20 integer instructions per stage, in 10/8 * 1.6 * 6 * 3.4e6 / 32 = 1.3e6 warps, 40e6 instructions: 0.05 ms
// on 132 processors at 1.7 GHz that issue 4 at best and 3.5 in practice. Predicted: 0.06 ms (issue: 0.08).
#include "cuda/device.h"
#include "shared/bits.h"

namespace fg {

constexpr int kMaxSteps = 6;
constexpr int kTileRows = 32, kTileWords = 8;  // 8 words: a row of 512 voxels
constexpr int kWide = kTileWords + 2, kHigh = kTileRows + 2 * kMaxSteps;
constexpr int kThreads = (kWide * kHigh + 31) / 32 * 32;  // a thread per word of tile and halo
constexpr int kChunkSlices = 64;  // steps before the first result: 12, so a fifth of the work

struct MaskShape {
  long long nz, ny, n_words;
  Bits last_word;  // the bits within nx of a row's last word
};

// The word of a thread: its place in the tile and in the mask.
struct Cell {
  int at, west, east, north, south;  // in the tile; at its rim a word is its own neighbour
  long long y, w;
  Bits inside;  // bits within the mask
  bool is_result;

  __device__ Cell(int thread, long long first_y, long long first_w, const MaskShape& shape) {
    const int column = thread % kWide, row = thread / kWide;
    at = thread;
    const bool has_row = row < kHigh;  // the block's last threads have none
    west = has_row && column > 0 ? at - 1 : at;
    east = has_row && column + 1 < kWide ? at + 1 : at;
    north = has_row && row > 0 ? at - kWide : at;
    south = row + 1 < kHigh ? at + kWide : at;
    y = first_y + row - kMaxSteps;
    w = first_w + column - 1;
    const bool exists = has_row && y >= 0 && y < shape.ny && w >= 0 && w < shape.n_words;
    inside = !exists ? 0 : w == shape.n_words - 1 ? shape.last_word : ~Bits{0};
    is_result =
        exists && row >= kMaxSteps && row < kMaxSteps + kTileRows && column >= 1 && column <= kTileWords;
  }
};

// One step in the middle of three slices, of which `slice` is the middle one.
__device__ __forceinline__ Bits take_step(const Bits* slice, const Cell& c, Bits below, Bits mid, Bits above,
                                          bool erodes) {
  const Bits west = step_right(mid, slice[c.west]), east = step_left(mid, slice[c.east]);
  const Bits north = slice[c.north], south = slice[c.south];
  const Bits all = mid & below & above & west & east & north & south;
  const Bits any = mid | below | above | west | east | north | south;
  return (erodes ? all : any) & c.inside;
}

// Takes n_erosions and then n_dilations steps, together 1 to kMaxSteps; one block per tile and chunk.
extern "C" __global__ void __launch_bounds__(kThreads)
    cross_steps(const Bits* mask, long long nz, long long ny, long long nx, long long n_erosions,
                long long n_dilations, Bits* out) {
  CU_SHARED(Bits, slices, [kMaxSteps][2][kThreads]);
  const MaskShape shape{nz, ny, (nx + 63) / 64, low_ones(static_cast<int>((nx + 63) % 64) + 1)};
  const long long n_across = (shape.n_words + kTileWords - 1) / kTileWords;
  const long long n_down = (ny + kTileRows - 1) / kTileRows;
  const long long tile = blockIdx.x % (n_across * n_down), chunk = blockIdx.x / (n_across * n_down);
  const Cell cell(threadIdx.x, tile / n_across * kTileRows, tile % n_across * kTileWords, shape);
  const long long first = chunk * kChunkSlices, end = min(first + kChunkSlices, nz);
  const int n_steps = static_cast<int>(n_erosions + n_dilations);

  Bits own[kMaxSteps][3] = {};  // of the slices that each stage made one, two and three steps ago
  for (long long t = first - n_steps; t < end + 2 * n_steps; t++) {
    const long long word = (t * ny + cell.y) * shape.n_words + cell.w;
    Bits made = t >= 0 && t < nz && t < end + n_steps && cell.inside ? mask[word] : 0;
#pragma unroll
    for (int s = 0; s < kMaxSteps; s++) {
      slices[s][t & 1][cell.at] = own[s][0];
    }
#pragma unroll
    for (int s = 0; s < kMaxSteps; s++) {
      if (s >= n_steps) break;
      const long long z = t - 2 * (s + 1);
      Bits next = take_step(slices[s][(t + 1) & 1], cell, own[s][2], own[s][1], own[s][0], s < n_erosions);
      if (z < 0 || z >= nz) next = 0;
      own[s][2] = own[s][1];
      own[s][1] = own[s][0];
      own[s][0] = made;
      made = next;
      if (s == n_steps - 1 && z >= first && z < end && cell.is_result)
        out[(z * ny + cell.y) * shape.n_words + cell.w] = made;
    }
    __syncthreads();
  }
}

}  // namespace fg
