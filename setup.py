"""Build `fastgmm._core` and install the kernel text of `csrc` as the data package `fastgmm._csrc`."""

import os
import sys
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import find_packages, setup

CSRC = Path("csrc")
HEADERS = sorted(str(p) for p in CSRC.rglob("*") if p.suffix in {".h", ".inl"})
SOURCES = sorted(str(p) for folder in ("core", "bindings") for p in (CSRC / folder).glob("*.cpp"))

if sys.platform == "win32":
    FLAGS, LINK = ["/O2", "/fp:precise", "/EHsc"], []
else:
    FLAGS, LINK = ["-O3", "-ffp-contract=off", "-fno-trapping-math", "-g0", "-Wall", "-Wextra"], ["-pthread"]
FLAGS += os.environ.get("FASTGMM_CXXFLAGS", "").split()
LINK += os.environ.get("FASTGMM_LDFLAGS", "").split()


def is_stale(obj: str, src: str) -> bool:
    """Whether the object file is older than its source or than any header (and so must be compiled again)."""
    if not os.path.exists(obj):
        return True
    return os.path.getmtime(obj) < max(os.path.getmtime(path) for path in [src, *HEADERS])


ParallelCompile("FASTGMM_BUILD_JOBS", default=0, needs_recompile=is_stale).install()

core = Pybind11Extension(
    "fastgmm._core",
    SOURCES,
    include_dirs=[str(CSRC)],
    depends=HEADERS,
    cxx_std=17,
    extra_compile_args=FLAGS,
    extra_link_args=LINK,
)

setup(
    ext_modules=[core],
    cmdclass={"build_ext": build_ext},
    packages=[*find_packages("src"), "fastgmm._csrc"],
    package_dir={"": "src", "fastgmm._csrc": "csrc"},
    include_package_data=False,
    package_data={
        "fastgmm": ["py.typed", "_core.pyi", "**/*.json"],
        "fastgmm._csrc": ["shared/*.h", "cuda/*.h", "cuda/*.cu", "README.md"],
    },
)
