// Index of fastgmm._core: bind_<family>.cpp for each kernel family.
#include <memory>

#include "bindings/arrays.h"
#include "core/arena.h"
#include "core/simd.h"

namespace fg {

void bind_histogram(py::module_& m);
void bind_em(py::module_& m);
void bind_em_starts(py::module_& m);
void bind_components(py::module_& m);
void bind_flood(py::module_& m);
void bind_morphology(py::module_& m);
void bind_median(py::module_& m);
void bind_labels(py::module_& m);

namespace {

Simd simd_from_name(const std::string& name) {
  for (Simd level : {Simd::baseline, Simd::avx2, Simd::avx512}) {
    if (name == simd_name(level)) return level;
  }
  throw std::invalid_argument("SIMD level must be baseline, avx2 or avx512, got " + name);
}

// An array whose memory returns to the store of scratch blocks with its last user.
Array<std::uint8_t> kept_bytes(std::int64_t n) {
  auto lease = std::make_unique<Scratch>(static_cast<std::size_t>(n));
  std::uint8_t* const memory = lease->take<std::uint8_t>(n);
  const py::capsule owner(lease.get(), [](void* scratch) { delete static_cast<Scratch*>(scratch); });
  lease.release();
  return Array<std::uint8_t>(n, memory, owner);
}

bool make_pages_of(const py::array& array) {
  void* const memory = const_cast<void*>(array.data());
  const std::size_t bytes = static_cast<std::size_t>(array.nbytes());
  const py::gil_scoped_release nogil;
  return fg::make_pages(memory, bytes);
}

}  // namespace
}  // namespace fg

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled kernels of fastgmm.";
  fg::bind_histogram(m);
  fg::bind_em(m);
  fg::bind_em_starts(m);
  fg::bind_components(m);
  fg::bind_flood(m);
  fg::bind_morphology(m);
  fg::bind_median(m);
  fg::bind_labels(m);
  m.def("release_memory", &fg::release_memory, "Free the scratch blocks kept for reuse; return their bytes.");
  m.def("kept_bytes", &fg::kept_bytes, "An uninitialised array whose memory is kept for reuse.",
        fg::py::arg("n"));
  m.def(
      "make_pages", &fg::make_pages_of,
      "Have the pages of a contiguous array made and keep what is in them; false where that cannot be done.",
      fg::py::arg("array"));
  m.def("simd_level", [] { return fg::simd_name(fg::simd_level()); }, "The instruction set in use.");
  m.def("simd_supported", [] { return fg::simd_name(fg::simd_supported()); }, "The highest one here.");
  m.def(
      "set_simd_level", [](const std::string& name) { fg::set_simd_level(fg::simd_from_name(name)); },
      fg::py::arg("name"), "Use this instruction set, or the highest supported one below it.");
}
