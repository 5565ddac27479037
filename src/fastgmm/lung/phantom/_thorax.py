"""The synthetic thorax: a CT volume made from a seed, and what it is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm._checks import check_int, check_triple
from fastgmm._types import BoolArray, Int16Array, Shape3
from fastgmm.lung.phantom._anatomy import Anatomy
from fastgmm.lung.phantom._grid import FIELD_MM, HEIGHT_MM, Block, Vector3, make_grid, slabs
from fastgmm.lung.phantom._render import ThoraxTruth, draw_person, paint_slab

# Scanners write this outside the round field of view.
PADDING_HU = -3024
_LOWEST_HU, _HIGHEST_HU = -1024, 3071
# The middle of the image lies this far behind the middle of the chest, which makes room for the table.
_CENTER_Y_MM = 12.0
# How much of the lung's width the cut leaves out.
_CUT_MM = 9.0
# Work arrays hold this many voxels, a few slices: large enough to amortise the tubes, small beside the volume.
_SLAB_VOXELS = 1 << 21


@dataclass(frozen=True)
class Thorax:
    """A synthetic scan and its truth.

    Attributes
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int16
        HU; z rises towards the head, y towards the back, x towards the patient's left.
    spacing_mm : tuple of 3 floats
        Along (z, y, x).
    truth : ThoraxTruth
        What every voxel is made of.
    """

    volume: Int16Array
    spacing_mm: Vector3
    truth: ThoraxTruth


def thorax_phantom(
    shape: int | Sequence[int] = (100, 128, 128),
    spacing_mm: Sequence[float] | None = None,
    seed: int = 0,
    *,
    cut_by_field_of_view: bool = False,
    padding: bool = False,
    noise_hu: float = 20.0,
) -> Thorax:
    """Make a CT of a thorax from a seed.

    Parameters
    ----------
    shape : int or sequence of 3 ints
        Voxels along (z, y, x).
    spacing_mm : sequence of 3 floats, optional
        Along (z, y, x). By default the image shows 300 mm along z and 360 mm in the plane, whatever its shape.
    seed : int
        Chooses the person and the noise. Shape and spacing only sample the person.
    cut_by_field_of_view : bool
        Move the image to one side so that its border cuts 9 mm off the widest place of one lung, the one without the
        peripheral consolidation.
    padding : bool
        Set what lies outside the round field of view to -3024.
    noise_hu : float
        Standard deviation of the noise, independent in every voxel.

    Returns
    -------
    Thorax

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong kind or out of range.

    Notes
    -----
    The person is a set of solids and tubes in millimetres; see docs/phantom.md. A voxel mixes what it covers (partial
    volume); its truth is what its centre lies in. Time and memory: about 0.07 s and 6 bytes per million voxels beside
    the slab in work.

    Examples
    --------
    >>> from fastgmm.lung.phantom import thorax_phantom
    >>> scan = thorax_phantom((25, 64, 64), seed=1)
    >>> scan.volume.shape, scan.volume.dtype.name, scan.spacing_mm
    ((25, 64, 64), 'int16', (12.0, 5.625, 5.625))
    """
    shape = check_triple(shape, "shape", low=1)
    spacing = _fitting_spacing(shape) if spacing_mm is None else _check_spacing(spacing_mm)
    seed = check_int(seed, "seed", low=0)
    noise = np.float32(_check_noise(noise_hu))
    person = draw_person(seed)
    center_x = _center_of_cut(person.anatomy, shape[2] * spacing[2]) if cut_by_field_of_view else 0.0
    grid = make_grid(shape, spacing, (HEIGHT_MM / 2, _CENTER_Y_MM, center_x))
    outside = _outside_round_field(grid) if padding else None
    volume = np.empty(shape, np.int16)
    truth = ThoraxTruth.empty(shape)
    for where, slab in slabs(grid, _SLAB_VOXELS):
        hu = paint_slab(person, slab, truth.part(where))
        for index, plane in enumerate(hu, start=where.start):
            plane += noise * np.random.default_rng([seed, index]).standard_normal(plane.shape, dtype=np.float32)
        np.rint(hu, out=hu)
        np.clip(hu, _LOWEST_HU, _HIGHEST_HU, out=hu)
        if outside is not None:
            hu[:, outside] = PADDING_HU
        volume[where] = hu
    return Thorax(volume, spacing, truth)


def _fitting_spacing(shape: Shape3) -> Vector3:
    """Return the spacing with which an image of this shape shows the whole thorax."""
    pixel = FIELD_MM / min(shape[1:])
    return HEIGHT_MM / shape[0], pixel, pixel


def _check_spacing(spacing_mm: Any) -> Vector3:
    try:
        z, y, x = (float(step) for step in spacing_mm)
    except (TypeError, ValueError):
        raise ValueError(f"spacing_mm must be 3 positive numbers (z, y, x) in mm, got {spacing_mm!r}") from None
    if not all(math.isfinite(step) and step > 0 for step in (z, y, x)):
        raise ValueError(f"spacing_mm must be 3 positive numbers (z, y, x) in mm, got {spacing_mm!r}")
    return z, y, x


def _check_noise(noise_hu: Any) -> float:
    if not isinstance(noise_hu, int | float | np.integer | np.floating) or not math.isfinite(noise_hu) or noise_hu < 0:
        raise ValueError(f"noise_hu must be a number of HU, at least 0, got {noise_hu!r}")
    return float(noise_hu)


def _center_of_cut(anatomy: Anatomy, width_mm: float) -> float:
    """Return the image's centre in x for which its border cuts the lung on the side without the consolidation."""
    return -anatomy.mass_side * (anatomy.chest_width - _CUT_MM - width_mm / 2)


def _outside_round_field(grid: Block) -> BoolArray:
    """Return which pixels lie outside the circle that fits into the image, shape (ny, nx)."""
    _, ny, nx = grid.shape
    _, sy, sx = grid.spacing_mm
    y, x = (np.arange(ny) - (ny - 1) / 2) * sy, (np.arange(nx) - (nx - 1) / 2) * sx
    return np.asarray(y[:, None] ** 2 + x[None, :] ** 2 > (min(ny * sy, nx * sx) / 2) ** 2)
