"""The starts of a mixture in Numba: the passes of k-means, and the moments of labelled rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Int32Array
from fastgmm.backends._contract import KMEANS_ROWS, Clusters, Moments
from fastgmm.backends._numba import em_blocks, kmeans_blocks
from fastgmm.backends._numba.em import KINDS, no_moments, over_chunks, pieces, total_moments


def em_label_moments(
    X: AnyArray, weights: Float64Array | None, labels: Int32Array, means: Float64Array, kind: str, n_jobs: int
) -> Moments:
    """Return the moments where each row belongs wholly to the component of its label."""

    def chunk_moments(begin: int, end: int) -> Moments:
        sums = no_moments(means, kind)
        for first, last, columns in pieces(X, begin, end):
            shares = np.zeros((len(means), last - first))
            shares[labels[first:last], np.arange(last - first)] = 1.0 if weights is None else weights[first:last]
            em_blocks.moments_of(columns, shares, KINDS[kind], means, *sums)
        return Moments(0.0, *sums)

    return total_moments(over_chunks(len(X), n_jobs, chunk_moments), kind)


def kmeans_step(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    labels: Int32Array,
    n_jobs: int,
) -> Clusters:
    """Overwrite the labels with the nearest centres, and add up the clusters."""

    def chunk_clusters(begin: int, end: int) -> Clusters:
        mass, first, changed = np.zeros(len(centres)), np.zeros(centres.shape), 0
        for part, columns, mass_of_row in _centred(X, weights, origin, begin, end):
            changed += kmeans_blocks.step(columns, mass_of_row, centres, labels[part], mass, first)
        return Clusters(changed, mass, first)

    n_changed, mass, first = (
        sum(column[1:], start=column[0]) for column in zip(*over_chunks(len(X), n_jobs, chunk_clusters), strict=True)
    )
    return Clusters(int(n_changed), mass, first)


def kmeans_potentials(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centres: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Return for each centre the sum over rows of weight * min(closest, squared distance to it)."""

    def chunk_sums(begin: int, end: int) -> Float64Array:
        sums = np.zeros(len(centres))
        for part, columns, mass_of_row in _centred(X, weights, origin, begin, end):
            kmeans_blocks.potentials(columns, mass_of_row, centres, closest[part], sums)
        return sums

    parts = over_chunks(len(X), n_jobs, chunk_sums)
    return sum(parts[1:], start=parts[0])


def kmeans_approach(
    X: AnyArray,
    weights: Float64Array | None,
    origin: Float64Array,
    centre: Float64Array,
    closest: Float64Array,
    n_jobs: int,
) -> Float64Array:
    """Lower `closest` to the squared distance to the centre where that is less; return the sums of blocks."""
    sums = np.empty(-(-len(X) // KMEANS_ROWS))

    def write(begin: int, end: int) -> None:
        for part, columns, mass_of_row in _centred(X, weights, origin, begin, end):
            blocks = sums[part.start // KMEANS_ROWS : -(-part.stop // KMEANS_ROWS)]
            kmeans_blocks.approach(columns, mass_of_row, centre, closest[part], blocks)

    over_chunks(len(X), n_jobs, write)
    return sums


def _centred(
    X: AnyArray, weights: Float64Array | None, origin: Float64Array, begin: int, end: int
) -> Iterator[tuple[slice, Float64Array, Float64Array]]:
    """Yield pieces of rows, feature by feature and less the origin, with their place and their weights."""
    for first, last, columns in pieces(X, begin, end):
        mass_of_row = np.ones(last - first) if weights is None else np.ascontiguousarray(weights[first:last])
        yield slice(first, last), columns - origin[:, np.newaxis], mass_of_row
