"""Indices of kernels have 64 bits: what the compiler and the text can tell without 2^31 voxels."""

import re
import subprocess

import pytest
from cupy_on_cpu._raw_module import NATIVE, cpu_text

from fastgmm.backends._device_source import csrc_root, device_source

FILES = sorted(path.name for path in (csrc_root() / "cuda").glob("*.cu"))
DEFINES = {
    "FG_INDEX": "long long",
    "FG_LABEL": "int",
    "FG_REAL": "float",
    "FG_ROWS": "64",
    "FG_N_COMPONENTS": "5",
    "FG_VOXEL": "short",
    "FG_VALUE": "unsigned short",
    "FG_EROSIONS": "3",
    "FG_DILATIONS": "3",
}
# A number of a block times something is a 32-bit number unless that has 64.
_PRODUCT = re.compile(r"(?:block|grid)(?:Idx|Dim)\.[xyz] \* (\(|static_cast<long long>|[\w.]+)")


def narrowed(text):
    """What the compiler says of 64-bit numbers that become smaller ones without a cast."""
    flags = (
        "-std=c++17",
        "-fsyntax-only",
        "-Wconversion",
        "-Wno-sign-conversion",
        f"-isystem{NATIVE}",
        "-x",
        "c++",
        "-",
    )
    done = subprocess.run(["g++", *flags], input=cpu_text(text), capture_output=True, text=True)
    return [line for line in done.stderr.splitlines() if "error" in line or "-Wconversion" in line]


def short_products(text):
    """Products of block numbers whose other side is not known to have 64 bits."""
    wide = set(re.findall(r"long long (?:\w+ = [^;]*?, )*(\w+)", text)) | {"(", "static_cast<long long>"}
    wide |= {name for names in re.findall(r"long long ([\w, ]+)[;)]", text) for name in names.split(", ")}
    return [match[0] for match in _PRODUCT.finditer(text) if match[1] not in wide]


@pytest.mark.parametrize("name", FILES)
def test_no_index_is_narrowed(name):
    text = device_source(f"cuda/{name}", DEFINES)
    assert narrowed(text) == []
    assert short_products(text) == []


@pytest.mark.parametrize(
    ("fault", "is_found"),
    [
        ("const int at = thread_index();", narrowed),
        ("int at = 0; at += n;", narrowed),
        ("const long long at = blockIdx.x * kThreads + threadIdx.x;", short_products),
        ("const long long at = blockIdx.x * blockDim.x + threadIdx.x;", short_products),
    ],
)
def test_a_short_index_is_found(fault, is_found):
    head = 'extern "C" __global__ void __launch_bounds__(kThreads) use(const int* in, long long n, int* out)'
    kernel = f"constexpr int kThreads = 32;\n{head} {{ {fault} if (at < n) out[at] = in[at]; }}"
    text = device_source("cuda/device.h") + f"namespace fg {{\n{kernel}\n}}\n"
    assert is_found(text)
    right = text.replace(fault, "const long long at = thread_index();")
    assert not narrowed(right)
    assert not short_products(right)
