"""Kernels compiled by g++ for the CPU, each compilation kept under the hash of all it depends on."""

import ctypes
import functools
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from cupy_on_cpu import _streams, _written
from cupy_on_cpu._memory import check_guards
from cupy_on_cpu._ndarray import ndarray

NATIVE = Path(__file__).parent.parent / "native"
CACHE = Path(__file__).parent.parent.parent / "build" / "cuda_on_cpu"
FLAGS = ("-std=c++17", "-O1", "-fPIC", "-ffp-contract=off", "-pthread", f"-I{NATIVE}", "-x", "c++")
KERNEL = re.compile(r'extern "C" __global__ void __launch_bounds__\(((?:[^()]|\([^()]*\))*)\)\s+(\w+)\(')
DEFAULT_SHARED_BYTES = 48 * 1024
MOST_SHARED_BYTES = 227 * 1024


class _Parameter(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_char), ("size", ctypes.c_int), ("pointee", ctypes.c_int))


def cpu_text(code: str) -> str:
    """The text of kernels with what the CPU needs before and after it."""
    exports = "".join(f"CU_EXPORT({name}, {bound.partition(',')[0]})\n" for bound, name in KERNEL.findall(code))
    return f'#include "cuda_on_cpu.h"\n#line 1 "kernels.cu"\n{code}\nusing namespace fg;\n{exports}'


def build(text: str, flags: tuple[str, ...] = (), *, program: bool = False) -> Path:
    """Compile to a library, or a program, unless the same has been compiled before."""
    compiler = os.environ.get("CXX", "g++")
    headers = [path.read_bytes() for path in sorted(NATIVE.glob("cuda_on_cpu*/*.h")) + [NATIVE / "cuda_on_cpu.h"]]
    extra = [] if program else ["-shared", *os.environ.get("CUEMU_CXXFLAGS", "").split()]  # of .ci/sanitize
    command = [compiler, *FLAGS, *flags, *extra]
    digest = hashlib.sha256(b"\0".join([repr(command).encode(), text.encode(), *headers])).hexdigest()[:32]
    built = CACHE / (digest if program else f"{digest}.so")
    if not built.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as file:
            done = subprocess.run([*command, "-", "-o", file.name], input=text, capture_output=True, text=True)
        if done.returncode:
            os.unlink(file.name)
            raise RuntimeError(f"kernels do not compile:\n{done.stderr[:4000]}")
        os.chmod(file.name, 0o755)
        os.replace(file.name, built)
    return built


@functools.cache
def _library(text: str) -> ctypes.CDLL:
    library = ctypes.CDLL(str(build(text, _written.FLAGS if _written.WATCHES else ())))
    if _written.WATCHES:
        library.emu_device_memory(ctypes.c_void_p(_written.BASE), ctypes.c_size_t(_written.SIZE))
    return library


class RawModule:
    """`cupy.RawModule` of source text."""

    def __init__(self, *, code=None, path=None, options=(), backend="nvrtc", name_expressions=None, jitify=False):
        if not isinstance(options, tuple):
            raise TypeError(f"options must be a tuple, got {type(options).__name__}")
        if code is None or path is not None or name_expressions is not None:
            raise NotImplementedError('only code with extern "C" kernels')
        self.code, self.options = code, tuple(options)

    def compile(self, log_stream=None) -> None:
        self._library()

    def get_function(self, name: str) -> "RawKernel":
        self._library()
        return RawKernel(self._library(), name)

    def _library(self) -> ctypes.CDLL:
        return _library(cpu_text(self.code))


