#include "bindings/em_arrays.h"
#include "core/em_kmeans.h"

namespace fg {
namespace {

CentresView centres_view(const Numbers& origin, const Numbers& centres) {
  if (centres.ndim() != 2 || centres.shape(0) < 1)
    throw std::invalid_argument("centres must be 2-D, at least one");
  need_length(origin, centres.shape(1), "origin");
  return {static_cast<int>(centres.shape(0)), static_cast<int>(centres.shape(1)), origin.data(),
          centres.data()};
}

template <class T>
py::tuple step(const py::array_t<T>& rows, const std::optional<Numbers>& weights, const Numbers& origin,
               const Numbers& centres, Array<std::int32_t>& labels, int n_jobs) {
  const CentresView view = centres_view(origin, centres);
  const RowsView<T> all = rows_view(rows, weights, view.n_features);
  need_length(labels, all.n_rows, "labels");

  std::int64_t n_changed = 0;
  Numbers mass(view.n), first({view.n, view.n_features});
  const ClustersOut out{&n_changed, mass.mutable_data(), first.mutable_data()};
  std::int32_t* const label = labels.mutable_data();

  {
    py::gil_scoped_release release;
    kmeans_step(all, view, label, out, n_jobs);
  }
  return py::make_tuple(n_changed, mass, first);
}

template <class T>
Numbers potentials(const py::array_t<T>& rows, const std::optional<Numbers>& weights, const Numbers& origin,
                   const Numbers& centres, const Numbers& closest, int n_jobs) {
  const CentresView view = centres_view(origin, centres);
  const RowsView<T> all = rows_view(rows, weights, view.n_features);
  need_length(closest, all.n_rows, "closest");

  Numbers sums(view.n);
  double* const out = sums.mutable_data();

  {
    py::gil_scoped_release release;
    kmeans_potentials(all, view, closest.data(), out, n_jobs);
  }
  return sums;
}

template <class T>
Numbers approach(const py::array_t<T>& rows, const std::optional<Numbers>& weights, const Numbers& origin,
                 const Numbers& centre, Numbers& closest, int n_jobs) {
  if (centre.ndim() != 1) throw std::invalid_argument("centre must be 1-D");
  need_length(origin, centre.size(), "origin");
  const CentresView view{1, static_cast<int>(centre.size()), origin.data(), centre.data()};
  const RowsView<T> all = rows_view(rows, weights, view.n_features);
  need_length(closest, all.n_rows, "closest");

  Numbers block_sums((all.n_rows + kKmeansRows - 1) / kKmeansRows);
  double* const near = closest.mutable_data();
  double* const out = block_sums.mutable_data();

  {
    py::gil_scoped_release release;
    kmeans_approach(all, view, near, out, n_jobs);
  }
  return block_sums;
}

template <class T>
py::tuple label_moments(const py::array_t<T>& rows, const std::optional<Numbers>& weights,
                        const Array<std::int32_t>& labels, const std::string& kind, const Numbers& means,
                        int n_jobs) {
  const MixtureView mixture = means_view(kind, means);
  const RowsView<T> all = rows_view(rows, weights, mixture.n_features);
  need_length(labels, all.n_rows, "labels");

  MomentArrays sums(mixture);
  const MomentsOut out = sums.out();

  {
    py::gil_scoped_release release;
    em_label_moments(all, labels.data(), mixture, out, n_jobs);
  }
  return sums.tuple();
}

template <class T>
void bind_rows(py::module_& m) {
  m.def("kmeans_step", &step<T>, "Nearest centres and the sums of their clusters.",
        py::arg("rows").noconvert(), py::arg("weights").noconvert(), py::arg("origin").noconvert(),
        py::arg("centres").noconvert(), py::arg("labels").noconvert(), py::kw_only(), py::arg("n_jobs"));
  m.def("kmeans_potentials", &potentials<T>, "Sums of distances if a centre were added.",
        py::arg("rows").noconvert(), py::arg("weights").noconvert(), py::arg("origin").noconvert(),
        py::arg("centres").noconvert(), py::arg("closest").noconvert(), py::kw_only(), py::arg("n_jobs"));
  m.def("kmeans_approach", &approach<T>, "Take a centre into the closest distances.",
        py::arg("rows").noconvert(), py::arg("weights").noconvert(), py::arg("origin").noconvert(),
        py::arg("centre").noconvert(), py::arg("closest").noconvert(), py::kw_only(), py::arg("n_jobs"));
  m.def("em_label_moments", &label_moments<T>, "Moments of the rows of each label.",
        py::arg("rows").noconvert(), py::arg("weights").noconvert(), py::arg("labels").noconvert(),
        py::arg("kind"), py::arg("means").noconvert(), py::kw_only(), py::arg("n_jobs"));
}

}  // namespace

void bind_em_starts(py::module_& m) {
  bind_rows<float>(m);
  bind_rows<double>(m);
}

}  // namespace fg
