"""What a backend is: a module with these functions, one group per kernel family.

Arguments arrive checked: arrays are C-contiguous and of one of the dtypes named, masks are `PackedMask`, numbers are in
range, `n_jobs` is at least 1. Results are equal on every backend and for every `n_jobs`. Text meant for users stands in
the public functions; here is what a kernel must compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import (
    AnyArray,
    BoolArray,
    Connectivity,
    Float64Array,
    Int16Array,
    Int32Array,
    Int64Array,
    Shape3,
    UInt8Array,
)

COMPONENT_DTYPE = np.dtype(
    [(name, np.int64) for name in ("label", "n_voxels", "z0", "y0", "x0", "z1", "y1", "x1")]
    + [(name, np.int64) for name in ("c_z0", "c_z1", "c_y0", "c_y1", "c_x0", "c_x1")]
)


class HistogramKernels(Protocol):
    """Count and look up."""

    def histogram(
        self, volume: AnyArray, mask: PackedMask | None, phases: int, n_jobs: int
    ) -> tuple[Int64Array, Int64Array]:
        """Count int8/16/32 or uint8/16 values under the mask by (running index in z, y, x order) mod phases.

        Returns the distinct values that occur, rising, and their counts of shape (phases, n_values).
        """
        ...

    def apply_table(
        self, volume: Int16Array, table: UInt8Array, mask: PackedMask | None, out: UInt8Array, n_jobs: int
    ) -> None:
        """Write table[value + 32768] where the mask is set (everywhere without one), 0 elsewhere."""
        ...

    def label_values(self, values: AnyArray, first: int, table: UInt8Array, out: AnyArray, n_jobs: int) -> bool:
        """Write table[value - first] for each of the integers (n,); return whether the table has an entry for all.

        values : any integer dtype, any stride. first is a value of their dtype, the table has 1 to 65536 entries, out
        is of any integer dtype. What is written for values without an entry is not defined.
        """
        ...

    def threshold_below(self, volume: AnyArray, value: int, n_jobs: int) -> PackedMask:
        """Return the voxels of an int8/16/32 or uint8/16 volume with intensity < value."""
        ...


class ComponentKernels(Protocol):
    """Connected components, numbered from 1 by their first voxel in scan order."""

    def label_components(self, mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> tuple[AnyArray, int]:
        """Return labels of shape (nz, ny, nx), int32 (int64 above 2^31 - 1 components), and their number."""
        ...

    def component_table(self, mask: PackedMask, connectivity: Connectivity, n_jobs: int) -> AnyArray:
        """Return one COMPONENT_DTYPE record per component: box ends exclusive, c_* the voxels on each face."""
        ...

    def filter_components(
        self,
        mask: PackedMask,
        connectivity: Connectivity,
        choose: Callable[[AnyArray], BoolArray],
        n_jobs: int,
    ) -> PackedMask:
        """Return the components for which `choose`, given the table, says True."""
        ...

    def separate_components(
        self,
        mask: PackedMask,
        connectivity: Connectivity,
        choose: Callable[[AnyArray], BoolArray],
        n_jobs: int,
    ) -> list[PackedMask]:
        """Return each component for which `choose`, given the table, says True as a mask, in the table's order."""
        ...

    def geodesic_flood(self, mask: PackedMask, seeds: list[PackedMask], n_jobs: int) -> list[PackedMask]:
        """Return the parts of the mask that each of the seeds reaches first, in 6-neighbour steps within the mask.

        Of seeds that reach a voxel in the same number of steps the first has it. Seeds outside the mask do not count.
        """
        ...

    def grow_region(
        self, volume: AnyArray, seeds: PackedMask, thresholds: list[int], max_voxels: int, n_jobs: int
    ) -> tuple[PackedMask, int]:
        """Return the largest region of at most max_voxels, and the index of its threshold, -1 for none.

        The region of a threshold: the voxels below it joined by 6-neighbours below it to seeds below it. The thresholds
        rise; the first whose region is larger than max_voxels ends the search.
        """
        ...


