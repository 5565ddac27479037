// Dilation by a ball, from bounded distances held as bits; erosion is the dilation of the complement.
//
// A voxel is in the dilation if a set voxel lies m slices, |dy| rows and |dx| voxels away, with (m, dy, dx)
// in the ball (shared/ball.h, whole numbers, any radii). A block has rows of one column of words in two
// slices, the lanes of a warp lie along y (ball_window.h). As on the CPU, axis by axis:
//   z  join_slices: plane m holds the voxels with a set one at most m slices away, one bit per unit of
//      distance; a block's planes are in shared memory, those of large balls part by part
//   y  grow_along_x: with h steps along x to spare, each dy needs the plane of the largest m that the ball
//      allows, and only where that m grows as h falls: places that measure_reach lists
//   x  the sum so far is grown by one voxel, and the places of the next smaller h join it
// Each word grows by itself: for how many steps its first and its last bit are set tells how far it reaches
// into its neighbours, and join_words lets it. Two warps share the places of the same words. Rows that are
// all set, or that have no voxel in reach by the marks of 32 rows, take no part.
//
// Cost for 512 x 512 x 827 and radius r: 0.95 r^2 places of 64 bits a word, 128 bytes a cycle from shared
// memory, that is 1700 cycles of a processor for 32 words and r = 30. Of a synthetic thorax 48 of 180 such
// warps of a slice are near the surface and take four fifths of that: 0.25 ms on 132 processors at 1.95 GHz,
// closing 30 + 20 0.7 ms. Measured on an H200: 2.61 ms, in the lungs' box 2.07 (to reach: 4.2 and 1.7), of
// which grow_ball takes nine tenths. Planes leave room for 12 warps on a processor, whose loads from shared
// memory wait for one another: it is busy for half of the time.
#include "cuda/ball_window.h"
#include "shared/ball.h"

