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

// The same while other threads unite: `memory` has load(p), store(p, value), and lower(p, value), which makes
// *p the less of the two in one step and returns what it was. Roots only ever hang below smaller ones, so
// nothing can wait for ever; the sets, and with them every root, are the same for any order of the threads.
//
// Every step on the way up hangs i below its grandparent of the time, by a plain store that may be late: it
// may put back an older parent than lower() has put there. No link is lost for good: whoever replaces a
// parent by lower() goes on to join both, and a grandparent is above any parent that i ever had through links
// of members smaller than i. So all parents that i has had stay joined without i's own link, by induction on
// i. A member that is no root never becomes one again.
template <class Index, class Memory>
FG_HD Index find_root(Index* parent, Index i, const Memory& memory) {
  for (Index up = memory.load(parent + i); up != i;) {
    const Index next = memory.load(parent + up);
    if (next != up) memory.store(parent + i, next);
    i = up;
    up = next;
  }
  return i;
}

// Hangs i below its root, in steps that help those who do the same for what hangs below i; each member but by
// one thread, and nobody unites or finds meanwhile: a late store of theirs would take i off its root.
template <class Index, class Memory>
FG_HD Index hang_below_root(Index* parent, Index i, const Memory& memory) {
  Index up = memory.load(parent + i);
  for (Index next; (next = memory.load(parent + up)) != up; up = next) memory.store(parent + i, next);
  return up;
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
