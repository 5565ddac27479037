"""Lung masks made elsewhere: read, and compared with the scan they are for."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import numpy as np

from fastgmm._types import BoolArray, Float64Array
from fastgmm.errors import ScanError
from fastgmm.io._files import read_scan
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader

# Corners may differ by this share of a voxel: what rounding in headers leaves.
_TOLERANCE_VOXELS = 1e-3


def read_lung_mask(path: str | os.PathLike[str], scan: Scan | ScanHeader) -> BoolArray:
    """Read a lung mask for a scan: every value but 0 is lung.

    Parameters
    ----------
    path : path-like
        A file of any format that `read_scan` reads.
    scan : Scan or ScanHeader
        The scan it must lie on: same shape, and corners at the same places to 1e-3 of a voxel.

    Returns
    -------
    ndarray of bool, shape of the scan

    Raises
    ------
    ScanError
        If the file cannot be read, or lies elsewhere than the scan; the text gives both geometries.
    """
    given = read_scan(Path(path), assume_hu=True)
    if given.volume.shape != scan.shape or _largest_offset(given, scan) > _TOLERANCE_VOXELS:
        raise ScanError(
            f"{os.fspath(path)}: expected a mask with the geometry of {scan.path}, {_describe(scan)}, "
            f"got {_describe(given)}; resample the mask to the scan"
        )
    mask: BoolArray = given.volume != 0
    return mask


def _corners(geometry: ScanGeometry, shape: tuple[int, ...]) -> Float64Array:
    """Return the places of the eight corner voxels in mm."""
    steps = geometry.direction * np.array(geometry.spacing_mm)
    indices = np.array(list(product(*((0, n - 1) for n in shape))))
    places: Float64Array = np.array(geometry.origin_lps_mm) + indices @ steps.T
    return places


def _largest_offset(given: Scan, scan: Scan | ScanHeader) -> float:
    """Return how far apart two corners lie, in voxels of the scan."""
    shape = scan.shape
    apart = (_corners(given, shape) - _corners(scan, shape)) @ scan.direction
    return float(np.abs(apart / np.array(scan.spacing_mm)).max())


def _describe(scan: Scan | ScanHeader) -> str:
    spacing = " ".join(f"{step:.6g}" for step in scan.spacing_mm)
    origin = " ".join(f"{place:.6g}" for place in scan.origin_lps_mm)
    axes = "; ".join(" ".join(f"{part:.4g}" for part in axis) for axis in scan.direction.T)
    return f"shape {scan.shape}, spacing {spacing} mm, origin {origin} mm, axes ({axes})"