class RawKernel:
    """A kernel; called as `kernel(grid, block, arguments, shared_mem=0)`."""

    shared_size_bytes = num_regs = local_size_bytes = 0

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self.name = name
        self._launch = getattr(library, f"emu_launch_{name}")
        self.max_threads_per_block = getattr(library, f"emu_bound_{name}")()
        parameters = (_Parameter * 64)()
        n_parameters = getattr(library, f"emu_parameters_{name}")(parameters)
        self._parameters = parameters[:n_parameters]
        self._shared_limit = DEFAULT_SHARED_BYTES

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._shared_limit

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, n_bytes: int) -> None:
        if n_bytes > MOST_SHARED_BYTES:
            raise ValueError(f"CUDA_ERROR_INVALID_VALUE: {n_bytes} bytes of shared memory")
        self._shared_limit = n_bytes

    def __call__(self, grid, block, args, *, shared_mem=0, stream=None) -> None:
        dims = [(tuple(int(n) for n in dim) + (1, 1))[:3] for dim in (grid, block)]
        if not isinstance(grid, tuple) or not isinstance(block, tuple):
            raise TypeError(f"grid and block must be tuples, got {type(grid).__name__} and {type(block).__name__}")
        self._check_launch(dims, len(args), shared_mem)
        _check_strides(self.name, args)
        held = [_held(self.name, i, *pair) for i, pair in enumerate(zip(args, self._parameters, strict=True))]
        pointers = (ctypes.c_void_p * len(held))(*(h.ctypes.data for h in held))
        with _streams.LOCK:
            for value, parameter in zip(args, self._parameters, strict=True):
                if isinstance(value, ndarray):
                    _streams.use(value._host, stream, is_write=parameter.kind != b"r")
            self._launch(*((ctypes.c_uint * 3)(*dim) for dim in dims), ctypes.c_size_t(shared_mem), pointers)
            check_guards(self.name)

    def _check_launch(self, dims, n_arguments: int, shared_mem: int) -> None:
        grid, block = dims
        if n_arguments != len(self._parameters):
            raise TypeError(f"{self.name} takes {len(self._parameters)} arguments, got {n_arguments}")
        threads = int(np.prod(block))
        if not 0 < threads <= self.max_threads_per_block or min(grid) < 1:
            raise ValueError(f"CUDA_ERROR_INVALID_VALUE: {self.name} with grid {grid} and block {block}")
        if grid[0] >= 1 << 31 or max(grid[1:]) >= 1 << 16:
            raise ValueError(f"CUDA_ERROR_INVALID_VALUE: {self.name} with grid {grid}")
        if shared_mem > self._shared_limit:
            raise ValueError(f"CUDA_ERROR_INVALID_VALUE: {self.name} with {shared_mem} bytes of shared memory")


def _check_strides(kernel: str, args) -> None:
    """Raise for an array with gaps, or not in C order, whose strides in elements are not among the arguments."""
    told = {int(value) for value in args if isinstance(value, np.integer)}
    for index, value in enumerate(args):
        if isinstance(value, ndarray) and value.size and not value.flags.c_contiguous:
            strides = {s // value.itemsize for s, n in zip(value.strides, value.shape, strict=True) if n > 1}
            if not strides <= told:
                raise ValueError(f"{kernel}: argument {index} is not C-contiguous, and no argument tells its strides")


def _held(kernel: str, index: int, value, parameter: _Parameter) -> np.ndarray:
    """The bytes of one argument, which must be what the parameter is."""
    kind = parameter.kind.decode().replace("r", "p")
    where = f"{kernel}: argument {index}"
    if isinstance(value, ndarray):
        if kind != "p" or (parameter.pointee > 1 and parameter.pointee % value.itemsize):
            raise TypeError(
                f"{where} is an array of {value.dtype}, the parameter has kind {kind}, {parameter.pointee} bytes"
            )
        if value.size and value.data.ptr % min(parameter.pointee, 16):
            raise ValueError(f"{where} is not aligned to {parameter.pointee} bytes")
        return np.array(value.data.ptr, np.uintp)
    if not isinstance(value, np.generic):
        raise TypeError(f"{where} must be an array or a NumPy scalar, got {type(value).__name__}")
    is_null = kind == "p" and isinstance(value, np.uintp) and value == 0
    kinds = {"i": "iub", "f": "f"}.get(kind, "")
    if not is_null and (value.dtype.kind not in kinds or value.dtype.itemsize != parameter.size):
        raise TypeError(f"{where} is {value.dtype}, the parameter has kind {kind}, {parameter.size} bytes")
    return np.asarray(value)
