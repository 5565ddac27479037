// The passes of k-means over rows less an origin: nearest centres, the potentials of k-means++ and its
// distances.
//
// A thread takes a row, or sixteen. The centres are columns, padded to fours with zeros and infinite norms,
// so that a feature of a row is read once for four of them. Squared distances are |c|^2 - 2 x.c + |x|^2, at
// least 0; the nearest centre is the first of least |c|^2 - 2 x.c. Sums are in float64, first over a block in
// a binary tree, then over blocks in rising order (em_collect of em_rows.cu): the same bits on every run of
// one machine code. The sums of the clusters are the moments of em_rows.cu with labels for responsibilities.
//
// Cost per row and centre: 2 d operations; a row is read once for each four centres, from L1 after the first.
// For the 2^18 rows that a start looks at, d = 8 and K = 8 float64: 34 million operations and 17 MB, some 20
// microseconds a pass with its launch. Predicted, not measured.
#include "cuda/em_rows.h"

namespace fg {

constexpr int kThreads = 256;       // rows of a sum of kmeans_approach: KMEANS_ROWS of the contract
constexpr long long kChunk = 4096;  // rows of a block of kmeans_potentials, sixteen for each thread

// columns (d, width) and norms (width), width a multiple of kColumns.
struct Centres {
  const double *origin, *columns, *norms;
  int n_features, width;
};

// product[j] = x . centre first + j, x the row less the origin; returns |x|^2.
__device__ double multiply_centres(const Rows<FG_REAL>& rows, long long row, const Centres& c, int first,
                                   double (&product)[kColumns]) {
  double length = 0.0;
#pragma unroll
  for (int j = 0; j < kColumns; ++j) product[j] = 0.0;
#pragma unroll 2  // more spills on sm_90
  for (int i = 0; i < c.n_features; ++i) {
    const double centred = rows.at(row, i) - c.origin[i];
    const FourColumns columns =
        *reinterpret_cast<const FourColumns*>(c.columns + static_cast<long long>(i) * c.width + first);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) product[j] += centred * columns.at[j];
    length += centred * centred;
  }
  return length;
}

__device__ double squared_distance(double norm, double product, double length) {
  const double distance = (norm - (product + product)) + length;
  return distance > 0.0 ? distance : 0.0;
}

__device__ int nearest_centre(const Rows<FG_REAL>& rows, long long row, const Centres& c) {
  double product[kColumns], least = 0.0;
  int nearest = -1;
  for (int first = 0; first < c.width; first += kColumns) {
    multiply_centres(rows, row, c, first, product);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const double score = c.norms[first + j] - (product[j] + product[j]);
      if (nearest >= 0 && !(score < least)) continue;
      least = score;
      nearest = first + j;
    }
  }
  return nearest;
}

// Overwrites labels (n); n_changed (blocks): the rows of a block whose label is another than before.
extern "C" __global__ void __launch_bounds__(kThreads)
    kmeans_nearest(const FG_REAL* values, long long row_stride, long long feature_stride, long long n,
                   const double* origin, const double* columns, const double* norms, long long d,
                   long long width, int* labels, double* n_changed) {
  CU_SHARED(double, slots, [kThreads]);
  const Rows<FG_REAL> rows{values, row_stride, feature_stride, n};
  const Centres c{origin, columns, norms, static_cast<int>(d), static_cast<int>(width)};
  const long long row = thread_index();
  double changed[1] = {};
  if (row < n) {
    const int nearest = nearest_centre(rows, row, c);
    changed[0] = labels[row] != nearest;
    labels[row] = nearest;
  }
  add_groups(changed, slots, 1, kThreads);
  if (threadIdx.x == 0) n_changed[blockIdx.x] = changed[0];
}

// Lowers closest (n) to the squared distance to one centre (d); sums (blocks): of weight * closest.
extern "C" __global__ void __launch_bounds__(kThreads)
    kmeans_approach(const FG_REAL* values, long long row_stride, long long feature_stride, long long n,
                    const double* weights, const double* origin, const double* centre, double norm,
                    long long d, double* closest, double* sums) {
  CU_SHARED(double, slots, [kThreads]);
  const Rows<FG_REAL> rows{values, row_stride, feature_stride, n};
  const long long row = thread_index();
  double term[1] = {};
  if (row < n) {
    double product = 0.0, length = 0.0;
    for (long long i = 0; i < d; ++i) {
      const double centred = rows.at(row, i) - origin[i];
      product += centred * centre[i];
      length += centred * centred;
    }
    const double distance = squared_distance(norm, product, length), before = closest[row];
    const double least = distance < before ? distance : before;
    closest[row] = least;
    term[0] = weights ? weights[row] * least : least;
  }
  add_groups(term, slots, 1, kThreads);
  if (threadIdx.x == 0) sums[blockIdx.x] = term[0];
}

// partial (chunks, width): sums of weight * min(closest, squared distance to each centre).
extern "C" __global__ void __launch_bounds__(kThreads)
    kmeans_potentials(const FG_REAL* values, long long row_stride, long long feature_stride, long long n,
                      const double* weights, const double* origin, const double* columns, const double* norms,
                      long long d, long long width, const double* closest, double* partial) {
  CU_SHARED(double, slots, [kColumns * kThreads]);
  const Rows<FG_REAL> rows{values, row_stride, feature_stride, n};
  const Centres c{origin, columns, norms, static_cast<int>(d), static_cast<int>(width)};
  const long long begin = blockIdx.x * kChunk, end = min(begin + kChunk, n);
  for (int first = 0; first < c.width; first += kColumns) {
    double totals[kColumns] = {}, product[kColumns];
    for (long long row = begin + threadIdx.x; row < end; row += kThreads) {
      const double length = multiply_centres(rows, row, c, first, product);
      const double weight = weights ? weights[row] : 1.0, near = closest[row];
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        const double distance = squared_distance(c.norms[first + j], product[j], length);
        totals[j] += weight * (distance < near ? distance : near);
      }
    }
    add_groups(totals, slots, 1, kThreads);
    if (threadIdx.x == 0) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) partial[blockIdx.x * width + first + j] = totals[j];
    }
  }
}

}  // namespace fg
