"""The compiled kernels. Written by hand; a test compares it with the module."""

from fastgmm._types import (
    AnyArray,
    BoolArray,
    Float64Array,
    Int16Array,
    Int32Array,
    Int64Array,
    Shape3,
    UInt8Array,
    UInt64Array,
)

# module.cpp
def release_memory() -> int: ...
def kept_bytes(n: int) -> UInt8Array: ...
def make_pages(array: AnyArray) -> bool: ...
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
    variance_floor: float,
    lower_bound: float,
    n_jobs: int,
) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, bool, int]: ...
def em_step(
    rows: AnyArray,
    weights: Float64Array | None,
    kind: str,
    offsets: Float64Array,
    means: Float64Array,
    precisions: Float64Array,
    *,
    n_jobs: int,
) -> tuple[float, Float64Array, Float64Array, Float64Array]: ...
def em_moments(
    rows: AnyArray, responsibilities: Float64Array, kind: str, means: Float64Array, *, n_jobs: int
) -> tuple[float, Float64Array, Float64Array, Float64Array]: ...
def em_assign(
    rows: AnyArray,
    kind: str,
    offsets: Float64Array,
    means: Float64Array,
    precisions: Float64Array,
    labels: Int64Array | None,
    log_density: AnyArray | None,
    responsibilities: AnyArray | None,
    *,
    n_jobs: int,
) -> None: ...
def em_label_moments(
    rows: AnyArray,
    weights: Float64Array | None,
    labels: Int32Array,
    kind: str,
    means: Float64Array,
    *,
    n_jobs: int,
) -> tuple[float, Float64Array, Float64Array, Float64Array]: ...
def kmeans_step(
    rows: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    labels: Int32Array,
    *,
    n_jobs: int,
) -> tuple[int, Float64Array, Float64Array]: ...
def kmeans_potentials(
    rows: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    closest: Float64Array,
    *,
    n_jobs: int,
) -> Float64Array: ...
def kmeans_approach(
    rows: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centre: Float64Array,
    closest: Float64Array,
    *,
    n_jobs: int,
) -> Float64Array: ...
def exp_fixed(values: Float64Array) -> Float64Array: ...
def log_fixed(values: Float64Array) -> Float64Array: ...

# bind_components.cpp
class ComponentRuns:
    def __init__(self, words: UInt64Array, *, nx: int, connectivity: int, n_jobs: int, wide: bool = False) -> None: ...
    @property
    def n_components(self) -> int: ...
    def write_table(self, out: Int64Array) -> None: ...
    def select(self, keep: BoolArray, out_words: UInt64Array) -> None: ...
    def write_labels(self, out: Int32Array | Int64Array) -> None: ...

# bind_flood.cpp
def geodesic_flood(
    words: UInt64Array, seed_words: list[UInt64Array], out_words: list[UInt64Array], *, nx: int
) -> None: ...
def grow_region(
    volume: AnyArray, seed_words: UInt64Array, *, thresholds: list[int], max_voxels: int, out_words: UInt64Array
) -> int: ...

# bind_histogram.cpp
def histogram(
    volume: AnyArray, mask: UInt64Array | None, *, phases: int, n_jobs: int
) -> tuple[Int64Array, Int64Array]: ...
def apply_table(
    volume: Int16Array, table: UInt8Array, mask: UInt64Array | None, out: UInt8Array, *, n_jobs: int
) -> None: ...
def label_values(values: AnyArray, first: int, table: UInt8Array, out: AnyArray, *, n_jobs: int) -> bool: ...
def threshold_below(volume: AnyArray, value: int, out: UInt64Array, *, n_jobs: int) -> None: ...

# bind_labels.cpp
def number_masks(mask_words: list[UInt64Array], out: UInt8Array, *, n_jobs: int) -> None: ...
def keep_within(labels: UInt8Array, out: UInt8Array, *, n_jobs: int) -> None: ...

# bind_median.cpp
def median_filter(labels: UInt8Array, size: Shape3, out: UInt8Array, *, n_jobs: int) -> None: ...

# bind_morphology.cpp
def binary_opening(words: UInt64Array, out_words: UInt64Array, *, nx: int, iterations: int, n_jobs: int) -> None: ...
def binary_opening_ball(
    words: UInt64Array, out_words: UInt64Array, *, nx: int, radius: Shape3, n_jobs: int
) -> None: ...
def binary_erosion_ball(
    words: UInt64Array, out_words: UInt64Array, *, nx: int, radius: Shape3, n_jobs: int
) -> None: ...
def binary_dilation_ball(
    words: UInt64Array, out_words: UInt64Array, *, nx: int, radius: Shape3, n_jobs: int
) -> None: ...
def binary_closing_ball(
    words: UInt64Array, out_words: UInt64Array, *, nx: int, radius: Shape3, n_jobs: int
) -> None: ...
