#include "bindings/arrays.h"
#include "core/em_histogram.h"

namespace fg {
namespace {

using Numbers = Array<double>;

void need_length(const Numbers& array, py::ssize_t n, const char* name) {
  if (array.ndim() != 1 || array.shape(0) != n) {
    throw std::invalid_argument(std::string(name) + " must be 1-D of length " + std::to_string(n));
  }
}

Numbers copy_of(const Numbers& array) { return Numbers(array.size(), array.data()); }

py::tuple em_histogram(const Numbers& values, const Numbers& counts, const Numbers& weights, const Numbers& means,
                       const Numbers& precisions, double tol, std::int64_t max_iter, double reg_covar,
                       double lower_bound, int n_jobs) {
  need_length(values, values.size(), "values");
  need_length(counts, values.size(), "counts");
  need_length(weights, weights.size(), "weights");
  need_length(means, weights.size(), "means");
  need_length(precisions, weights.size(), "precisions");

  Numbers new_weights = copy_of(weights), new_means = copy_of(means), new_precisions = copy_of(precisions);
  Numbers variances(weights.size());
  const Mixture1d mixture{new_weights.mutable_data(), new_means.mutable_data(), new_precisions.mutable_data(),
                          variances.mutable_data(), static_cast<int>(weights.size())};
  for (int k = 0; k < mixture.n_components; ++k) {
    mixture.variances[k] = 1.0 / (mixture.precisions[k] * mixture.precisions[k]);
  }

  EmOutcome outcome;
  {
    py::gil_scoped_release release;
    outcome = fit_histogram(values.data(), counts.data(), values.size(), mixture,
                            {tol, reg_covar, lower_bound, max_iter, n_jobs});
  }

  const auto n_iter = static_cast<py::ssize_t>(outcome.lower_bounds.size());
  Numbers lower_bounds(n_iter, outcome.lower_bounds.data());
  return py::make_tuple(new_weights, new_means, variances, new_precisions, lower_bounds, outcome.converged,
                        outcome.collapsed);
}

template <void (*function)(const double*, std::int64_t, double*)>
Numbers map_values(const Numbers& values) {
  Numbers out(values.size());
  function(values.data(), values.size(), out.mutable_data());
  return out;
}

}  // namespace

void bind_em(py::module_& m) {
  m.def("em_histogram", &em_histogram, "EM on weighted 1-D values; see _contract.EMKernels.",
        py::arg("values").noconvert(), py::arg("counts").noconvert(), py::arg("weights").noconvert(),
        py::arg("means").noconvert(), py::arg("precisions").noconvert(), py::kw_only(), py::arg("tol"),
        py::arg("max_iter"), py::arg("reg_covar"), py::arg("lower_bound"), py::arg("n_jobs"));
  m.def("exp_fixed", &map_values<exp_values>, "exp of each value in -708..709, 0 below.",
        py::arg("values").noconvert());
  m.def("log_fixed", &map_values<log_values>, "log of each positive normal value.", py::arg("values").noconvert());
}

}  // namespace fg
