// Connected components of a mask, on its runs (shared/runs.h): who belongs together.
//
// A thread takes a row, 64 bytes of words for 512 voxels. count_runs counts its runs, a prefix sum over rows
// numbers them; unite_runs makes one union per contact with the rows that come before, all at once, with
// atomicMin on the parents (shared/union_find.h): no thread ever waits for another, and roots, the first runs
// of their components, are the same in any order. find_roots flattens; a prefix sum over roots numbers the
// components as SciPy does. Run numbers are FG_INDEX: int, or long long above 2^31 - 1 runs.
//
// Cost at 512 x 512 x 827: three passes over the words (27 MB each; the rows behind are in the L2 cache),
// 0.019 ms at 4.3 TB/s. A chest has about 1.5e6 runs and 2.5e6 contacts; a union is some five dependent
// accesses to the L2 cache of 0.2 us, of which 2.7e5 threads are under way at a time: 0.01 to 0.05 ms. Four
// bytes a run are written and read three times. With five launches and two prefix sums about 0.15 ms; random
// noise, with 30 runs a row, 1 ms.
#include "cuda/device.h"
#include "cuda/parents.h"
#include "shared/runs.h"

namespace fg {

using Index = FG_INDEX;
constexpr int kThreads = 256;  // no barriers: any number would do
constexpr int kBlocks = 4;     // on a processor: unite_runs gets up to 64 registers

extern "C" __global__ void __launch_bounds__(kThreads)
    count_runs(const Bits* mask, long long n_rows, long long n_words, long long* n_runs) {
  const long long row = thread_index();
  if (row < n_rows) n_runs[row] = count_starts(mask + row * n_words, n_words);
}

extern "C" __global__ void __launch_bounds__(kThreads) start_runs(long long n_runs, Index* parents) {
  const long long run = thread_index();
  if (run < n_runs) parents[run] = static_cast<Index>(run);
}

struct UniteRuns {
  Index* parents;
  FG_HD void operator()(Index i, Index j) const { unite(parents, i, j, Parents{}); }
};

extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    unite_runs(const Bits* mask, long long nz, long long ny, long long n_words, long long connectivity,
               const long long* first_run, Index* parents) {
  const long long row = thread_index();
  if (row >= nz * ny || first_run[row] == first_run[row + 1]) return;
  for (int i = 0; i < count_neighbour_rows(static_cast<int>(connectivity)); i++) {
    const NeighbourRow n = neighbour_row(i, static_cast<int>(connectivity));
    const long long other = row - n.rows_back(ny);
    if (!n.is_inside(row / ny, row % ny, ny) || first_run[other] == first_run[other + 1]) continue;
    join_rows(mask + row * n_words, mask + other * n_words, n_words, n.aside,
              static_cast<Index>(first_run[row]), static_cast<Index>(first_run[other]), UniteRuns{parents});
  }
}

// Hangs each run below its root, and marks the roots.
extern "C" __global__ void __launch_bounds__(kThreads)
    find_roots(long long n_runs, Index* parents, unsigned char* is_root) {
  const long long run = thread_index();
  if (run >= n_runs) return;
  const Index root = find_root(parents, static_cast<Index>(run), Parents{});
  cu_store(parents + run, root);
  is_root[run] = root == run;
}

// Turns each run's root into the number of its component, from 0; n_roots: how many roots there are up to a
// run.
extern "C" __global__ void __launch_bounds__(kThreads)
    number_runs(long long n_runs, const Index* n_roots, Index* roots) {
  const long long run = thread_index();
  if (run < n_runs) roots[run] = n_roots[roots[run]] - 1;
}

}  // namespace fg
