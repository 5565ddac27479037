"""EM on the device: histograms a block each, rows slab by slab (csrc/cuda/em_histogram.cu, em_rows.cu)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int32Array, Int64Array
from fastgmm.backends._contract import HistogramBatch, HistogramFit, Mixture, Moments
from fastgmm.backends._cuda._device import Kernel, Variant, blocks_for, kernel

_NO_CONTRACTION = ("--fmad=false",)  # for the bits of the CPU
_MOST_COMPONENTS = 320  # of a histogram: their parameters and sums lie in 48 KiB of shared memory
_KEPT_COMPONENTS = 8  # kBatch of em_histogram.cu: more need scratch
_BOUNDS = 1 << 22  # lower bounds kept on the device between two looks at the fits
_KINDS = {"full": 0, "tied": 1, "diag": 2}
COLUMNS, _TILE, CHUNK = 4, 4, 4096  # kColumns, kTile, kChunk of em_rows
_SHARED_BYTES = 48 << 10
_SLAB = 1 << 22  # responsibilities of a slab; and partial sums of its chunks
REALS = {"float32": "float", "float64": "double"}
_ROWS = (128, 64, 32)
ROW_KERNELS = {
    (dtype, rows): Variant("cuda/em_rows.cu", (("FG_REAL", real), ("FG_ROWS", str(rows))))
    for dtype, real in REALS.items()
    for rows in _ROWS
}
_LABEL_SUMS = {dtype: Variant("cuda/em_labels.cu", (("FG_REAL", real),)) for dtype, real in REALS.items()}
_FEW_LABELS = 64  # more of one feature are sorted: the other kernels go over all rows once for each


@functools.cache
def histogram_variant(n_components: int) -> Variant:
    """Return the compilation of the histogram kernel for a number of components."""
    return Variant("cuda/em_histogram.cu", (("FG_N_COMPONENTS", str(n_components)),), _NO_CONTRACTION)


# Of the histogram kernel: few components, the five tissues, the most in one pass, and several passes.
VARIANTS = (*ROW_KERNELS.values(), *_LABEL_SUMS.values(), *(histogram_variant(n) for n in (1, 5, 8, 20)))


def em_histogram(
    values: Float64Array,
    counts: Float64Array,
    weights: Float64Array,
    means: Float64Array,
    precisions_cholesky: Float64Array,
    *,
    tol: float,
    max_iter: int,
    reg_covar: float,
    variance_floor: float,
    lower_bound: float,
    n_jobs: int,
) -> HistogramFit:
    """Run EM on values that occur counts times."""
    start = (weights[np.newaxis], means[np.newaxis], precisions_cholesky[np.newaxis])
    spans = np.array([[0, values.size]], np.int64)
    batch = HistogramBatch(values, counts, spans, *start, np.array([variance_floor]), np.array([lower_bound]))
    return em_histogram_batch(batch, tol=tol, max_iter=max_iter, reg_covar=reg_covar, n_jobs=n_jobs)[0]


def em_histogram_batch(
    batch: HistogramBatch, *, tol: float, max_iter: int, reg_covar: float, n_jobs: int
) -> list[HistogramFit]:
    """Launch a block for each fit; launches go on until all are done, a bounded number of steps at a time."""
    import cupy

    n_fits, n_components = batch.weights.shape
    if n_components > _MOST_COMPONENTS:
        raise ValueError(
            f"n_components must be at most {_MOST_COMPONENTS} on a histogram with backend 'cuda', got {n_components}; "
            "pass histogram=False, or NumPy rows (cupy.asnumpy) with backend='cpp'"
        )
    most_bins = int(np.diff(batch.spans).max(initial=0)) if n_components > _KEPT_COMPONENTS else 0
    variances = 1.0 / (batch.precisions_cholesky * batch.precisions_cholesky)
    start = np.stack([batch.weights, batch.means, batch.precisions_cholesky, variances], axis=1)
    bins = [cupy.asarray(part) for part in (batch.values, batch.counts, batch.spans)]
    shares = cupy.empty(max(n_fits * most_bins * 2, 2))
    mixtures, bounds = cupy.asarray(start), cupy.asarray(batch.lower_bounds)
    fixed = (*bins, shares, most_bins, cupy.asarray(batch.variance_floors), float(tol), float(reg_covar))
    found, outcomes = _run_launches(fixed, mixtures, bounds, max_iter)
    return [
        HistogramFit(p[0], p[1], p[3], p[2], np.concatenate([np.empty(0), *rows]), bool(outcome[1]), int(outcome[2]))
        for p, rows, outcome in zip(mixtures.get(), found, outcomes, strict=True)
    ]


def _run_launches(
    fixed: tuple[Any, ...], mixtures: Any, bounds: Any, max_iter: int
) -> tuple[list[list[Float64Array]], Int64Array]:
    """Launch until every fit is done; return the lower bounds of each, launch by launch, and (steps, converged, lost).

    fixed : the kernel's arguments before the number of steps. mixtures (F, 4, K) and bounds (F,) are overwritten.
    """
    import cupy

    n_fits, _, n_components = mixtures.shape
    fit_all = kernel(histogram_variant(n_components), "em_histogram")
    n_steps = max(_BOUNDS // max(n_fits, 1), 16)
    outcomes = cupy.asarray(np.tile(np.array([0, 0, -1], np.int64), (n_fits, 1)))
    found: list[list[Float64Array]] = [[] for _ in range(n_fits)]
    state, done = outcomes.get(), 0
    while done < max_iter and (running := (state[:, 1] == 0) & (state[:, 2] < 0)).any():
        steps = min(n_steps, max_iter - done)
        lower_bounds = cupy.zeros((n_fits, steps))  # all come down, also those of steps not taken
        fit_all(n_fits, *fixed, steps, mixtures, bounds, lower_bounds, outcomes)
        state, rows = outcomes.get(), lower_bounds.get()
        for i in np.flatnonzero(running):
            found[i].append(rows[i, : state[i, 0]])
        done += steps
    return found, state


class _OnDevice(NamedTuple):
    """A mixture's kernel arguments: kind, K, d, offsets, means, factors."""

    kind: int
    n_components: int
    n_features: int
    offsets: Any
    means: Any
    factors: Any


