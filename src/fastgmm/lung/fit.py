"""One mixture from the lung voxels of any number of scans, by way of their histograms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastgmm._histogram import Histogram, PhasedHistogram
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray, Int64Array
from fastgmm.lung.settings import N_CLASSES, STABLE_FROM_N_SCANS, LungSettings
from fastgmm.lung.tissue import TissueModel
from fastgmm.mixture._em import fit_histogram_1d
from fastgmm.volume import histogram


class MixtureStart(NamedTuple):
    """Where a fit begins: five weights, means in HU and variances in HU^2."""

    weights: Sequence[float]
    means: Sequence[float]
    variances: Sequence[float]


def collect_histogram(
    volume: AnyArray,
    mask: PackedMask | BoolArray,
    settings: LungSettings,
    *,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> PhasedHistogram:
    """Count the HU of a scan's lungs by running index, values below the floor counted at the floor.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), integers
        HU. Not modified.
    mask : PackedMask or bool ndarray of the same shape
        The lungs.
    settings : LungSettings
        Gives the floor and the number of phases.

    Returns
    -------
    PhasedHistogram
        Its memory does not depend on the size of the scan: all that a fit needs to keep of it.
    """
    counted = histogram(volume, mask, phases=settings.subsample_every, backend=backend, n_jobs=n_jobs)
    if not isinstance(counted, PhasedHistogram):  # one phase: the volume's door returns a plain histogram
        counted = PhasedHistogram(counted.values, counted.counts[np.newaxis])
    values, counts = _with_floor(counted.values, counted.counts, settings.label_floor_hu)
    return PhasedHistogram(values, counts)


def fit_tissue_model(
    parts: Sequence[PhasedHistogram],
    settings: LungSettings,
    *,
    allow_unordered: bool = False,
    start: MixtureStart | None = None,
    backend: str = "auto",
) -> TissueModel:
    """Fit the five-component mixture on every n-th lung voxel of the scans laid one after another.

    Parameters
    ----------
    parts : sequence of PhasedHistogram
        One per scan from `collect_histogram`, in the order of the scans.
    settings : LungSettings
        Gives the subsampling and the convergence.
    allow_unordered : bool
        Return the mixture even if it cannot be given tissue names.
    start : MixtureStart, optional
        Where to begin; by default from the optimal 1-D k-means of the histogram, which needs no random numbers.

    Returns
    -------
    TissueModel

    Raises
    ------
    TissueModelError
        If the mixture does not pass `TissueModel.guard`.
    ValueError
        If there is no scan, or fewer distinct HU than components.

    Warns
    -----
    UserWarning
        For fewer scans than the method was found stable from.

    Notes
    -----
    The published script starts six times from random k-means and keeps the best; here the start is the best k-means
    there is, so that the same scans always give the same model. Cost: that of the distinct HU, not of the voxels.
    """
    if not parts:
        raise ValueError("parts must hold at least one scan's histogram, got none")
    counted = _subsampled(parts, settings.subsample_every)
    if len(parts) < STABLE_FROM_N_SCANS:
        warnings.warn(
            f"the model is fitted on {len(parts)} scans; the method was found stable from about {STABLE_FROM_N_SCANS}",
            stacklevel=2,
        )
    weights, means, variances = (None, None, None) if start is None else (np.asarray(c, np.float64) for c in start)
    fit = fit_histogram_1d(
        counted,
        N_CLASSES,
        tol=settings.tol,
        max_iter=settings.max_iter,
        reg_covar=settings.reg_covar,
        backend=backend,
        weights=weights,
        means=means,
        precisions=None if variances is None else 1.0 / variances,
    )
    model = TissueModel(
        weights=tuple(fit.weights.tolist()),
        means=tuple(fit.means.tolist()),
        variances=tuple(fit.variances.tolist()),
        floor_hu=settings.label_floor_hu,
        n_scans=len(parts),
        mean_log_likelihood=float(fit.lower_bounds[-1]),
        source=f"fastgmm fit on {counted.n} voxels of {len(parts)} scans, every {settings.subsample_every}th taken",
    )
    if not allow_unordered:
        model.guard()
    return model


def _subsampled(parts: Sequence[PhasedHistogram], every: int) -> Histogram:
    """Return every n-th voxel of the parts counted, or raise if there are fewer distinct HU than components."""
    counted = PhasedHistogram.subsample(parts, every)
    if counted.values.size < N_CLASSES:
        raise ValueError(
            f"the lungs must have at least {N_CLASSES} distinct HU for a fit, got {counted.values.size} in {counted.n} "
            "voxels; use the published model instead"
        )
    return counted


def _with_floor(values: Int64Array, counts: Int64Array, floor: int) -> tuple[Int64Array, Int64Array]:
    """Count everything below the floor at the floor."""
    low = values < floor
    if not low.any():
        return values, counts
    rest = ~low
    at_floor = counts[:, low].sum(axis=1)
    if rest.any() and values[rest][0] == floor:
        merged = counts[:, rest].copy()
        merged[:, 0] += at_floor
        return values[rest], merged
    return np.concatenate([[floor], values[rest]]), np.concatenate([at_floor[:, np.newaxis], counts[:, rest]], axis=1)
