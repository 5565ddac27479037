"""The compiled kernels. Written by hand; a test compares it with the module."""

from fastgmm._types import Float64Array

# module.cpp
def release_memory() -> int: ...
def simd_level() -> str: ...
def simd_supported() -> str: ...
def set_simd_level(name: str) -> None: ...

# bind_em.cpp
def em_histogram(
    values: Float64Array,
    counts: Float64Array,
    weights: Float64Array,
    means: Float64Array,
    precisions: Float64Array,
    *,
    tol: float,
    max_iter: int,
    reg_covar: float,
    lower_bound: float,
    n_jobs: int,
) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, bool, int]: ...
def exp_fixed(values: Float64Array) -> Float64Array: ...
def log_fixed(values: Float64Array) -> Float64Array: ...
