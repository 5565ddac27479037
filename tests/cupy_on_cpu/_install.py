"""Puts the stand-in where `import cupy` finds it."""

import contextlib
import sys
from collections.abc import Iterator

import cupy_on_cpu
from fastgmm.backends import _registry

_NAMES = {"cupy": cupy_on_cpu, "cupy.cuda": cupy_on_cpu.cuda, "cupy.cuda.runtime": cupy_on_cpu.cuda.runtime}


@contextlib.contextmanager
def standing_in() -> Iterator[None]:
    """Make the cuda backend load with the stand-in, and forget it afterwards."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "cupy"}
    _forget_backend()
    sys.modules.update(_NAMES)
    try:
        yield
    finally:
        for name in _NAMES:
            del sys.modules[name]
        sys.modules.update(before)
        _forget_backend()


def _forget_backend() -> None:
    _registry._loaded.pop("cuda", None)
    for name in [name for name in sys.modules if name.startswith("fastgmm.backends._cuda")]:
        del sys.modules[name]
