#include <pybind11/stl.h>

#include <array>

#include "bindings/arrays.h"
#include "core/morphology.h"

namespace fg {
namespace {

void open_with_cross(const Words& words, Words& out_words, std::int64_t nx, std::int64_t iterations,
                     int n_jobs) {
  const MaskView mask = mask_view(words, nx);
  if (iterations < 1) throw std::invalid_argument("iterations must be at least 1");

  const MaskOut out = mask_out(out_words, nx);
  check_shape(out.shape, mask.shape, "out_words");

  py::gil_scoped_release release;
  open_cross(mask, iterations, out, n_jobs);
}

template <void (*kernel)(MaskView, const Ball&, MaskOut, int)>
void with_ball(const Words& words, Words& out_words, std::int64_t nx,
               const std::array<std::int64_t, 3>& radius, int n_jobs) {
  const MaskView mask = mask_view(words, nx);
  const Ball ball{radius[0], radius[1], radius[2]};
  if (!ball.is_supported())
    throw std::invalid_argument(
        "radius must be three numbers r in 0..4096, the product of all 2 r + 1 below 2^32");

  const MaskOut out = mask_out(out_words, nx);
  check_shape(out.shape, mask.shape, "out_words");

  py::gil_scoped_release release;
  kernel(mask, ball, out, n_jobs);
}

template <class Function>
void bind_ball(py::module_& m, const char* name, Function function, const char* doc) {
  m.def(name, function, doc, py::arg("words").noconvert(), py::arg("out_words").noconvert(), py::kw_only(),
        py::arg("nx"), py::arg("radius"), py::arg("n_jobs"));
}

}  // namespace

void bind_morphology(py::module_& m) {
  m.def("binary_opening", &open_with_cross, "Erode, then dilate, with the 6-neighbour cross.",
        py::arg("words").noconvert(), py::arg("out_words").noconvert(), py::kw_only(), py::arg("nx"),
        py::arg("iterations"), py::arg("n_jobs"));
  bind_ball(m, "binary_opening_ball", &with_ball<open_ball>, "Erode, then dilate, with a ball.");
  bind_ball(m, "binary_erosion_ball", &with_ball<erode_ball>, "The voxels whose ball lies within the mask.");
  bind_ball(m, "binary_dilation_ball", &with_ball<dilate_ball>, "The voxels in the ball of a set voxel.");
  bind_ball(m, "binary_closing_ball", &with_ball<close_ball>,
            "Dilate, then erode, with a ball; safe border.");
}

}  // namespace fg
