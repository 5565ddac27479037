// A median by counting, and reflection at a border.
//
// Let v0 < v1 < … < vm be the labels that occur. The one of 0-based rank r among n is above v exactly if at
// least n - r of the n are, so it is v0 plus v(i+1) - v(i) for each i where count(label > vi) >= n - r.
#pragma once
#include "shared/portable.h"

namespace fg {

// How many of n labels must exceed a value for the label of rank n / 2 to exceed it.
FG_HD int majority(int n) {
  return n - n / 2;
}

// The index in 0..n-1 that stands at i: d c b a | a b c d | d c b a, any distance away.
template <class Index>
FG_HD Index reflect(Index i, Index n) {
  if (i < 0) i = -1 - i;
  if (i >= 2 * n) i %= 2 * n;
  return i < n ? i : 2 * n - 1 - i;
}

}  // namespace fg
