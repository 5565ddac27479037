"""Stands in for CuPy on machines without a GPU: arrays in NumPy's memory, kernels run by `native/cuda_on_cpu.h`.

It has the part of CuPy that fastgmm uses, and is as strict: an array does not turn into a NumPy array by itself, does
not mix with one, reductions and elements are arrays of no dimensions, memory is not cleared, and a kernel is refused
arguments of another size or kind than its parameters. What is missing raises AttributeError; add it, as CuPy has it.
"""

from cupy_on_cpu import cuda
from cupy_on_cpu._functions import *  # noqa: F403
from cupy_on_cpu._functions import __all__ as _functions
from cupy_on_cpu._memory import get_default_memory_pool, get_default_pinned_memory_pool
from cupy_on_cpu._ndarray import ndarray
from cupy_on_cpu._raw_module import RawKernel, RawModule

__version__ = "0 (on the CPU)"
__all__ = [
    "RawKernel",
    "RawModule",
    "cuda",
    "get_default_memory_pool",
    "get_default_pinned_memory_pool",
    "ndarray",
    *_functions,
]
