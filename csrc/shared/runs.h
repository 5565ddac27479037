// Runs of set bits in the rows of a mask: what connected components are made of.
//
// A run is known by its number in scan order; where it lies is read off the mask's words when needed, so a
// run costs one index. A row r looks back at the rows a, b, c, d (seen end on: y to the right, z downwards, x
// away from the reader):
//
//     b c d         6 neighbours: a, c                    contact: a maximal piece of r & c
//     a r          18: a and c also aside in x; b, d      aside: or a run that starts where the other row's
//                  26: all four also aside                       has just ended
//
// The number of runs that started up to the first bit of a contact names both runs, and one union joins them
// (shared/union_find.h).
// After: He, Chao, Suzuki, "A run-based two-scan labeling algorithm", IEEE Trans. Image Processing 17 (2008).
#pragma once
#include "shared/bits.h"

namespace fg {

// A row met earlier in scan order whose runs may touch those of the row at hand; aside: also one step away in
// x.
struct NeighbourRow {
  int dz, dy;
  bool aside;
  FG_HD long long rows_back(long long ny) const { return -(dz * ny + dy); }
  FG_HD bool is_inside(long long z, long long y, long long ny) const {
    return z + dz >= 0 && y + dy >= 0 && y + dy < ny;
  }
};

// Row i of those that a run of a row may touch, in the order a, c, b, d.
FG_HD int count_neighbour_rows(int connectivity) {
  return connectivity >= 18 ? 4 : 2;
}
FG_HD NeighbourRow neighbour_row(int i, int connectivity) {
  return {i > 0 ? -1 : 0, i == 1 ? 0 : i == 3 ? 1 : -1, connectivity >= (i < 2 ? 18 : 26)};
}

template <class Word>
FG_HD long long count_starts(const Word* row, long long n_words) {
  long long n = n_words ? count_ones(row[0] & ~(row[0] << 1)) : 0;
  for (long long w = 1; w < n_words; w++) n += count_ones(row[w] & ~step_right(row[w], row[w - 1]));
  return n;
}

// Whether a contact need not be told, by its bits in one word: never, and where it lies along a contact of
// the rows beside both, whose bits are `beside`.
struct TellAll {
  template <class Word>
  FG_HD bool operator()(Word) const {
    return false;
  }
};
template <class Word>
struct TellNew {
  Word beside;
  FG_HD bool operator()(Word contact) const { return contact & beside; }
};

// Calls join(i, j) for each contact of rows p and q that begins in one word of them; i, j are the last runs
// begun in the words before.
template <class Word, class Index, class Join, class IsKnown>
FG_HD void join_words(Word p, Word p_before, Word q, Word q_before, bool aside, Index i, Index j,
                      const Join& join, const IsKnown& is_known) {
  const Word p_left = step_right(p, p_before), q_left = step_right(q, q_before), both = p & q;
  const Word p_starts = p & ~p_left, q_starts = q & ~q_left;
  Word contacts = both & ~(p_left & q_left);
  if (aside) contacts |= (p_starts & q_left & ~q) | (q_starts & p_left & ~p);
  for (; contacts; contacts &= contacts - 1) {
    const Word up_to = contacts ^ (contacts - 1);
    if (is_known(both & ~(both + (up_to & contacts)))) continue;  // the sum carries through the contact
    join(static_cast<Index>(i + count_ones(p_starts & up_to)),
         static_cast<Index>(j + count_ones(q_starts & up_to)));
  }
}

// Calls join(i, j) for each run i of row p that meets run j of row q; first_i, first_j are the rows' first
// runs.
template <class Word, class Index, class Join>
FG_HD void join_rows(const Word* p, const Word* q, long long n_words, bool aside, Index first_i,
                     Index first_j, const Join& join) {
  Index i = first_i - 1, j = first_j - 1;
  Word p_before = 0, q_before = 0;
  for (long long w = 0; w < n_words; p_before = p[w], q_before = q[w], w++) {
    join_words(p[w], p_before, q[w], q_before, aside, i, j, join, TellAll{});
    i += static_cast<Index>(count_ones(p[w] & ~step_right(p[w], p_before)));
    j += static_cast<Index>(count_ones(q[w] & ~step_right(q[w], q_before)));
  }
}

// Calls visit(run, begin, end) for each run of a row, in order; `run` is the number of the first.
template <class Word, class Index, class Visit>
FG_HD void visit_runs(const Word* row, long long nx, Index run, const Visit& visit) {
  long long begin = 0;
  bool open = false;
  Word before = 0;
  for (long long w = 0; 64 * w < nx; before = row[w++]) {
    for (Word edges = row[w] ^ step_right(row[w], before); edges; edges &= edges - 1) {
      const long long x = 64 * w + lowest_one(edges);
      if (open) {
        visit(run++, begin, x);
      } else {
        begin = x;
      }
      open = !open;
    }
  }
  if (open) visit(run, begin, nx);
}

// Where the run ends that has bit `begin` of a row.
template <class Word>
FG_HD long long end_of_run(const Word* row, long long n_words, long long begin) {
  long long w = begin / 64;
  Word gaps = ~row[w] & ~low_ones(static_cast<int>(begin % 64));
  while (!gaps && ++w < n_words) gaps = ~row[w];
  return 64 * w + (gaps ? lowest_one(gaps) : 0);
}

// The runs of `row` that are wanted: keep(i) for run i, counted from 0. Adding a run's first bit to the row
// carries through the run and clears it, so what is set before and clear after the addition of all wanted
// first bits is what was wanted.
template <class Word, class Keep>
FG_HD void select_row(const Word* row, long long n_words, const Keep& keep, Word* out) {
  Word before = 0, carry = 0;
  long long run = 0;
  for (long long w = 0; w < n_words; before = row[w++]) {
    Word wanted = 0;
    for (Word starts = row[w] & ~step_right(row[w], before); starts; starts &= starts - 1)
      wanted |= (starts & (0 - starts)) * keep(run++);
    const Word sum = row[w] + wanted, total = sum + carry;
    carry = (sum < wanted) | (total < carry);
    out[w] = row[w] & ~total;
  }
}

}  // namespace fg
