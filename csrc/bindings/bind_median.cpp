#include <pybind11/stl.h>

#include <array>

#include "bindings/arrays.h"
#include "core/median.h"

namespace fg {
namespace {

void median_filter_array(const Array<std::uint8_t>& labels, const std::array<int, 3>& size,
                         Array<std::uint8_t>& out, int n_jobs) {
  for (int s : size) {
    if (s < 1 || s > kMaxMedianSize)
      throw std::invalid_argument("size must be in 1..7, got " + std::to_string(s));
  }
  const VolumeView<const std::uint8_t> input = volume_view(labels, "labels");
  const VolumeView<std::uint8_t> output = volume_out(out, "out");
  require_shape(output.shape, input.shape, "out");

  py::gil_scoped_release release;
  median_filter(input, {size[0], size[1], size[2]}, output, n_jobs);
}

}  // namespace

void bind_median(py::module_& m) {
  m.def("median_filter", &median_filter_array,
        "The median label of the box around each voxel, border reflected.", py::arg("labels").noconvert(),
        py::arg("size"), py::arg("out").noconvert(), py::kw_only(), py::arg("n_jobs"));
}

}  // namespace fg
