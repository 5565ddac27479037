"""From HU to tissue labels, and the smoothed map of them."""

from __future__ import annotations

from fastgmm._arrays import array_module
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray, UInt8Array
from fastgmm.lung.settings import LungSettings, check_spacing
from fastgmm.lung.tissue import TissueModel
from fastgmm.volume import apply_table, median_filter


def label_tissue(
    volume: AnyArray,
    mask: PackedMask | BoolArray,
    model: TissueModel,
    *,
    out: UInt8Array | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> UInt8Array:
    """Give each lung voxel the label of the class that most probably made its HU.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), integers that fit in 16 bits
        HU. Not modified.
    mask : PackedMask or bool ndarray of the same shape
        The lungs.
    model : TissueModel
        The mixture.
    out : ndarray of the same shape, dtype uint8, optional
        Written and returned.

    Returns
    -------
    ndarray of the same shape, dtype uint8
        1 air, 2 healthy, 3 ground glass, 4 consolidation, 5 other; 0 outside the mask.
    """
    table = array_module(volume).asarray(model.table)
    return apply_table(volume, table, mask, out=out, backend=backend, n_jobs=n_jobs)


def smooth_labels(
    labels: UInt8Array,
    settings: LungSettings,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    out: UInt8Array | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> UInt8Array:
    """Replace each label by the median of the box around it, for looking at; measures are taken from the labels.

    Parameters
    ----------
    labels : ndarray of shape (nz, ny, nx), dtype uint8
        Tissue labels. Not modified.
    settings : LungSettings
        Gives the size of the box. The published one is 4 voxels, which reach one further towards index 0, and lets
        the map grow and shrink at the border of the lungs. The default one is odd and about 3 mm; the map is 0
        exactly where the labels are: a voxel whose box is mostly background keeps its label.
    spacing_mm : tuple of 3 floats
        Distance of voxel centres along (z, y, x) in mm; the published preset does without.
    out : ndarray of the same shape, dtype uint8, optional
        Written and returned; not `labels` itself.
    """
    size = settings.median_size(check_spacing(spacing_mm) if settings.median_size_voxels is None else (1.0, 1.0, 1.0))
    return median_filter(
        labels, size, keep_zeros=settings.median_size_voxels is None, out=out, backend=backend, n_jobs=n_jobs
    )
