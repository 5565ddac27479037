// One fused E- and M-step of a Gaussian mixture in any dimension, over fixed blocks of rows.
//
// A block is copied feature by feature, so that all inner loops run over rows; its responsibilities live in
// L1 or L2 and no n x K matrix exists. Sums are about the present means, in float64 also for float32 rows.
// Blocks are added up within chunks and chunks in rising order; both depend on the shape only, so any number
// of threads gives the same bits (at one instruction set). Cost per row and component: one exp, d (diag) or
// d^2 (full) multiply-adds; tied: d, and d^2 / 2 once.
#pragma once
#include <cstdint>

namespace fg {

enum class Covariance { full, tied, diag };

// precisions: Cholesky factors, upper triangular, of shape (K, d, d) for full, (d, d) for tied, (K, d) for
// diag. log density of component k at x = offsets[k] - |precisions' (x - means[k])|^2 / 2.
struct MixtureView {
  Covariance kind;
  int n_components, n_features;
  const double* offsets;
  const double* means;
  const double* precisions;
};

// Strides count elements. weights may be null (all 1).
template <class T>
struct RowsView {
  const T* values;
  std::int64_t n_rows, row_stride, feature_stride;
  const double* weights;
};

// Sums over rows of weight * responsibility * (x - mean)^0, 1, 2: shapes (K,), (K, d) and (K, d, d) for full,
// (K, d) for diag, none for tied.
struct MomentsOut {
  double* log_likelihood;
  double* mass;
  double* first;
  double* second;
};

// What to write for each row; null leaves it out. responsibilities has shape (n, K).
template <class T>
struct AssignmentOut {
  std::int64_t* labels;
  T* log_density;
  T* responsibilities;
};

template <class T>
void em_step(const RowsView<T>& rows, const MixtureView& mixture, const MomentsOut& out, int n_threads);

// The sums for responsibilities that are given, of shape (n, K).
template <class T>
void em_moments(const RowsView<T>& rows, const double* responsibilities, const MixtureView& mixture,
                const MomentsOut& out, int n_threads);

// The sums where each row belongs wholly to the component of its label.
template <class T>
void em_label_moments(const RowsView<T>& rows, const std::int32_t* labels, const MixtureView& mixture,
                      const MomentsOut& out, int n_threads);

template <class T>
void em_assign(const RowsView<T>& rows, const MixtureView& mixture, const AssignmentOut<T>& out,
               int n_threads);

}  // namespace fg