class MorphologyKernels(Protocol):
    """Erosion and dilation; a ball of radii r has the offsets d with sum of (d / (r + 1/2))^2 <= 1."""

    def binary_opening(self, mask: PackedMask, iterations: int, n_jobs: int) -> PackedMask:
        """Erode then dilate `iterations` times with the 6-neighbour cross; outside is 0 in both steps."""
        ...

    def binary_opening_ball(self, mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
        """Erode then dilate with the ball; outside is 0 in both steps."""
        ...

    def binary_closing_ball(self, mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
        """Pad with 0 by the radius, dilate, erode, crop."""
        ...

    def binary_erosion_ball(self, mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
        """Return the voxels whose ball lies within the mask; outside is 0."""
        ...

    def binary_dilation_ball(self, mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
        """Return the voxels in the ball of a voxel of the mask."""
        ...


class MedianKernels(Protocol):
    """Rank filter of labels; labels made of masks and kept within others."""

    def median_filter(self, labels: UInt8Array, size: Shape3, out: UInt8Array, n_jobs: int) -> None:
        """Write the value of 0-based rank n // 2 among the n = sz sy sx labels of each box.

        Offsets along an axis are -(s // 2) .. s - 1 - s // 2; outside is reflected about the edge of the border voxel.
        """
        ...

    def number_masks(self, masks: list[PackedMask], out: UInt8Array, n_jobs: int) -> None:
        """Write i + 1 where masks[i] is set, the first of several, and 0 where none is; at most 255 masks."""
        ...

    def keep_within(self, labels: UInt8Array, out: UInt8Array, n_jobs: int) -> None:
        """Set `out` to 0 where the labels are 0, and to the labels where it is 0."""
        ...


class HistogramFit(NamedTuple):
    """Result of EM on weighted one-dimensional values; the arrays have shape (n_components,)."""

    weights: Float64Array
    means: Float64Array
    variances: Float64Array
    precisions_cholesky: Float64Array
    lower_bounds: Float64Array
    converged: bool
    collapsed: int = -1

    @property
    def n_iter(self) -> int:
        """The number of EM steps."""
        return int(self.lower_bounds.size)


class HistogramBatch(NamedTuple):
    """Independent fits of K components to weighted one-dimensional values: F fits, all arrays C-contiguous.

    values, counts : float64 (n_bins,), the bins of all histograms one after another.
    spans : int64 (F, 2), the bins begin .. end - 1 of each fit; fits may share them.
    weights, means, precisions_cholesky : float64 (F, K), the starts. variance_floors, lower_bounds : float64 (F,).
    """

    values: Float64Array
    counts: Float64Array
    spans: Int64Array
    weights: Float64Array
    means: Float64Array
    precisions_cholesky: Float64Array
    variance_floors: Float64Array
    lower_bounds: Float64Array

    def fit_each(
        self, fit: Callable[..., HistogramFit], *, tol: float, max_iter: int, reg_covar: float, n_jobs: int
    ) -> list[HistogramFit]:
        """Return what an `em_histogram` finds for each, several at a time."""
        workers = max(min(n_jobs, len(self.spans)), 1)
        settings = {"tol": tol, "max_iter": max_iter, "reg_covar": reg_covar, "n_jobs": n_jobs // workers}

        def fit_one(i: int) -> HistogramFit:
            bins = slice(*self.spans[i].tolist())
            start = (self.weights[i], self.means[i], self.precisions_cholesky[i])
            floor, bound = float(self.variance_floors[i]), float(self.lower_bounds[i])
            return fit(
                self.values[bins], self.counts[bins], *start, variance_floor=floor, lower_bound=bound, **settings
            )

        if workers == 1:
            return [fit_one(i) for i in range(len(self.spans))]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(fit_one, range(len(self.spans))))


class Mixture(NamedTuple):
    """A mixture as the kernels take it: log density of component k at x = offsets[k] - |P_k' (x - means[k])|^2 / 2.

    kind "full": P_k = precisions[k], upper triangular, shape (K, d, d). "tied": one P of shape (d, d) for all.
    "diag": P_k has the diagonal precisions[k], shape (K, d). All arrays are float64 and C-contiguous.
    """

    kind: Literal["full", "tied", "diag"]
    offsets: Float64Array
    means: Float64Array
    precisions: Float64Array


class Moments(NamedTuple):
    """Sums over rows of weight * responsibility * (x - mean)^p about the means given, in float64.

    mass (K,); first (K, d); second (K, d, d) for kind full, (K, d) for diag, (0, d) for tied.
    log_likelihood is the weighted sum of log densities, 0 where there are none.
    """

    log_likelihood: float
    mass: Float64Array
    first: Float64Array
    second: Float64Array


class Clusters(NamedTuple):
    """Sums over the rows nearest to each of K centres: of the weights, (K,), and of weight * row, (K, d).

    n_changed is the number of rows whose centre is another than before.
    """

    n_changed: int
    mass: Float64Array
    first: Float64Array


KMEANS_ROWS = 256  # rows in a block of `kmeans_approach`


class EMKernels(Protocol):
    """Expectation-maximisation of Gaussian mixtures.

    X has shape (n, d), n at least 1, dtype float32 or float64, any strides. No kernel holds an n x K matrix.
    """

    def em_step(self, X: AnyArray, weights: Float64Array | None, mixture: Mixture, n_jobs: int) -> Moments:
        """Return the moments for the responsibilities under the mixture, and the log-likelihood.

        The same bits for any n_jobs.
        """
        ...

    def em_moments(
        self, X: AnyArray, responsibilities: Float64Array, means: Float64Array, kind: str, n_jobs: int
    ) -> Moments:
        """Return the moments for given responsibilities of shape (n, K)."""
        ...

    def em_label_moments(
        self, X: AnyArray, weights: Float64Array | None, labels: Int32Array, means: Float64Array, kind: str, n_jobs: int
    ) -> Moments:
        """Return the moments where each row belongs wholly to the component of its label, shape (n,)."""
        ...

    def kmeans_step(
        self,
        X: AnyArray,
        weights: Float64Array | None,
        origin: Float64Array,
        centres: Float64Array,
        labels: Int32Array,
        n_jobs: int,
    ) -> Clusters:
        """Overwrite the labels (n,) with the nearest of the centres (K, d), and add up the clusters.

        All rows are taken less `origin`, (d,). The nearest centre c has the least |c|^2 - 2 x.c; of equals the first.
        """
        ...

    def kmeans_potentials(
        self,
        X: AnyArray,
        weights: Float64Array | None,
        origin: Float64Array,
        centres: Float64Array,
        closest: Float64Array,
        n_jobs: int,
    ) -> Float64Array:
        """Return for each centre the sum over rows of weight * min(closest, squared distance to it), shape (K,).

        A squared distance is |c|^2 - 2 x.c + |x|^2, at least 0.
        """
        ...

    def kmeans_approach(
        self,
        X: AnyArray,
        weights: Float64Array | None,
        origin: Float64Array,
        centre: Float64Array,
        closest: Float64Array,
        n_jobs: int,
    ) -> Float64Array:
        """Lower `closest`, (n,), to the squared distance to the centre, (d,), where that is less.

        Returns the sums of weight * closest over each KMEANS_ROWS rows.
        """
        ...

    def em_assign(
        self,
        X: AnyArray,
        mixture: Mixture,
        labels: Int64Array | None,
        log_density: AnyArray | None,
        responsibilities: AnyArray | None,
        n_jobs: int,
    ) -> None:
        """Write the most probable component (n,), the log density (n,), and the responsibilities (n, K).

        What is None is left out. The last two have the dtype of X. Of equally probable components the first is taken.
        """
        ...

    def em_histogram(
        self,
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
        """Run EM on values that occur counts times, from the parameters given (precisions_cholesky = 1 / sd).

        Each step, in this order: log densities with the present parameters; responsibilities r; for each component
        mass = sum(r counts) + 10 eps, mean = sum(r counts x) / mass, variance = sum(r counts (x - mean)^2) / mass +
        reg_covar, at least variance_floor; weights = masses / their sum; lower bound = mean log-likelihood before the
        update. Stops when the bound, which starts at `lower_bound`, changes by less than tol. `collapsed` is the first
        component whose variance was not positive (the loop stops before that step's bound), -1 if there was none.
        The compiled backends share their bits: csrc/shared/gaussian.h has the formulas and the order of the sums.
        """
        ...

    def em_histogram_batch(
        self, batch: HistogramBatch, *, tol: float, max_iter: int, reg_covar: float, n_jobs: int
    ) -> list[HistogramFit]:
        """Run `em_histogram` for each fit of the batch; every one equals, to the bit, the fit alone."""
        ...


class Backend(HistogramKernels, ComponentKernels, MorphologyKernels, MedianKernels, EMKernels, Protocol):
    """All five families."""
