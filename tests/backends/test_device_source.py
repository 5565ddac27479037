"""The text of the kernels, put together for a compiler that runs at run time."""

import pytest

from fastgmm.backends import _device_source
from fastgmm.backends._device_source import csrc_root, device_source


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A small csrc: a kernel that includes two headers, one of which includes the other."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "cuda").mkdir()
    (tmp_path / "shared" / "low.h").write_text("#pragma once\nint low;\n")
    (tmp_path / "shared" / "high.h").write_text('#pragma once\n#include "shared/low.h"  // for low\nint high;\n')
    (tmp_path / "cuda" / "kernel.cu").write_text(
        '#include <cuda.h>\n#include "shared/high.h"\n#include "shared/low.h"\nint kernel;\n'
    )
    monkeypatch.setattr(_device_source, "csrc_root", lambda: tmp_path)


@pytest.mark.usefixtures("kernels")
def test_quoted_includes_are_pasted_once_and_defines_stand_in_front():
    text = device_source("cuda/kernel.cu", {"REAL": "double", "N": "4"})
    assert text == "#define REAL double\n#define N 4\n#include <cuda.h>\nint low;\nint high;\nint kernel;\n"


@pytest.mark.usefixtures("kernels")
def test_without_defines_the_text_starts_with_the_file():
    assert device_source("shared/low.h") == "int low;\n"


def test_the_shared_headers_are_found_and_complete():
    assert (csrc_root() / "shared").is_dir()
    for header in sorted(csrc_root().glob("shared/*.h")):
        text = device_source(f"shared/{header.name}")
        assert '#include "' not in text
        assert "#pragma once" not in text


def test_an_installed_package_reads_its_own_copy(tmp_path, monkeypatch):
    (tmp_path / "fastgmm" / "_csrc").mkdir(parents=True)
    monkeypatch.setattr(_device_source, "_PACKAGE", tmp_path / "fastgmm")
    assert csrc_root() == tmp_path / "fastgmm" / "_csrc"
    (tmp_path / "fastgmm" / "_csrc").rmdir()
    assert csrc_root() == tmp_path.parent / "csrc"