class _Plan(NamedTuple):
    """How rows are cut for kernels with a thread per row: which compilation, and what lies in shared memory."""

    rows: int
    is_staged: bool
    is_kept: bool
    shared_bytes: int


def _plan(n_features: int, n_components: int, spare: int) -> _Plan:
    """Return the largest blocks whose rows fit; then keep the densities too if they do."""
    fitting = [rows for rows in _ROWS if 8 * (n_features * (rows + 1) + spare * rows) <= _SHARED_BYTES]
    rows = fitting[0] if fitting else _ROWS[0]
    n_bytes = 8 * (spare * rows + (n_features * (rows + 1) if fitting else 0))
    is_kept = n_bytes + 8 * n_components * rows <= _SHARED_BYTES
    return _Plan(rows, bool(fitting), is_kept, n_bytes + (8 * n_components * rows if is_kept else 0))


def _upload(mixture: Mixture) -> _OnDevice:
    """Copy a mixture, the columns of its triangular factors padded with zeros to a multiple of four."""
    import cupy

    factors, d = mixture.precisions, mixture.means.shape[1]
    if mixture.kind != "diag":
        padded = np.zeros((*factors.shape[:-1], -(-d // COLUMNS) * COLUMNS))
        padded[..., :d] = np.triu(factors)
        factors = padded
    arrays = (cupy.asarray(part) for part in (mixture.offsets, mixture.means, factors))
    return _OnDevice(_KINDS[mixture.kind], len(mixture.means), d, *arrays)


def rows_of(X: AnyArray) -> tuple[Any, int, int, int]:
    """Return the arguments that say where rows are: values, strides in elements, number."""
    return X, X.strides[0] // X.itemsize, X.strides[1] // X.itemsize, len(X)


def slabs(n: int, n_components: int, n_sums: int) -> Iterator[slice]:
    """Yield slabs of whole chunks whose responsibilities and partial sums are of bounded size."""
    chunks = max(min(_SLAB // (n_components * CHUNK), _SLAB // n_sums), 1)
    for begin in range(0, n, chunks * CHUNK):
        yield slice(begin, min(begin + chunks * CHUNK, n))


class Sums:
    """The moments of one step, added up on the device."""

    def __init__(self, X: AnyArray, means: Any, kind: str) -> None:
        import cupy

        self.kind, self.means, (self.n_components, self.d) = kind, means, means.shape
        n_second = {"full": self.d**2, "diag": self.d, "tied": 0}[kind]
        self.n_sums = self.n_components * (1 + self.d + n_second)
        self.totals = cupy.zeros(1 + self.n_sums)
        self.variant = ROW_KERNELS[X.dtype.name, _ROWS[0]]

    def add(
        self, X: AnyArray, shares: Any, strides: tuple[int, int], ratios: Any, evidence: Any, labels: Any = None
    ) -> None:
        """Add the rows of a slab with their shares, of labelled rows wholly to the component of the label."""
        import cupy

        n_chunks = -(-len(X) // CHUNK)
        partial = cupy.empty(n_chunks * self.n_sums)
        given = (*rows_of(X), self.d, shares, *strides, ratios, labels, self.n_components, self.means)
        if self.kind == "full":
            launch = kernel(self.variant, "em_moments_full")
            n_blocks = (self.d + _TILE) // _TILE
            tile, shared_bytes = _tile_of(n_blocks * _TILE, launch)
            pairs = -(-(n_blocks * (n_blocks + 1) // 2) // launch.threads)
            launch((n_chunks * self.n_components, pairs), *given, tile, partial, shared_bytes=shared_bytes)
        else:
            launch = kernel(self.variant, "em_moments_diagonal")
            grid = (n_chunks * self.n_components, -(-self.d // launch.threads))
            launch(grid, *given, int(self.kind == "diag"), partial)
        collect = kernel(self.variant, "em_collect")
        n_evidence = 0 if evidence is None else evidence.size
        n_blocks = 1 + -(-self.n_sums // collect.threads)
        collect(n_blocks, partial, n_chunks, self.n_sums, evidence, n_evidence, self.totals)

    def moments(self) -> Moments:
        """Fetch the sums."""
        host, d = self.totals.get(), self.d
        sums = host[1:].reshape(self.n_components, -1)
        second = np.ascontiguousarray(sums[:, 1 + d :])
        shape = {"full": (self.n_components, d, d), "diag": (self.n_components, d), "tied": (0, d)}[self.kind]
        mass, first = np.ascontiguousarray(sums[:, 0]), np.ascontiguousarray(sums[:, 1 : 1 + d])
        return Moments(float(host[0]), mass, first, second.reshape(shape))


def _tile_of(width: int, launch: Kernel) -> tuple[int, int]:
    """Return how many rows are staged at once, and the shared memory of that and of the last sums."""
    tile = launch.threads
    while tile > 1 and 8 * (width * (tile + 1) + tile) > _SHARED_BYTES - (12 << 10):
        tile //= 2
    n_bytes = 8 * (width * (tile + 1) + tile)
    if n_bytes > _SHARED_BYTES:
        raise ValueError(
            f"covariance_type 'full' with backend 'cuda' takes up to 3,000 features, got {width - 1}; "
            "pass NumPy rows (cupy.asnumpy) with backend='cpp'"
        )
    return tile, max(n_bytes, 8 * _TILE**2 * launch.threads)


def em_step(X: AnyArray, weights: Float64Array | None, mixture: Mixture, n_jobs: int) -> Moments:
    """Return the moments for the responsibilities under the mixture, and the log-likelihood."""
    import cupy

    m = _upload(mixture)
    sums = Sums(X, m.means, mixture.kind)
    plan = _plan(m.n_features, m.n_components, spare=1)
    soften = kernel(ROW_KERNELS[X.dtype.name, plan.rows], "em_shares")
    for slab in slabs(len(X), m.n_components, sums.n_sums):
        rows = X[slab]
        n, n_blocks = len(rows), -(-len(rows) // plan.rows)
        shares, ratios, evidence = cupy.empty((m.n_components, n)), cupy.empty(n), cupy.empty(n_blocks)
        given = (*rows_of(rows), None if weights is None else weights[slab], *m)
        flags = (int(plan.is_staged), int(plan.is_kept), n)
        soften(n_blocks, *given, *flags, shares, ratios, evidence, shared_bytes=plan.shared_bytes)
        sums.add(rows, shares, (1, n), ratios, evidence)
    return sums.moments()


def em_moments(X: AnyArray, responsibilities: Float64Array, means: Float64Array, kind: str, n_jobs: int) -> Moments:
    """Return the moments for given responsibilities of shape (n, K)."""
    import cupy

    sums = Sums(X, cupy.asarray(means), kind)
    for slab in slabs(len(X), len(means), sums.n_sums):
        shares = responsibilities[slab]
        sums.add(X[slab], shares, (shares.strides[0] // 8, shares.strides[1] // 8), None, None)
    return sums.moments()


def em_label_moments(
    X: AnyArray, weights: Float64Array | None, labels: Int32Array, means: Float64Array, kind: str, n_jobs: int
) -> Moments:
    """Return the moments where each row belongs wholly to the component of its label."""
    import cupy

    if kind == "tied" and X.shape[1] == 1 and len(means) > _FEW_LABELS:
        return _sorted_label_moments(X, weights, labels, means)
    return labelled_sums(X, weights, labels, cupy.asarray(means), kind).moments()


def _sorted_label_moments(X: Any, weights: Any, labels: Any, means: Float64Array) -> Moments:
    """Return mass and first moments of many labels, each by the rows that have it."""
    import cupy

    order = cupy.argsort(labels)
    ends = cupy.searchsorted(labels[order], cupy.arange(len(means), dtype=np.int32), side="right")
    sums = cupy.empty((len(means), 2))
    add = kernel(_LABEL_SUMS[X.dtype.name], "em_label_sums")
    n_blocks = blocks_for(len(means) * 32, add.threads)
    add(n_blocks, X, X.strides[0] // X.itemsize, weights, order, ends, len(means), cupy.asarray(means), sums)
    mass, first = np.ascontiguousarray(sums.get().T)
    return Moments(0.0, mass, first[:, np.newaxis], np.empty((0, 1)))


def labelled_sums(X: AnyArray, weights: Any, labels: Any, means: Any, kind: str, evidence: Any = None) -> Sums:
    """Return the sums of labelled rows, and the sum of the evidence in place of a log-likelihood."""
    sums = Sums(X, means, kind)
    for slab in slabs(len(X), 1, sums.n_sums):
        given = None if weights is None else weights[slab]
        sums.add(X[slab], given, (1, 0), None, None if slab.start else evidence, labels[slab])
    return sums


def em_assign(
    X: AnyArray,
    mixture: Mixture,
    labels: Int64Array | None,
    log_density: AnyArray | None,
    responsibilities: AnyArray | None,
    n_jobs: int,
) -> None:
    """Write the most probable component, the log density, and the responsibilities of each row."""
    import cupy

    m = _upload(mixture)
    plan = _plan(m.n_features, m.n_components, spare=0)
    assign = kernel(ROW_KERNELS[X.dtype.name, plan.rows], "em_assign")
    for slab in slabs(len(X), m.n_components, 1):
        rows = X[slab]
        scratch = None if plan.is_kept else cupy.empty((m.n_components, len(rows)))
        outputs = (None if out is None else out[slab] for out in (labels, log_density, responsibilities))
        given = (*rows_of(rows), *m, int(plan.is_staged), scratch)
        assign(-(-len(rows) // plan.rows), *given, *outputs, shared_bytes=plan.shared_bytes)
