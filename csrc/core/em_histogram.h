// Expectation-maximisation on weighted one-dimensional values; the whole loop runs here.
//
// Follows scikit-learn's order: E-step, M-step, lower bound, test. Sums go by lanes and a tree
// (shared/gaussian.h), so the result has the same bits for any number of threads and any instruction set.
// Cost: K exp, 1 log per bin and step.
#pragma once
#include <cstdint>
#include <vector>

namespace fg {

// Parameters of K components; precision is 1 / standard deviation. Read as the start, overwritten with the
// result.
struct Mixture1d {
  double* weights;
  double* means;
  double* precisions;
  double* variances;
  int n_components;
};

struct EmSettings {
  double tol, reg_covar, variance_floor, lower_bound;
  std::int64_t max_iter;
  int n_threads;
};

struct EmOutcome {
  std::vector<double> lower_bounds;  // one per step
  bool converged = false;
  int collapsed = -1;  // the first component whose variance was not positive; the loop stops there
};

EmOutcome fit_histogram(const double* values, const double* counts, std::int64_t n, Mixture1d mixture,
                        const EmSettings& settings);

// exp_fixed and log_fixed of each value, at the instruction set in use: for the tests of their error.
void exp_values(const double* values, std::int64_t n, double* out);
void log_values(const double* values, std::int64_t n, double* out);

}  // namespace fg
