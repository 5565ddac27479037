"""Machine code by NVRTC from its wheel, and what it says of each kernel; needs no device."""

import ctypes
import hashlib
import json
import os
import re
import struct
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

CACHE = Path(__file__).parents[2] / "build" / "nvrtc"

_INFO = re.compile(
    r"Function properties for (\w+)\n.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\n"
    r".*?Used (\d+) registers(?:.*?(\d+) bytes smem)?"
)
INSTRUCTION_BYTES = 16


class Resources(NamedTuple):
    registers: int
    shared_bytes: int
    spilled_bytes: int
    instructions: int


def library() -> ctypes.CDLL:
    """NVRTC; its built-in functions are a library that it expects to find."""
    files = {Path(file).name: file.locate() for file in metadata.files("nvidia-cuda-nvrtc") or []}
    names = sorted(name for name in files if ".alt." not in name)
    ctypes.CDLL(str(files[next(n for n in names if n.startswith("libnvrtc-builtins.so"))]), ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(files[next(n for n in names if n.startswith("libnvrtc.so"))]))


def compiled(source: str, options: tuple[str, ...], arch: str) -> dict[str, Resources]:
    """The resources of each kernel by name, kept under the hash of all they depend on: several processes ask."""
    asked = repr((source, options, arch, metadata.version("nvidia-cuda-nvrtc"), _INFO.pattern, Resources._fields))
    kept = CACHE / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json"
    if not kept.exists():
        found = _compile(source, options, arch)
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=CACHE, delete=False) as file:
            json.dump(found, file)
        os.replace(file.name, kept)
    return {name: Resources(*numbers) for name, numbers in json.loads(kept.read_text()).items()}


def _compile(source: str, options: tuple[str, ...], arch: str) -> dict[str, Resources]:
    """Compile to machine code."""
    nvrtc, program = library(), ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    flags = [f"--gpu-architecture={arch}", "--ptxas-options=-v", *options]
    array = (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
    status = nvrtc.nvrtcCompileProgram(program, len(flags), array)
    log = _text(nvrtc, program, "ProgramLog").decode()
    assert status == 0, log
    sizes = _code_bytes(_text(nvrtc, program, "CUBIN"))
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    found = {}
    for name, stack, stores, loads, used, shared in _INFO.findall(log):
        spilled = int(stack) + int(stores) + int(loads)
        found[name] = Resources(int(used), int(shared or 0), spilled, sizes[name] // INSTRUCTION_BYTES)
    assert set(found) == set(sizes), log
    return found


def _text(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw if what == "CUBIN" else buffer.value


def _code_bytes(elf: bytes) -> dict[str, int]:
    """The size of section `.text.NAME` for each kernel in an ELF file of 64 bits."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    entry_bytes, n_sections, i_names = struct.unpack_from("<HHH", elf, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", elf, table + i * entry_bytes) for i in range(n_sections)]
    names = sections[i_names][4]
    by_name = {elf[names + s[0] : elf.index(b"\0", names + s[0])].decode(): s[5] for s in sections}
    return {name.removeprefix(".text."): size for name, size in by_name.items() if name.startswith(".text.")}
