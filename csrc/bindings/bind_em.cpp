#include "bindings/arrays.h"

namespace fg {

void bind_em(py::module_& m) { (void)m; }

}  // namespace fg
