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

// Replaces each of n parents by the number of its set, from 0 in the order of first members; returns how many
// sets.
template <class Index>
FG_HD Index number_sets(Index* parent, Index n) {
  Index n_sets = 0;
  for (Index i = 0; i < n; i++) parent[i] = parent[i] == i ? n_sets++ : parent[parent[i]];
  return n_sets;
}

}  // namespace fg
