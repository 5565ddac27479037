"""The door to the presets: checks, then the mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastgmm._checks import check_mask, check_volume
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, UInt8Array
from fastgmm.lung.mask._default import default_lungs
from fastgmm.lung.mask._published import published_mask
from fastgmm.lung.settings import LungSettings, PublishedMaskSettings, check_spacing
from fastgmm.volume import number_masks

_N_PARTS = 3  # right lung, left lung, airway


@dataclass(frozen=True)
class LungSegmentation:
    """The lungs of a scan.

    Attributes
    ----------
    mask : PackedMask
        Both lungs.
    warnings : tuple of str
        What a reader of the results should know; each starts with a code and a colon.
    right, left, airway : PackedMask, optional
        The right and the left lung, and trachea with main bronchi, which are no part of the mask. The published preset
        does not tell them apart.
    """

    mask: PackedMask
    warnings: tuple[str, ...] = ()
    right: PackedMask | None = None
    left: PackedMask | None = None
    airway: PackedMask | None = None

    def labels(self, out: UInt8Array | None = None, *, backend: str = "auto", n_jobs: int | None = None) -> UInt8Array:
        """Return 1 right lung, 2 left lung, 3 airway, 0 elsewhere; 1 for both lungs where they are not told apart.

        Parameters
        ----------
        out : ndarray of shape (nz, ny, nx), dtype uint8, optional
            Written and returned instead of a new array.
        backend, n_jobs
            As everywhere.
        """
        parts = [part for part in (self.right, self.left, self.airway) if part is not None]
        masks = parts if len(parts) == _N_PARTS else [self.mask]
        return number_masks(masks, out=out, backend=backend, n_jobs=n_jobs)


def segment_lungs(
    volume: AnyArray,
    spacing_mm: tuple[float, float, float],
    settings: LungSettings | None = None,
    *,
    direction: AnyArray | None = None,
    air: PackedMask | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> LungSegmentation:
    """Find the lungs in a CT volume.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), integers
        HU. Not modified.
    spacing_mm : tuple of 3 floats
        Distance of voxel centres along (z, y, x) in mm.
    settings : LungSettings, optional
        The default preset if left out.
    direction : ndarray of shape (3, 3), optional
        Columns are the directions of the volume's axes (z, y, x) in (left, posterior, superior) coordinates; left out,
        they are superior, posterior and left. The published preset does not look at it: it takes the axes as stored.
    air : PackedMask of shape (nz, ny, nx), optional
        The voxels below `settings.air_below_hu`, where they are known already. Not modified.
    backend : str
        Backend of the kernels.
    n_jobs : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    LungSegmentation

    Raises
    ------
    LungNotFoundError
        If nothing passes for lung, with the largest pieces found and the rule that dropped each; or if the published
        scripts would stop because a lung lies too near an edge.

    Examples
    --------
    >>> from fastgmm.lung import segment_lungs
    >>> from fastgmm.lung.phantom import thorax_phantom
    >>> thorax = thorax_phantom((60, 96, 96))
    >>> lungs = segment_lungs(thorax.volume, thorax.spacing_mm)
    >>> lungs.right.count() > lungs.left.count() > lungs.airway.count() > 0
    True
    """
    volume = check_volume(volume)
    spacing = check_spacing(spacing_mm)
    if settings is None:
        settings = LungSettings()
    if volume.size == 0:
        raise ValueError(f"volume must have at least one voxel, got shape {volume.shape}")
    if air is not None:
        air = check_mask(air, "air", shape=volume.shape)
    axes = check_direction(direction)
    if isinstance(settings.mask, PublishedMaskSettings):
        return LungSegmentation(*published_mask(volume, spacing, settings, air, backend=backend, n_jobs=n_jobs))
    found = default_lungs(volume, spacing, settings, axes, air, {"backend": backend, "n_jobs": n_jobs})
    return LungSegmentation(found.lungs, found.warnings, found.right, found.left, found.airway)


def check_direction(direction: AnyArray | None) -> AnyArray:
    """Return the direction matrix as floats, the identity view (superior, posterior, left) for None."""
    if direction is None:
        return np.eye(3)[::-1].copy()
    matrix = np.asarray(direction, np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        raise ValueError(f"direction must be an invertible matrix of shape (3, 3), got {direction!r}")
    return matrix