namespace fg {

constexpr int kBlocks = 5;  // on a processor, by the planes of a radius of 20: up to 96 registers

// How far a row's set voxels reach beyond the ends of a word.
struct alignas(4) Edges {
  unsigned short left, right;
};

// The largest m with (m, dy, h) in the ball, -1 if there is none.
__device__ __forceinline__ int largest_m(const Ball& ball, long long dy, long long h) {
  long long least = -1, end = ball.rz + 1;
  while (end - least > 1) {
    const long long m = (least + end) / 2;
    (ball.contains(m, dy, h) ? least : end) = m;
  }
  return static_cast<int>(least);
}

// For each part and h in 0..rx the stacks of the window that are not within those of h + 1, a warp each. The
// last is repeated so that they are whole quads.
extern "C" __global__ void __launch_bounds__(kThreads)
    measure_reach(long long rz, long long ry, long long rx, long long n_planes, long long n_dys,
                  long long n_quads, int* places, int* counts) {
  const long long warp = warp_index(), h = warp % (rx + 1), i = warp / (rx + 1);
  if (i >= Part::count(rz, ry, n_planes, n_dys)) return;
  const Part part(static_cast<int>(i), rz, ry, n_planes, n_dys);
  const Ball ball{rz, ry, rx};
  int* const out = places + warp * n_quads * 4;
  int n = 0, last = 0;
  for (int first = 0; first < part.n_dys; first += kWarp) {
    const int row = first + lane_index(), dy = part.first_dy + row;
    const int m = largest_m(ball, dy, h), wider = h < rx ? largest_m(ball, dy, h + 1) : -1;
    const bool is_new = row < part.n_dys && m > wider && m >= part.first_m && m < part.end_m;
    const int place = ((m - part.first_m) * part.n_window + row) * static_cast<int>(sizeof(Stack));
    const unsigned votes = __ballot_sync(kAllLanes, is_new);
    if (is_new) out[n + __popc(votes & ((1u << lane_index()) - 1))] = place;
    n += __popc(votes);
    last = votes ? __shfl_sync(kAllLanes, place, 31 - __clz(static_cast<int>(votes))) : last;
  }
  if (lane_index() < (4 - n % 4) % 4) out[n + lane_index()] = last;
  if (lane_index() == 0) counts[warp] = (n + 3) / 4;
}

// Marks the 32 rows of a warp if one has a voxel; all lanes.
__device__ __forceinline__ void mark_rows(bool is_any, long long line, long long y, long long n_rows,
                                          unsigned char* marks) {
  const bool is_marked = __any_sync(kAllLanes, is_any);
  if (lane_index() == 0 && y < n_rows) marks[line * ((n_rows + kWarp - 1) / kWarp) + y / kWarp] = is_marked;
}

// Turns words in the order (z, y, word) into (z, word, y), and marks rows that, inverted by `flip`, have a
// voxel. A block per line, which is a column of one slice, and kThreads rows.
extern "C" __global__ void __launch_bounds__(kThreads)
    turn_words(const Bits* source, long long n_words, long long n_rows, unsigned long long flip, Bits* out,
               unsigned char* marks) {
  const Stretch at(n_rows, kThreads);
  const unsigned across = static_cast<unsigned>(n_words);
  const long long y = at.first + threadIdx.x, slice = at.line / across;
  Bits word = flip;
  if (y < n_rows) word = out[at.line * n_rows + y] = source[(slice * n_rows + y) * across + at.line % across];
  mark_rows(word != flip, at.line, y, n_rows, marks);
}

// Whether a warp's 32 rows, of which the first is y, have a voxel within reach along z and y; `marks` are
// those of the column.
__device__ __forceinline__ bool is_near(const unsigned char* marks, long long step, const Column& column,
                                        long long y, long long rz, long long ry) {
  const long long first = y - ry, end = y + kWarp + ry;
  if (column.flip && (first < 0 || end > column.n_rows || column.n_d < 2 * rz + kSlices)) return true;
  bool is_any = false;
  for (int d = column.first_d + lane_index(); d < column.first_d + column.n_d; d += kWarp) {
    for (long long t = max(first, 0ll) / kWarp; t * kWarp < min(end, column.n_rows); t++)
      is_any |= marks[d * step + t] != 0;
  }
  return __any_sync(kAllLanes, is_any);
}

__device__ __forceinline__ void join_stack(Stack& sum, const Stack* lane, int n_bytes) {
  const Stack found = *reinterpret_cast<const Stack*>(reinterpret_cast<const char*>(lane) + n_bytes);
#pragma unroll
  for (int k = 0; k < kSlices; k++) sum.of[k] |= found.of[k];
}

// What grows from a lane's words and its share of the quads, of which those of h lie at h * n_quads; all
// lanes of a warp. A quad is loaded before the one at hand is used, and a count a step ahead.
__device__ __forceinline__ Growth grow_along_x(const Stack& own, const Stack* lane, const Quad* quads,
                                               const int* counts, int n_quads, unsigned rx, unsigned share,
                                               bool exists) {
  Growth grown(own, 0);
  const Quad* of_h = quads + static_cast<long long>(rx) * n_quads;
  unsigned h = rx;
  int n = counts[rx], i = (share + h) % kShares;
  Quad next = {};
  if (i < n) next = of_h[i];
  for (;; h--) {
    const int n_below = h > 0 ? counts[h - 1] : 0;
    while (i < n) {
      const Quad q = next;
      i += kShares;
      if (i < n) next = of_h[i];
#pragma unroll
      for (int j = 0; j < 4; j++) join_stack(grown.sum, lane, q.at[j]);
    }
    n = n_below;
    i = (share + h - 1) % kShares;
    of_h -= n_quads;
    if (i < n) next = of_h[i];
    if (h == 0 || __all_sync(kAllLanes, !exists || grown.sum.is_full())) break;
    grown.step();
  }
  grown.add(static_cast<int>(h));
  return grown;
}

// Stores what exists of a lane's results.
__device__ __forceinline__ void store(const Growth& grown, long long z, long long column, long long y,
                                      long long n_slices, long long n_columns, long long n_rows, Bits* sums,
                                      Edges* edges) {
#pragma unroll
  for (int k = 0; k < kSlices && z + k < n_slices; k++) {
    const long long at = ((z + k) * n_columns + column) * n_rows + y;
    sums[at] = grown.sum.of[k];
    edges[at] = {static_cast<unsigned short>(grown.left[k]), static_cast<unsigned short>(grown.right[k])};
  }
}

// The words of n_rows rows in n_columns columns, each grown by itself; row 0 of column 0 of slice 0 is
// first_row, first_column, first_slice of the source. A block per kSlices slices, column and kRows rows.
extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    grow_ball(const Bits* source, const unsigned char* marks, long long source_slices,
              long long source_columns, long long source_rows, long long first_slice, long long first_column,
              long long first_row, long long n_slices, long long n_columns, long long n_rows, long long rz,
              long long ry, long long rx, long long n_planes, long long n_dys, const Quad* quads,
              const int* counts, long long n_quads, unsigned long long flip, Bits* sums, Edges* edges) {
  CU_DYN_SHARED(Stack, planes);
  CU_SHARED(Growth, shares, [kShares - 1][kRows]);  // of the warps after the first
  const Stretch at(n_rows, kRows);
  const unsigned across = static_cast<unsigned>(n_columns);
  const long long z = static_cast<long long>(at.line / across) * kSlices, c = at.line % across;
  const long long from_z = z + first_slice, from_c = c + first_column, from_y = at.first + first_row;
  const Column column(source, source_slices, source_columns, source_rows, from_z, from_c, rz, flip);
  const int row = threadIdx.x % kRows, reach = static_cast<int>(rx);
  const unsigned share = threadIdx.x / kRows;
  const bool exists = at.first + row < n_rows;
  const Stack own = column.stack(from_y + row);
  const long long n_marks = (source_rows + kWarp - 1) / kWarp,
                  first_mark = (from_z * source_columns + from_c) * n_marks;
  const bool is_open =
      __any_sync(kAllLanes, exists && !own.is_full()) &&
      is_near(marks + first_mark, source_columns * n_marks, column, from_y + row / kWarp * kWarp, rz, ry);
  Growth grown(own, is_open ? 0 : reach);
  if (__syncthreads_or(is_open)) {
    for (int i = 0; i < Part::count(rz, ry, n_planes, n_dys); i++) {
      const Part part(i, rz, ry, n_planes, n_dys);
      join_slices(column, from_y + part.first_dy, part, planes);
      __syncthreads();
      const long long table = i * (rx + 1);
      if (is_open)
        grown.join(grow_along_x(own, planes + row, quads + table * n_quads, counts + table,
                                static_cast<int>(n_quads), static_cast<unsigned>(reach), share, exists));
      __syncthreads();
    }
    if (share > 0) shares[share - 1][row] = grown;
    __syncthreads();
    for (int s = 1; s < kShares; s++) grown.join(shares[s - 1][row]);
  }
  if (share == 0 && exists) store(grown, z, c, at.first + row, n_slices, n_columns, n_rows, sums, edges);
}

// What grows into a word from the columns beside it.
__device__ __forceinline__ Bits grow_into(const Edges* edges, long long step, long long column,
                                          long long n_columns, int rx, int outside) {
  Bits sum = 0;
  for (int k = 1, beyond = 0; beyond < rx; k++, beyond += 64) {
    const int west = (column >= k ? edges[-k * step].right : outside) - beyond;
    const int east = (column + k < n_columns ? edges[k * step].left : outside) - beyond;
    sum |= low_ones(max(west, 0)) | ~low_ones(64 - min(max(east, 0), 64));
  }
  return sum;
}

// The results: words of rows of out_nx voxels that begin at first_word, inverted by `flip`; outside counts as
// `flip`. Marks, if asked to, rows that are not all set. A block per word of a slice and kThreads rows.
extern "C" __global__ void __launch_bounds__(kThreads)
    join_words(const Bits* sums, const Edges* edges, long long n_columns, long long n_rows, long long rx,
               unsigned long long flip, long long first_word, long long out_nx, long long slice_step,
               long long word_step, long long row_step, Bits* out, unsigned char* marks) {
  const Stretch stretch(n_rows, kThreads);
  const unsigned out_words = static_cast<unsigned>((out_nx + 63) / 64);
  const long long slice = stretch.line / out_words, word = stretch.line % out_words;
  const long long y = stretch.first + threadIdx.x, column = word + first_word;
  Bits result = ~Bits{0};
  if (y < n_rows) {
    const long long at = (slice * n_columns + column) * n_rows + y;
    const int reach = static_cast<int>(rx), outside = flip ? reach : 0;
    result = (sums[at] | grow_into(edges + at, n_rows, column, n_columns, reach, outside)) ^ flip;
    if (word == out_words - 1) result &= low_ones(static_cast<int>((out_nx + 63) % 64) + 1);
    out[slice * slice_step + word * word_step + y * row_step] = result;
  }
  if (marks) mark_rows(result != ~Bits{0}, stretch.line, y, n_rows, marks);
}

}  // namespace fg
