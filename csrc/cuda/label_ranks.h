// Ranks of labels, so that three bits tell apart the values of a round where labels above 7 occur.
#pragma once
#include "cuda/label_tile.h"

namespace fg {

// Lists the labels that occur, rising; returns how many.
__device__ __forceinline__ int list_values(const Labels& source, const Tile& tile, const Shared& shared) {
  for (int i = threadIdx.x; i < tile.n_rows() * (kWords + 2); i += kThreads) {
    const int w = i % (kWords + 2) - 1;  // with a word on either side
    for (int k = w < 0 ? kQuads - 1 : 0; k < (w < kWords ? kQuads : 1); k++) {
      const unsigned four = source.quad(shared.rows[i / (kWords + 2)], tile.x + 32 * w + 4 * k);
      for (int j = 0; j < 32; j += 8) {
        atomicOr(shared.occurs + (four >> j & 255) / 32, 1u << (four >> j & 31));
      }
    }
  }
  __syncthreads();
  int n = 0;
  for (int i = 0; i < 8; i++) n += __popc(shared.occurs[i]);
  for (int label = threadIdx.x; label < 256; label += kThreads) {
    int n_before = 0;
    for (int i = 0; i < label / 32; i++) n_before += __popc(shared.occurs[i]);
    const unsigned own = shared.occurs[label / 32];
    n_before += __popc(own & ((1u << label % 32) - 1));
    if (own >> label % 32 & 1) shared.values[n_before] = static_cast<unsigned char>(label);
  }
  __syncthreads();
  return n;
}

// Ranks the labels for a round that tells kRanks of them apart, beginning with the one of rank `base`: a
// table of labels, and one of ranks, which in rounds after the first has 0 for what was settled before.
__device__ __forceinline__ void rank_labels(const Shared& shared, int n, int base) {
  for (int i = threadIdx.x; i < n; i += kThreads) {
    shared.table[shared.values[i]] = static_cast<unsigned char>(min(max(i - base, 0), kRanks - 1));
  }
  if (threadIdx.x < kRanks) {
    const int i = base + static_cast<int>(threadIdx.x);
    const bool told = i < n && (threadIdx.x || !base);
    shared.told[threadIdx.x] = told ? shared.values[i] : 0;
  }
}

}  // namespace fg
