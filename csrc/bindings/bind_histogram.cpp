#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "bindings/arrays.h"
#include "core/histogram.h"

namespace fg {
namespace {

// Distinct values and counts[phase][value].
py::tuple unpack(const std::vector<Bin>& bins, int n_phases) {
  py::ssize_t n_values = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) n_values += i == 0 || bins[i].value != bins[i - 1].value;
  Array<std::int64_t> values(n_values);
  Array<std::int64_t> counts({static_cast<py::ssize_t>(n_phases), n_values});
  std::fill_n(counts.mutable_data(), counts.size(), std::int64_t{0});
  py::ssize_t at = -1;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (i == 0 || bins[i].value != bins[i - 1].value) values.mutable_at(++at) = bins[i].value;
    counts.mutable_at(bins[i].phase, at) = bins[i].count;
  }
  return py::make_tuple(values, counts);
}

template <class T>
py::tuple histogram(const Array<T>& volume, const std::optional<Words>& mask, int n_phases, int n_threads) {
  const auto voxels = volume_view(volume, "volume");
  const auto bits = mask_or_none(mask, voxels.shape);
  if (n_phases < 1) throw std::invalid_argument("phases must be at least 1");

  std::vector<Bin> bins;
  {
    py::gil_scoped_release release;
    bins = count_values(voxels, bits ? &*bits : nullptr, n_phases, n_threads);
  }

  return unpack(bins, n_phases);
}

void label(const Array<std::int16_t>& volume, const Array<std::uint8_t>& table,
           const std::optional<Words>& mask, Array<std::uint8_t>& out, int n_threads) {
  const auto voxels = volume_view(volume, "volume");
  const auto bits = mask_or_none(mask, voxels.shape);
  if (table.size() != 65536) throw std::invalid_argument("table must have 65536 entries");

  const auto labels = volume_out(out, "out");
  check_shape(labels.shape, voxels.shape, "out");

  py::gil_scoped_release release;
  apply_table(voxels, table.data(), bits ? &*bits : nullptr, labels, n_threads);
}

template <class T>
void threshold(const Array<T>& volume, std::int64_t value, Words& out, int n_threads) {
  const auto voxels = volume_view(volume, "volume");

  const MaskOut bits = mask_out(out, voxels.shape.nx);
  check_shape(bits.shape, voxels.shape, "out");

  py::gil_scoped_release release;
  threshold_below(voxels, value, bits, n_threads);
}

template <class U, class O>
bool labels_of_values(const py::array_t<U>& values, U first, const Array<std::uint8_t>& table, Array<O>& out,
                      int n_threads) {
  if (values.ndim() != 1 || out.ndim() != 1 || out.size() != values.size())
    throw std::invalid_argument("values and out must be 1-D of equal length");
  if (table.size() < 1 || table.size() > 65536)
    throw std::invalid_argument("table must have 1 to 65536 entries");
  if (values.strides(0) % static_cast<py::ssize_t>(sizeof(U)))
    throw std::invalid_argument("values must be a whole number of elements apart");
  O* const labels = out.mutable_data();

  py::gil_scoped_release release;
  return label_values(values.data(), values.strides(0) / static_cast<py::ssize_t>(sizeof(U)), values.size(),
                      first, table.data(), table.size(), labels, n_threads);
}

template <class U, class O>
void bind_labels(py::module_& m) {
  m.def("label_values", &labels_of_values<U, O>, "Write table[value - first]; whether all were in the table.",
        py::arg("values").noconvert(), py::arg("first"), py::arg("table").noconvert(),
        py::arg("out").noconvert(), py::kw_only(), py::arg("n_jobs"));
}

template <class U>
void bind_labels_of(py::module_& m) {
  bind_labels<U, std::uint8_t>(m);
  bind_labels<U, std::uint16_t>(m);
  bind_labels<U, std::uint32_t>(m);
  bind_labels<U, std::uint64_t>(m);
}

template <class T>
void bind_for(py::module_& m) {
  m.def("histogram", &histogram<T>, "Distinct values and counts[phase][value] of the voxels under the mask.",
        py::arg("volume").noconvert(), py::arg("mask").noconvert().none(true), py::kw_only(),
        py::arg("phases"), py::arg("n_jobs"));
  m.def("threshold_below", &threshold<T>, "Set the bits of the voxels below a value.",
        py::arg("volume").noconvert(), py::arg("value"), py::arg("out").noconvert(), py::kw_only(),
        py::arg("n_jobs"));
}

}  // namespace

void bind_histogram(py::module_& m) {
  bind_for<std::int8_t>(m);
  bind_for<std::int16_t>(m);
  bind_for<std::int32_t>(m);
  bind_for<std::uint8_t>(m);
  bind_for<std::uint16_t>(m);
  bind_labels_of<std::uint8_t>(m);
  bind_labels_of<std::uint16_t>(m);
  bind_labels_of<std::uint32_t>(m);
  bind_labels_of<std::uint64_t>(m);
  m.def("apply_table", &label, "Write table[voxel + 32768] under the mask, 0 elsewhere.",
        py::arg("volume").noconvert(), py::arg("table").noconvert(), py::arg("mask").noconvert().none(true),
        py::arg("out").noconvert(), py::kw_only(), py::arg("n_jobs"));
}

}  // namespace fg
