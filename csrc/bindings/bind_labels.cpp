#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "core/labels.h"

namespace fg {
namespace {

void number_words(const std::vector<Words>& mask_words, Array<std::uint8_t>& out, int n_jobs) {
  if (mask_words.size() > 255) throw std::invalid_argument("there must be at most 255 masks");
  const VolumeView<std::uint8_t> labels = volume_out(out, "out");
  std::vector<MaskView> masks;
  for (const Words& words : mask_words) {
    masks.push_back(mask_view(words, labels.shape.nx));
    require_shape(labels.shape, masks.back().shape, "out");
  }

  py::gil_scoped_release release;
  number_masks(masks, labels, n_jobs);
}

void keep_labels_within(const Array<std::uint8_t>& labels, Array<std::uint8_t>& out, int n_jobs) {
  const VolumeView<const std::uint8_t> input = volume_view(labels, "labels");
  const VolumeView<std::uint8_t> output = volume_out(out, "out");
  require_shape(output.shape, input.shape, "out");

  py::gil_scoped_release release;
  keep_within(input, output, n_jobs);
}

}  // namespace

void bind_labels(py::module_& m) {
  m.def("number_masks", &number_words, "Write i + 1 under masks[i], 0 under none.", py::arg("mask_words"),
        py::arg("out").noconvert(), py::kw_only(), py::arg("n_jobs"));
  m.def("keep_within", &keep_labels_within, "Set out to 0 where labels are, and to labels where it is 0.",
        py::arg("labels").noconvert(), py::arg("out").noconvert(), py::kw_only(), py::arg("n_jobs"));
}

}  // namespace fg
