#include "bindings/arrays.h"

namespace fg {

void bind_components(py::module_& m) { (void)m; }

}  // namespace fg
