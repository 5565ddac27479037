#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "core/flood.h"

namespace fg {
namespace {

void flood_by_steps(const Words& words, const std::vector<Words>& seed_words, std::vector<Words>& out_words,
                    std::int64_t nx) {
  const MaskView mask = mask_view(words, nx);
  if (seed_words.size() != out_words.size())
    throw std::invalid_argument("one out per mask of seeds is needed");
  std::vector<MaskView> seeds;
  std::vector<MaskOut> out;
  for (std::size_t i = 0; i < seed_words.size(); ++i) {
    seeds.push_back(mask_view(seed_words[i], nx));
    out.push_back(mask_out(out_words[i], nx));
    require_shape(seeds[i].shape, mask.shape, "seed_words");
    require_shape(out[i].shape, mask.shape, "out_words");
  }

  py::gil_scoped_release release;
  geodesic_flood(mask, seeds, out);
}

template <class T>
std::int64_t grow_below(const Array<T>& volume, const Words& seed_words,
                        const std::vector<std::int64_t>& thresholds, std::int64_t max_voxels,
                        Words& out_words) {
  const VolumeView<const T> voxels = volume_view(volume, "volume");
  const MaskView seeds = mask_view(seed_words, voxels.shape.nx);
  const MaskOut out = mask_out(out_words, voxels.shape.nx);
  require_shape(seeds.shape, voxels.shape, "seed_words");
  require_shape(out.shape, voxels.shape, "out_words");

  py::gil_scoped_release release;
  return grow_region<T>(voxels, seeds, thresholds, max_voxels, out);
}

template <class T>
void bind_grow_region(py::module_& m) {
  m.def("grow_region", &grow_below<T>, "Voxels joined to seeds below the last threshold that does not leak.",
        py::arg("volume").noconvert(), py::arg("seed_words").noconvert(), py::kw_only(),
        py::arg("thresholds"), py::arg("max_voxels"), py::arg("out_words").noconvert());
}

}  // namespace

void bind_flood(py::module_& m) {
  m.def("geodesic_flood", &flood_by_steps, "Parts of the mask by the nearest seeds, in steps within it.",
        py::arg("words").noconvert(), py::arg("seed_words"), py::arg("out_words"), py::kw_only(),
        py::arg("nx"));
  bind_grow_region<std::int8_t>(m);
  bind_grow_region<std::uint8_t>(m);
  bind_grow_region<std::int16_t>(m);
  bind_grow_region<std::uint16_t>(m);
  bind_grow_region<std::int32_t>(m);
}

}  // namespace fg
