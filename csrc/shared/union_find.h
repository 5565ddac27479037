// Disjoint sets in one array: parent[i] <= i, and i is the root of its set, its smallest member, where they
// are equal.
#pragma once
#include "shared/portable.h"

namespace fg {

// Halves the path on the way up.
template <class Index>
FG_HD Index find_root(Index* parent, Index i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

template <class Index>
FG_HD void unite(Index* parent, Index i, Index j) {
  if (parent[i] == parent[j]) return;
  i = find_root(parent, i);
  j = find_root(parent, j);
  if (i < j) {
    parent[j] = i;
  } else {
    parent[i] = j;
  }
}

// The same while other threads unite: `memory` has load(p), and lower(p, value), which makes *p the less of
// the two in one step and returns what it was. Roots only ever hang below smaller ones, so nothing can wait
// for ever; the sets, and with them every root, are the same for any order of the threads.
template <class Index, class Memory>
FG_HD Index find_root(const Index* parent, Index i, const Memory& memory) {
  for (Index up; (up = memory.load(parent + i)) != i;) i = up;
  return i;
}

template <class Index, class Memory>
FG_HD void unite(Index* parent, Index i, Index j, const Memory& memory) {
  for (;;) {
    i = find_root(parent, i, memory);
    j = find_root(parent, j, memory);
    if (i == j) return;
    const Index upper = i < j ? i : j, lower = i < j ? j : i;
    const Index was = memory.lower(parent + lower, upper);
    if (was == lower) return;  // it was a root still
    i = was;                   // another thread was first: what it hung below belongs to the set, too
    j = upper;
  }
}

// Replaces each of n parents by the number of its set, from 0 in the order of first members; returns how many
// sets.
template <class Index>
FG_HD Index number_sets(Index* parent, Index n) {
  Index n_sets = 0;
  for (Index i = 0; i < n; i++) parent[i] = parent[i] == i ? n_sets++ : parent[parent[i]];
  return n_sets;
}

}  // namespace fg
