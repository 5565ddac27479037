#include "bindings/arrays.h"

namespace fg {

void bind_morphology(py::module_& m) { (void)m; }

}  // namespace fg
