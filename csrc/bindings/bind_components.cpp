#include <limits>

#include "bindings/arrays.h"
#include "core/components.h"

namespace fg {
namespace {

std::unique_ptr<ComponentRuns> make_runs(const Words& words, std::int64_t nx, int connectivity, int n_jobs,
                                         bool wide) {
  if (connectivity != 6 && connectivity != 18 && connectivity != 26)
    throw std::invalid_argument("connectivity must be 6, 18 or 26, got " + std::to_string(connectivity));
  const MaskView mask = mask_view(words, nx);

  py::gil_scoped_release release;
  return find_components(mask, connectivity, n_jobs, wide);
}

void write_table(const ComponentRuns& runs, Array<std::int64_t>& out) {
  constexpr py::ssize_t kFields = sizeof(ComponentRecord) / sizeof(std::int64_t);
  if (out.ndim() != 2 || out.shape(0) != runs.n_components() || out.shape(1) != kFields)
    throw std::invalid_argument("out must have one row of 14 numbers per component");
  auto* table = reinterpret_cast<ComponentRecord*>(out.mutable_data());

  py::gil_scoped_release release;
  runs.write_table(table);
}

void select(const ComponentRuns& runs, const Array<bool>& keep, Words& out_words) {
  if (keep.ndim() != 1 || keep.shape(0) != runs.n_components())
    throw std::invalid_argument("keep must have one bool per component");
  const MaskOut out = mask_out(out_words, runs.shape().nx);
  require_shape(out.shape, runs.shape(), "out_words");

  py::gil_scoped_release release;
  runs.select(keep.data(), out);
}

template <class Label>
void write_labels(const ComponentRuns& runs, Array<Label>& out) {
  const VolumeView<Label> labels = volume_out(out, "out");
  require_shape(labels.shape, runs.shape(), "out");
  if (runs.n_components() > std::numeric_limits<Label>::max())
    throw std::invalid_argument("out must be int64 for this many components");

  py::gil_scoped_release release;
  runs.write_labels(labels);
}

}  // namespace

void bind_components(py::module_& m) {
  py::class_<ComponentRuns>(m, "ComponentRuns",
                            "The components of a packed mask, found once and asked about after.")
      .def(py::init(&make_runs), py::keep_alive<1, 2>(), py::arg("words").noconvert(), py::kw_only(),
           py::arg("nx"), py::arg("connectivity"), py::arg("n_jobs"), py::arg("wide") = false)
      .def_property_readonly("n_components", &ComponentRuns::n_components)
      .def("write_table", &write_table, "One row per component in the order of COMPONENT_DTYPE.",
           py::arg("out").noconvert())
      .def("select", &select, "The mask's voxels whose component is kept.", py::arg("keep").noconvert(),
           py::arg("out_words").noconvert())
      .def("write_labels", &write_labels<std::int32_t>,
           "Labels from 1 in scan order of first voxels; 0 outside.", py::arg("out").noconvert())
      .def("write_labels", &write_labels<std::int64_t>, py::arg("out").noconvert());
}

}  // namespace fg
