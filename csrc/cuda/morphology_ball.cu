// Dilation by a ball, from bounded distances held as bits; erosion is the dilation of the complement.
//
// A voxel is in the dilation if a set voxel lies m slices, |dy| rows and |dx| voxels away, with (m, dy, dx)
// in the ball (shared/ball.h, whole numbers, any radii). As on the CPU (core/ball_dilation.cpp), axis by
// axis:
//   z  join_slices: plane m holds the voxels with a set one at most m slices away, one bit per unit of
//   distance y  grow_ball: with h steps along x to spare, each dy needs the plane of the largest m that the
//   ball allows,
//      and only where that m grows as h falls (measure_reach lists these pairs)
//   x  the sum so far is grown by one voxel, and the pairs of the next smaller h join it
// A lane holds one word, a warp whole rows, so that a step along x is two shuffles. Planes are made for a
// slab of slices that stays in the L2 cache. A warp stops when all its voxels are set, or when none can be.
//
// Cost of one dilation of 512 x 512 x 827 with radius r, dense: join_slices reads 2 r and writes r words per
// word, 31 * 3 * 27 MB = 2.5 GB from and to L2 for r = 30, 0.45 ms at 5.5 TB/s. grow_ball has about 0.5 r^2 =
// 450 pairs, each of two loads of 256 bytes that the L1 cache has: 900 * 2 cycles in 106e3 warps, on 132
// processors at 1.7 GHz 0.85 ms. A closing works on 10 words a row instead of 8, thirty lanes of a warp:
// 30 + 20 dense, (1.36 + 1.13) * 1.44 + 1.7 = 5.3 ms. Slices and rows beside the mask cost a seventh, so a
// chest takes about 3.5 ms, its lungs' box (two fifths of the voxels) 1.8 ms (issue: 4.2 and 1.7; floor 1.2).
#include "cuda/device.h"
#include "shared/ball.h"
#include "shared/bits.h"

namespace fg {

constexpr int kThreads = 256;  // no barriers: eight warps that take each other's loads from the L1 cache
constexpr int kBlocks = 4;     // on a processor: grow_ball gets up to 64 registers and need not spill

// Plane m, dy rows before and after.
struct alignas(8) Reach {
  int m, dy;
};

// For each h in 0..rx the pairs that are not within those of h + 1, at reaches + h * (ry + 1); a thread per
// h.
extern "C" __global__ void __launch_bounds__(kThreads)
    measure_reach(long long rz, long long ry, long long rx, Reach* reaches, int* n_reaches) {
  const long long h = thread_index();
  if (h > rx) return;
  const Ball ball{rz, ry, rx};
  int n = 0;
  long long m = rz, wider = h < rx ? rz : -1;  // the largest m at dy, with h and with h + 1 to spare
  for (long long dy = 0; dy <= ry; dy++) {
    while (m >= 0 && !ball.contains(m, dy, h)) m--;
    while (wider >= 0 && !ball.contains(wider, dy, h + 1)) wider--;
    if (m > wider) reaches[h * (ry + 1) + n++] = {static_cast<int>(m), static_cast<int>(dy)};
  }
  n_reaches[h] = n;
}

// Rows of n_words words of which the source has source_words, after first_word; what it has not counts as 0.
// Fills rz + 1 planes of n_rows rows for each of n_slices slices: row 0 of slice 0 is first_row, first_slice
// of the source. Words are inverted by `flip`.
extern "C" __global__ void __launch_bounds__(kThreads)
    join_slices(const Bits* source, long long source_slices, long long source_rows, long long source_words,
                long long first_slice, long long first_row, long long first_word, long long n_slices,
                long long n_rows, long long n_words, long long rz, unsigned long long flip, Bits* planes) {
  const long long i = thread_index(), plane = n_rows * n_words;
  if (i >= n_slices * plane) return;
  const long long slice = i / plane, place = i % plane;
  const long long y = first_row + place / n_words, w = place % n_words - first_word;
  const bool exists = y >= 0 && y < source_rows && w >= 0 && w < source_words;
  const long long stride = source_rows * source_words, z = first_slice + slice;
  const Bits* const column = source + (exists ? y * source_words + w : 0);
  Bits* out = planes + slice * (rz + 1) * plane + place;
  Bits joined = 0;
  for (long long m = 0; m <= rz; m++, out += plane) {
    const bool has_before = exists && z - m >= 0 && z - m < source_slices;
    const bool has_after = exists && z + m >= 0 && z + m < source_slices;
    joined |= (has_before ? column[(z - m) * stride] : 0) ^ flip;
    joined |= (has_after ? column[(z + m) * stride] : 0) ^ flip;
    *out = joined;
  }
}

// The words of a warp: whole rows where they are short enough, else a stretch of one row with a halo as wide
// as the ball on both sides.
struct Lanes {
  long long slice, y, word;
  bool is_first;  // no lane holds the word before
  bool is_last;
  bool exists, is_result;

