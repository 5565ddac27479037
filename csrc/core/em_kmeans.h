// The passes of k-means over rows, for its seeding (k-means++) and its steps (Lloyd).
//
// Each pass reads the rows once, in blocks of kKmeansRows that are copied feature by feature; nothing of size
// n x K exists. All rows and centres are taken less `origin`. A squared distance is |c|^2 - 2 x.c + |x|^2, at
// least 0, added up in that order, so that ties fall as in scikit-learn. Blocks are added up within chunks
// and chunks in rising order, both functions of the shape, so any number of threads gives the same bits (at
// one instruction set). Cost per row and centre: d multiply-adds, and d more for the sums of a step.
//
// Arthur and Vassilvitskii, SODA 2007; Lloyd, IEEE Transactions on Information Theory 28(2), 1982.
#pragma once
#include <cstdint>

#include "core/em_blocks.h"

namespace fg {

constexpr int kKmeansRows = 256;

// centres has shape (n, n_features), origin (n_features,).
struct CentresView {
  int n, n_features;
  const double* origin;
  const double* centres;
};

// Sums over the rows nearest to each centre: of the weights (n,), and of weight * row (n, n_features).
struct ClustersOut {
  std::int64_t* n_changed;  // rows whose label is another than before
  double* mass;
  double* first;
};

// Finds the nearest centre of each row, the first of equals, and adds up the clusters.
template <class T>
void kmeans_step(const RowsView<T>& rows, const CentresView& centres, std::int32_t* labels,
                 const ClustersOut& out, int n_threads);

// potentials[j] = sum of weight * min(closest, squared distance to centre j).
template <class T>
void kmeans_potentials(const RowsView<T>& rows, const CentresView& centres, const double* closest,
                       double* potentials, int n_threads);

// closest becomes the least of itself and the squared distance to the only centre; block_sums[i] is the sum
// of weight * closest over the rows of block i.
template <class T>
void kmeans_approach(const RowsView<T>& rows, const CentresView& centre, double* closest, double* block_sums,
                     int n_threads);

}  // namespace fg
