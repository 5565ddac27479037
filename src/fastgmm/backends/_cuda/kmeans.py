"""The passes of k-means on the device (csrc/cuda/em_kmeans.cu)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int32Array
from fastgmm.backends._contract import Clusters
from fastgmm.backends._cuda._device import Variant, kernel
from fastgmm.backends._cuda.em import CHUNK, COLUMNS, REALS, ROW_KERNELS, labelled_sums, rows_of

_PASSES = {dtype: Variant("cuda/em_kmeans.cu", (("FG_REAL", real),)) for dtype, real in REALS.items()}
VARIANTS = tuple(_PASSES.values())


def kmeans_step(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    labels: Int32Array,
    n_jobs: int,
) -> Clusters:
    """Overwrite the labels with the nearest of the centres, and add up the clusters."""
    import cupy

    label = kernel(_PASSES[X.dtype.name], "kmeans_nearest")
    n_blocks = -(-len(X) // label.threads)
    n_changed = cupy.empty(n_blocks)
    label(n_blocks, *rows_of(X), *_upload(origin, centres), labels, n_changed)
    origins = cupy.asarray(np.tile(origin, (len(centres), 1)))
    moments = labelled_sums(X, weights, labels, origins, "tied", n_changed).moments()
    return Clusters(int(moments.log_likelihood), moments.mass, moments.first)


def kmeans_potentials(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Return for each centre the sum over rows of weight * min(closest, squared distance to it)."""
    import cupy

    given = _upload(origin, centres)
    n_chunks, width = -(-len(X) // CHUNK), given[-1]
    partial, totals = cupy.empty((n_chunks, width)), cupy.zeros(1 + width)
    kernel(_PASSES[X.dtype.name], "kmeans_potentials")(n_chunks, *rows_of(X), weights, *given, closest, partial)
    collect = kernel(ROW_KERNELS[X.dtype.name, 128], "em_collect")
    collect(1 + -(-width // collect.threads), partial, n_chunks, width, None, 0, totals)
    potentials: Float64Array = totals.get()[1 : 1 + len(centres)]
    return potentials


def kmeans_approach(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centre: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Lower `closest` to the squared distance to the centre where that is less; return the sums of blocks."""
    import cupy

    approach = kernel(_PASSES[X.dtype.name], "kmeans_approach")
    n_blocks = -(-len(X) // approach.threads)
    sums = cupy.empty(n_blocks)
    given = (cupy.asarray(origin), cupy.asarray(centre), float(centre @ centre), centre.size)
    approach(n_blocks, *rows_of(X), weights, *given, closest, sums)
    blocks: Float64Array = sums.get()
    return blocks


def _upload(origin: Float64Array, centres: Float64Array) -> tuple[Any, Any, Any, int, int]:
    """Return origin, centres as columns, norms, d and width, padded to a multiple of four with infinite norms."""
    import cupy

    n_centres, d = centres.shape
    width = -(-n_centres // COLUMNS) * COLUMNS
    columns, norms = np.zeros((d, width)), np.full(width, np.inf)
    columns[:, :n_centres] = centres.T
    norms[:n_centres] = (centres**2).sum(axis=1)
    return cupy.asarray(origin), cupy.asarray(columns), cupy.asarray(norms), d, width
