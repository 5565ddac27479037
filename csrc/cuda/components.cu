// Connected components of a mask, on its runs (shared/runs.h): who belongs together.
//
// A thread takes a word of 64 voxels. count_runs counts the runs that begin in it, a prefix sum over words
// numbers them. hang_runs hangs each run below the first it meets of the row before, by a store: no two
// threads write to one run; shorten_paths hangs all below the roots there are then, the tops of what is
// joined within a slice. unite_runs makes the unions that are left, all at once, with atomicMin on the
// parents (shared/union_find.h): no thread ever waits for another, and roots, the first runs of their
// components, are the same in any order. A contact of rows r and c (shared/runs.h) needs none where a and b
// are set beside it: r meets a there, a meets b, b meets c, and all but the second lie within a slice, where
// none is left out; on the second the same holds a row before. Of 436,000 contacts between slices of a chest
// 7,200 are left. find_roots flattens; a prefix sum over roots numbers the components as SciPy does. Run
// numbers are FG_INDEX: int, or long long where there may be more than 2^31 - 1 runs.
//
// Cost at 512 x 512 x 827: five passes over the words (27 MB, in the L2 cache after the first) and the 13 MB
// of their first runs, 0.05 ms at 4.3 TB/s; three over 1.2e6 runs of 4 bytes, each following parents in the
// L2 cache. Measured on an NVIDIA H200 at 512 x 512 x 128: count_runs 0.004 ms, its sum 0.013, hang_runs
// 0.007, shorten_paths 0.007, unite_runs 0.036, find_roots 0.005, number_runs 0.003; with a thread per row
// and all unions made by atomics unite_runs took 0.585. Components and selection at 827 slices, host
// included: 0.51 ms (issue: 0.4), before 1.69; without shorten_paths 0.95, a thread per row 0.52 to 0.63, a
// thread to the same word of eight slices 0.57 to 0.59.
#include "cuda/device.h"
#include "cuda/parents.h"
#include "shared/runs.h"

namespace fg {

using Index = FG_INDEX;
constexpr int kThreads = 256;  // no barriers: any number would do
constexpr int kBlocks = 4;     // on a processor: unite_runs gets up to 64 registers

// Counts the runs that begin in each word; first a 0.
extern "C" __global__ void __launch_bounds__(kThreads)
    count_runs(const Bits* mask, long long n_rows, long long n_words, unsigned char* n_runs) {
  const long long at = thread_index();
  if (at == 0) n_runs[0] = 0;
  if (at >= n_rows * n_words) return;
  const Bits before = at % n_words > 0 ? mask[at - 1] : 0;
  n_runs[at + 1] = static_cast<unsigned char>(count_ones(mask[at] & ~step_right(mask[at], before)));
}

// A word of a mask, and what meets it.
struct Place {
  const Bits* mask;
  const Index* first_run;  // of each word: how many runs begin before it
  long long nz, ny, n_words, at;

  __device__ long long n() const { return nz * ny * n_words; }
  __device__ long long row() const { return at / n_words; }

  // Calls join(i, j) for each contact that begins in the word and one `back` words before.
  template <class Join, class IsKnown>
  __device__ void meet(long long back, bool aside, const Join& join, const IsKnown& is_known) const {
    const bool has_before = at % n_words > 0;
    const long long behind = at - back;
    const Bits p = mask[at], q = mask[behind];
    const Bits p_before = has_before ? mask[at - 1] : 0, q_before = has_before ? mask[behind - 1] : 0;
    join_words(p, p_before, q, q_before, aside, first_run[at] - 1, first_run[behind] - 1, join, is_known);
  }
};

// The runs of a word, hung one after the other below the first run each meets, or below themselves.
struct HangRuns {
  Index* parents;
  Index* next;
  __device__ void up_to(Index i) const {
    for (; *next < i; ++*next) parents[*next] = *next;
  }
  __device__ void operator()(Index i, Index j) const {
    up_to(i);
    if (*next == i) parents[(*next)++] = j;
  }
};

// Gives each run its first parent: the run of the row before that it meets first in the word where it begins.
extern "C" __global__ void __launch_bounds__(kThreads)
    hang_runs(const Bits* mask, long long nz, long long ny, long long n_words, long long connectivity,
              const Index* first_run, Index* parents) {
  const Place place{mask, first_run, nz, ny, n_words, thread_index()};
  if (place.at >= place.n() || first_run[place.at] == first_run[place.at + 1]) return;
  Index next = first_run[place.at];
  const HangRuns hang{parents, &next};
  if (place.row() % ny > 0) {
    const bool aside = neighbour_row(0, static_cast<int>(connectivity)).aside;
    place.meet(n_words, aside, hang, TellAll{});
  }
  hang.up_to(first_run[place.at + 1]);
}

struct UniteRuns {
  Index* parents;
  __device__ void operator()(Index i, Index j) const { unite(parents, i, j, Parents{}); }
};

// All but the contacts by which runs have been hung: the first of each that begins in the word.
struct UniteLater {
  Index* parents;
  Index* last;
  __device__ void operator()(Index i, Index j) const {
    if (*last == i) unite(parents, i, j, Parents{});
    *last = i;
  }
};

extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    unite_runs(const Bits* mask, long long nz, long long ny, long long n_words, long long connectivity,
               const Index* first_run, Index* parents) {
  const Place place{mask, first_run, nz, ny, n_words, thread_index()};
  if (place.at >= place.n() || mask[place.at] == 0) return;
  const long long z = place.row() / ny, y = place.row() % ny;
  const int conn = static_cast<int>(connectivity);
  for (int i = 0; i < count_neighbour_rows(conn); i++) {
    const NeighbourRow n = neighbour_row(i, conn);
    if (!n.is_inside(z, y, ny)) continue;
    const long long back = n.rows_back(ny) * n_words;
    if (i == 0) {
      Index last = first_run[place.at] - 1;
      place.meet(back, n.aside, UniteLater{parents, &last}, TellAll{});
    } else if (i == 1 && y > 0) {
      const Bits beside = mask[place.at - n_words] & mask[place.at - back - n_words];
      place.meet(back, n.aside, UniteRuns{parents}, TellNew<Bits>{beside});
    } else {
      place.meet(back, n.aside, UniteRuns{parents}, TellAll{});
    }
  }
}

// Hangs each run below its root of the time.
extern "C" __global__ void __launch_bounds__(kThreads) shorten_paths(long long n_runs, Index* parents) {
  const long long run = thread_index();
  if (run < n_runs) hang_below_root(parents, static_cast<Index>(run), Parents{});
}

// Hangs each run below its root, and marks the roots.
extern "C" __global__ void __launch_bounds__(kThreads)
    find_roots(long long n_runs, Index* parents, Index* is_root) {
  const long long run = thread_index();
  if (run >= n_runs) return;
  is_root[run] = hang_below_root(parents, static_cast<Index>(run), Parents{}) == run;
}

// Turns each run's root into the number of its component, from 0; n_roots: how many roots there are up to a
// run.
extern "C" __global__ void __launch_bounds__(kThreads)
    number_runs(long long n_runs, const Index* n_roots, Index* roots) {
  const long long run = thread_index();
  if (run < n_runs) roots[run] = n_roots[roots[run]] - 1;
}

}  // namespace fg
