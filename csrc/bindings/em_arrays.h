// The arrays of the em family: rows with their weights, mixtures by kind, and the moments that come back.
#pragma once
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.h"
#include "core/em_blocks.h"

namespace fg {

using Numbers = Array<double>;

inline void need_length(const py::array& array, py::ssize_t n, const char* name) {
  if (array.ndim() != 1 || array.shape(0) != n) {
    throw std::invalid_argument(std::string(name) + " must be 1-D of length " + std::to_string(n));
  }
}

inline Covariance covariance_from_name(const std::string& name) {
  if (name == "full") return Covariance::full;
  if (name == "tied") return Covariance::tied;
  if (name == "diag") return Covariance::diag;
  throw std::invalid_argument("kind must be full, tied or diag, got " + name);
}

// A mixture of which the moments need the means only.
inline MixtureView means_view(const std::string& kind, const Numbers& means) {
  if (means.ndim() != 2) throw std::invalid_argument("means must be 2-D");
  return {covariance_from_name(kind),
          static_cast<int>(means.shape(0)),
          static_cast<int>(means.shape(1)),
          nullptr,
          means.data(),
          nullptr};
}

template <class T>
RowsView<T> rows_view(const py::array_t<T>& rows, const std::optional<Numbers>& weights, int n_features) {
  if (rows.ndim() != 2 || rows.shape(0) < 1 || rows.shape(1) != n_features) {
    throw std::invalid_argument("rows must have shape (at least 1, " + std::to_string(n_features) + ")");
  }
  const py::ssize_t size = sizeof(T);
  if (rows.strides(0) % size || rows.strides(1) % size)
    throw std::invalid_argument("strides must be whole elements");
  if (weights) need_length(*weights, rows.shape(0), "weights");
  return {rows.data(), rows.shape(0), rows.strides(0) / size, rows.strides(1) / size,
          weights ? weights->data() : nullptr};
}

// Outputs (log-likelihood, mass, first, second) and where the kernel writes them.
struct MomentArrays {
  double log_likelihood = 0.0;
  Numbers mass, first, second;

  explicit MomentArrays(const MixtureView& m)
      : mass(m.n_components), first({m.n_components, m.n_features}), second(second_shape(m)) {}
  static std::vector<py::ssize_t> second_shape(const MixtureView& m) {
    if (m.kind == Covariance::full) return {m.n_components, m.n_features, m.n_features};
    return {m.kind == Covariance::diag ? m.n_components : 0, m.n_features};
  }
  MomentsOut out() {
    return {&log_likelihood, mass.mutable_data(), first.mutable_data(), second.mutable_data()};
  }
  py::tuple tuple() const { return py::make_tuple(log_likelihood, mass, first, second); }
};

}  // namespace fg
