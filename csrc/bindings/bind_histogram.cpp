#include "bindings/arrays.h"

namespace fg {

void bind_histogram(py::module_& m) { (void)m; }

}  // namespace fg
