// What a block of morphology_ball.cu holds of a ball and of a mask.
#pragma once
#include "cuda/device.h"
#include "shared/bits.h"

namespace fg {

constexpr int kRows = 64;   // of one column of words: a block's results
constexpr int kSlices = 2;  // of which a lane has all
constexpr int kShares = 2;  // lanes that share the ball for the same results
constexpr int kThreads = kRows * kShares;

// The words of one place in each of a block's slices.
struct alignas(8 * kSlices) Stack {
  Bits of[kSlices];

  __device__ __forceinline__ bool is_full() const {
    Bits all = ~Bits{0};
#pragma unroll
    for (int k = 0; k < kSlices; k++) all &= of[k];
    return all == ~Bits{0};
  }
};

// Where four stacks lie behind a lane's first, in bytes.
struct alignas(16) Quad {
  int at[4];
};

// The rows of a block: blocks are dealt out line by line.
struct Stretch {
  unsigned line;
  long long first;

  __device__ Stretch(long long n_rows, int rows_a_block) {
    const unsigned n = static_cast<unsigned>((n_rows + rows_a_block - 1) / rows_a_block);
    line = blockIdx.x / n;
    first = static_cast<long long>(blockIdx.x % n) * rows_a_block;
  }
};

// Part of a ball: n_planes distances along z and n_dys rows, of which a block holds a window.
struct Part {
  int first_m, end_m, first_dy, n_dys, n_window;

  __device__ Part(int i, long long rz, long long ry, long long n_planes, long long most_dys) {
    const int planes = static_cast<int>(n_planes), rows = static_cast<int>(most_dys);
    const int deep = static_cast<int>(rz), high = static_cast<int>(ry), across = (2 * high + rows) / rows;
    first_m = i / across * planes;
    end_m = min(first_m + planes, deep + 1);
    first_dy = i % across * rows - high;
    n_dys = min(rows, high + 1 - first_dy);
    n_window = kRows + rows - 1;
  }

  __device__ static int count(long long rz, long long ry, long long n_planes, long long most_dys) {
    const int planes = static_cast<int>(n_planes), rows = static_cast<int>(most_dys);
    return (static_cast<int>(rz) + planes) / planes * ((2 * static_cast<int>(ry) + rows) / rows);
  }
};

// One column of the words of a mask that lie in the order (z, column, y), seen from a slice that need not
// exist. What the mask has not counts as 0; words are inverted by `flip`.
struct Column {
  const Bits* words;  // of that slice
  long long step, n_rows;
  int first_d, n_d;  // the slices d away that exist, of those in reach
  Bits flip;

  __device__ Column(const Bits* source, long long n_slices, long long n_columns, long long rows, long long z,
                    long long column, long long rz, Bits flip_)
      : words(source + (z * n_columns + column) * rows),
        step(n_columns * rows),
        n_rows(column >= 0 && column < n_columns ? rows : 0),
        flip(flip_) {
    const long long least = -rz, end = rz + kSlices;
    first_d = static_cast<int>(min(max(-z, least), end));
    n_d = static_cast<int>(max(min(n_slices - z, end) - first_d, 0ll));
  }

  __device__ __forceinline__ bool has_row(long long y) const { return y >= 0 && y < n_rows; }
  __device__ __forceinline__ Bits at(bool has_row, long long y, int d) const {
    const bool exists = has_row && static_cast<unsigned>(d - first_d) < static_cast<unsigned>(n_d);
    return (exists ? words[y + d * step] : 0) ^ flip;
  }
  __device__ __forceinline__ Stack stack(long long y) const {
    Stack words_at;
#pragma unroll
    for (int k = 0; k < kSlices; k++) words_at.of[k] = at(has_row(y), y, k);
    return words_at;
  }
};

// Fills the planes of a part; row 0 is first_row of the column. Slices before and after are read once for all
// of a block's: their words move on from slice to slice.
__device__ __forceinline__ void join_slices(const Column& column, long long first_row, const Part& part,
                                            Stack* planes) {
  for (int i = threadIdx.x; i < part.n_window; i += kThreads) {
    const long long y = first_row + i;
    const bool has_row = column.has_row(y);
    Stack joined = column.stack(y), before = joined, after = joined, *plane = planes + i;
    if (part.first_m == 0) {
      *plane = joined;
      plane += part.n_window;
    }
#pragma unroll 8
    for (int m = 1; m < part.end_m; m++) {
#pragma unroll
      for (int k = kSlices - 1; k > 0; k--) before.of[k] = before.of[k - 1];
#pragma unroll
      for (int k = 0; k < kSlices - 1; k++) after.of[k] = after.of[k + 1];
      before.of[0] = column.at(has_row, y, -m);
      after.of[kSlices - 1] = column.at(has_row, y, kSlices - 1 + m);
#pragma unroll
      for (int k = 0; k < kSlices; k++) joined.of[k] |= before.of[k] | after.of[k];
      if (m < part.first_m) continue;
      *plane = joined;
      plane += part.n_window;
    }
  }
}

// A lane's words as they grow along x, and how far beyond their ends.
struct Growth {
  Stack sum;
  int left[kSlices], right[kSlices];

  __device__ __forceinline__ Growth() = default;
  __device__ __forceinline__ Growth(const Stack& words, int reach) : sum(words) {
#pragma unroll
    for (int k = 0; k < kSlices; k++) left[k] = right[k] = words.of[k] == ~Bits{0} ? reach : 0;
  }
  __device__ __forceinline__ void step() {
#pragma unroll
    for (int k = 0; k < kSlices; k++) {
      right[k] += static_cast<int>(sum.of[k] >> 63);
      left[k] += static_cast<int>(sum.of[k] & 1);
      sum.of[k] |= sum.of[k] << 1 | sum.of[k] >> 1;
    }
  }
  __device__ __forceinline__ void add(int reach) {
#pragma unroll
    for (int k = 0; k < kSlices; k++) {
      right[k] += reach;
      left[k] += reach;
    }
  }
  __device__ __forceinline__ void join(const Growth& other) {
#pragma unroll
    for (int k = 0; k < kSlices; k++) {
      sum.of[k] |= other.sum.of[k];
      left[k] = max(left[k], other.left[k]);
      right[k] = max(right[k], other.right[k]);
    }
  }
};

}  // namespace fg