  __device__ Lanes(long long warp, long long n_rows, long long n_words, long long rx) {
    const int halo = n_words <= kWarp ? 0 : static_cast<int>((rx + 63) / 64);
    const int width = n_words <= kWarp ? static_cast<int>(n_words) : kWarp;
    const int rows = kWarp / width, row = lane_index() / width, column = lane_index() % width;
    const long long n_across = halo ? (n_words + width - 2 * halo - 1) / (width - 2 * halo) : 1;
    const long long n_down = (n_rows + rows - 1) / rows;
    slice = warp / (n_across * n_down);
    y = warp / n_across % n_down * rows + row;
    word = warp % n_across * (width - 2 * halo) - halo + column;
    is_first = column == 0;
    is_last = column == width - 1;
    exists = row < rows && y < n_rows && word >= 0 && word < n_words;
    is_result = exists && column >= halo && column < width - halo;
  }
};

// Whether a set voxel is within reach along z and y.
__device__ __forceinline__ bool has_any_near(const Bits* widest, long long ry, long long n_words) {
  Bits any = 0;
  for (long long dy = -ry; dy <= ry; dy++) any |= widest[dy * n_words];
  return any != 0;
}

// The dilation of n_rows rows of n_words words in each of n_slices slices, whose planes have ry more rows
// before and after. Writes rows of out_nx voxels that begin after first_word, inverted by `flip`; outside
// counts as `flip`.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    grow_ball(const Bits* planes, const Reach* reaches, const int* n_reaches, long long n_slices,
              long long n_rows, long long n_words, long long rz, long long ry, long long rx,
              unsigned long long flip, long long first_word, long long out_nx, Bits* out) {
  const Lanes lane(warp_index(), n_rows, n_words, rx);
  if (lane.slice >= n_slices) return;
  const long long plane = (n_rows + 2 * ry) * n_words;
  const Bits* const centre = planes + lane.slice * (rz + 1) * plane +
                             (lane.exists ? (lane.y + ry) * n_words + lane.word : ry * n_words);
  Bits sum = lane.exists ? 0 : flip;
  bool ends =
      flip == 0 && !__any_sync(kAllLanes, lane.exists && has_any_near(centre + rz * plane, ry, n_words));
  for (long long h = rx; h >= 0 && !ends; h--) {
    const Bits west = __shfl_up_sync(kAllLanes, sum, 1), east = __shfl_down_sync(kAllLanes, sum, 1);
    if (h < rx)
      sum |= step_right(sum, lane.is_first ? flip : west) | step_left(sum, lane.is_last ? flip : east);
    const Reach* const pairs = reaches + h * (ry + 1);
    for (int i = 0; lane.exists && i < n_reaches[h]; i++) {
      const Bits* const at = centre + pairs[i].m * plane;
      sum |= at[pairs[i].dy * n_words] | at[-pairs[i].dy * n_words];
    }
    ends = __all_sync(kAllLanes, !lane.exists || sum == ~Bits{0});
  }
  const long long word = lane.word - first_word, out_words = (out_nx + 63) / 64;
  if (!lane.is_result || word < 0 || word >= out_words) return;
  const Bits inside = word == out_words - 1 ? low_ones(static_cast<int>((out_nx + 63) % 64) + 1) : ~Bits{0};
  out[(lane.slice * n_rows + lane.y) * out_words + word] = (sum ^ flip) & inside;
}

}  // namespace fg
