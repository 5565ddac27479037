"""Build `fastgmm._core` and install the kernel text of `csrc` as the data package `fastgmm._csrc`.

Where no C++ compiler runs, or FASTGMM_NO_EXTENSION=1 asks for it, the package is built without the extension, and
`fastgmm/_without_extension.txt` says why; its kernels then come from Numba. A compiler that runs but fails is an error.
"""

import os
import sys
import tempfile
import warnings
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


class BuildExt(build_ext):
    """Builds the extension, or leaves a note why there is none."""

    def build_extension(self, ext: Pybind11Extension) -> None:
        reason = self._why_not()
        folder = self.get_finalized_command("build_py").get_package_dir("fastgmm") if self.inplace else None
        note = Path(folder or Path(self.build_lib) / "fastgmm") / "_without_extension.txt"
        note.unlink(missing_ok=True)
        if not reason:
            super().build_extension(ext)
            return
        ext.optional = True  # nothing is to be copied
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(reason + "\n", encoding="utf-8")
        warnings.warn(
            f"fastgmm is built without its compiled kernels: {reason}. It runs on Numba then, several times slower in "
            "some kernels: pip install 'fastgmm[numba]'. `fastgmm info` shows what is used.",
            stacklevel=1,
        )

    def _why_not(self) -> str:
        """Say why the extension cannot be built, "" if it can."""
        if os.environ.get("FASTGMM_NO_EXTENSION", "0") not in ("", "0"):
            return "FASTGMM_NO_EXTENSION was set when fastgmm was installed"
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "probe.cpp"
            source.write_text("int main() { return 0; }\n")
            try:
                self.compiler.compile([str(source)], output_dir=folder)
            except Exception as error:  # distutils has many kinds
                return f"no C++ compiler ran when fastgmm was installed ({error})"
        return ""


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
    cmdclass={"build_ext": BuildExt},
    packages=[*find_packages("src"), "fastgmm._csrc"],
    package_dir={"": "src", "fastgmm._csrc": "csrc"},
    include_package_data=False,
    package_data={
        "fastgmm": ["py.typed", "_core.pyi", "**/*.json"],
        "fastgmm._csrc": ["shared/*.h", "cuda/*.h", "cuda/*.cu", "README.md"],
    },
)
