#include "bindings/em_arrays.h"
#include "core/em_histogram.h"

namespace fg {
namespace {

Numbers copy_of(const Numbers& array) {
  return Numbers(array.size(), array.data());
}

py::tuple em_histogram(const Numbers& values, const Numbers& counts, const Numbers& weights,
                       const Numbers& means, const Numbers& precisions, double tol, std::int64_t max_iter,
                       double reg_covar, double variance_floor, double lower_bound, int n_jobs) {
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
                            {tol, reg_covar, variance_floor, lower_bound, max_iter, n_jobs});
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

MixtureView mixture_view(const std::string& kind, const Numbers& offsets, const Numbers& means,
                         const Numbers& precisions) {
  if (means.ndim() != 2) throw std::invalid_argument("means must be 2-D");
  const py::ssize_t k = means.shape(0), d = means.shape(1);
  const Covariance covariance = covariance_from_name(kind);
  const py::ssize_t expected =
      covariance == Covariance::full ? k * d * d : (covariance == Covariance::tied ? d * d : k * d);
  if (offsets.size() != k || precisions.size() != expected) {
    throw std::invalid_argument("offsets and precisions must fit means of shape (" + std::to_string(k) +
                                ", " + std::to_string(d) + ")");
  }
  return {covariance,     static_cast<int>(k), static_cast<int>(d),
          offsets.data(), means.data(),        precisions.data()};
}

template <class T>
py::tuple step(const py::array_t<T>& rows, const std::optional<Numbers>& weights, const std::string& kind,
               const Numbers& offsets, const Numbers& means, const Numbers& precisions, int n_jobs) {
  const MixtureView mixture = mixture_view(kind, offsets, means, precisions);
  const RowsView<T> view = rows_view(rows, weights, mixture.n_features);

  MomentArrays moments(mixture);
  const MomentsOut out = moments.out();

  {
    py::gil_scoped_release release;
    em_step(view, mixture, out, n_jobs);
  }
  return moments.tuple();
}

template <class T>
py::tuple moments(const py::array_t<T>& rows, const Numbers& responsibilities, const std::string& kind,
                  const Numbers& means, int n_jobs) {
  const MixtureView mixture = means_view(kind, means);
  const RowsView<T> view = rows_view(rows, std::nullopt, mixture.n_features);
  if (responsibilities.ndim() != 2 || responsibilities.shape(0) != view.n_rows ||
      responsibilities.shape(1) != mixture.n_components) {
    throw std::invalid_argument("responsibilities must have shape (n rows, n components)");
  }

  MomentArrays sums(mixture);
  const MomentsOut out = sums.out();

  {
    py::gil_scoped_release release;
    em_moments(view, responsibilities.data(), mixture, out, n_jobs);
  }
  return sums.tuple();
}

template <class T>
void assign(const py::array_t<T>& rows, const std::string& kind, const Numbers& offsets, const Numbers& means,
            const Numbers& precisions, std::optional<Array<std::int64_t>> labels,
            std::optional<Array<T>> log_density, std::optional<Array<T>> responsibilities, int n_jobs) {
  const MixtureView mixture = mixture_view(kind, offsets, means, precisions);
  const RowsView<T> view = rows_view(rows, std::nullopt, mixture.n_features);
  if ((labels && labels->size() != view.n_rows) || (log_density && log_density->size() != view.n_rows) ||
      (responsibilities && responsibilities->size() != view.n_rows * mixture.n_components)) {
    throw std::invalid_argument("an output does not have one entry per row");
  }

  const AssignmentOut<T> out{labels ? labels->mutable_data() : nullptr,
                             log_density ? log_density->mutable_data() : nullptr,
                             responsibilities ? responsibilities->mutable_data() : nullptr};

  {
    py::gil_scoped_release release;
    em_assign(view, mixture, out, n_jobs);
  }
}

template <class T>
void bind_rows(py::module_& m) {
  m.def("em_step", &step<T>, "One E- and M-step; see _contract.EMKernels.", py::arg("rows").noconvert(),
        py::arg("weights").noconvert(), py::arg("kind"), py::arg("offsets").noconvert(),
        py::arg("means").noconvert(), py::arg("precisions").noconvert(), py::kw_only(), py::arg("n_jobs"));
  m.def("em_moments", &moments<T>, "Moments for given responsibilities.", py::arg("rows").noconvert(),
        py::arg("responsibilities").noconvert(), py::arg("kind"), py::arg("means").noconvert(), py::kw_only(),
        py::arg("n_jobs"));
  m.def("em_assign", &assign<T>, "Labels, log densities and responsibilities.", py::arg("rows").noconvert(),
        py::arg("kind"), py::arg("offsets").noconvert(), py::arg("means").noconvert(),
        py::arg("precisions").noconvert(), py::arg("labels").noconvert(), py::arg("log_density").noconvert(),
        py::arg("responsibilities").noconvert(), py::kw_only(), py::arg("n_jobs"));
}

}  // namespace

void bind_em(py::module_& m) {
  bind_rows<float>(m);
  bind_rows<double>(m);
  m.def("em_histogram", &em_histogram, "EM on weighted 1-D values; see _contract.EMKernels.",
        py::arg("values").noconvert(), py::arg("counts").noconvert(), py::arg("weights").noconvert(),
        py::arg("means").noconvert(), py::arg("precisions").noconvert(), py::kw_only(), py::arg("tol"),
        py::arg("max_iter"), py::arg("reg_covar"), py::arg("variance_floor"), py::arg("lower_bound"),
        py::arg("n_jobs"));
  m.def("exp_fixed", &map_values<exp_values>, "exp of each value up to 709; 0 below -708.8.",
        py::arg("values").noconvert());
  m.def("log_fixed", &map_values<log_values>, "log of each positive normal value.",
        py::arg("values").noconvert());
}

}  // namespace fg
