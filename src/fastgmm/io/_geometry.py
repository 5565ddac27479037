"""Voxel axes in patient space: from a file's (x, y, z) to arrays in (z, y, x)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastgmm._types import Float64Array, Shape3
from fastgmm.io._problems import ANOTHER_COPY, scan_error
from fastgmm.io._scan import ScanGeometry, Triple

# A gantry tilt below this moves a voxel 300 mm up by less than 3 mm; above, distances and volumes are wrong.
MAX_TILT_DEGREES = 0.5
NO_SPACING = "the header states no voxel spacing: 1 mm is assumed"
STRAIGHTEN = "resample the scan to a straight grid first (dcm2niix, 3D Slicer)"


@dataclass(frozen=True)
class Placement:
    """Where an array lies: the three fields of `ScanGeometry` that describe it."""

    spacing_mm: Triple
    direction: Float64Array
    origin_lps_mm: Triple


def shape_from_sizes(path: Path, sizes: Sequence[int]) -> Shape3:
    """Return the (z, y, x) shape of a file's sizes (x, y, z, …); axes behind the third may have one entry only."""
    stated = " ".join(str(size) for size in sizes)
    spatial = list(sizes)
    while len(spatial) > 3 and spatial[-1] == 1:
        spatial.pop()
    if len(spatial) != 3:
        got = f"{len(spatial)}-D of sizes {stated}"
        raise scan_error(path, "a 3-D volume", got, "give one 3-D volume per file")
    if min(spatial) < 1:
        raise scan_error(path, "at least one voxel along each axis", f"sizes {stated}", ANOTHER_COPY)
    x, y, z = spatial
    return z, y, x


def placement_xyz(
    path: Path, spacing_xyz: Float64Array, direction_xyz: Float64Array, origin: Float64Array
) -> Placement:
    """Turn spacing (x, y, z), direction columns (x, y, z) and the LPS origin into (z, y, x), and check them.

    Parameters
    ----------
    path : Path
        For the text of errors.
    spacing_xyz : ndarray of shape (3,), mm
    direction_xyz : ndarray of shape (3, 3)
        Columns are the unit vectors of the file's axes, rows are LPS.
    origin : ndarray of shape (3,), mm
    """
    if not (np.isfinite(spacing_xyz).all() and (spacing_xyz > 0).all()):
        got = " x ".join(f"{value:g}" for value in spacing_xyz)
        raise scan_error(path, "voxel spacings above 0 mm", got, "write the true spacing into the header")
    if not (np.isfinite(direction_xyz).all() and np.isfinite(origin).all()):
        raise scan_error(path, "finite axis directions and origin", "NaN or infinity", "mend the header")
    check_straight(path, direction_xyz)
    x, y, z = (float(value) for value in spacing_xyz)
    left, posterior, superior = (float(value) for value in origin)
    return Placement((z, y, x), np.ascontiguousarray(direction_xyz[:, ::-1]), (left, posterior, superior))


def check_straight(path: Path, direction: Float64Array) -> None:
    """Raise if two of the axes are more than half a degree from perpendicular."""
    cosines = direction.T @ direction
    worst = max(abs(float(cosines[i, j])) for i, j in ((0, 1), (0, 2), (1, 2)))
    tilt = math.degrees(math.asin(min(1.0, worst)))
    if tilt > MAX_TILT_DEGREES:
        raise scan_error(path, "perpendicular axes", f"axes sheared by {tilt:.2f} degrees (gantry tilt?)", STRAIGHTEN)


def axes_xyz(scan: ScanGeometry) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return spacing (x, y, z), direction columns (x, y, z) and LPS origin of a scan, for writers."""
    spacing = np.array(scan.spacing_mm[::-1], np.float64)
    return spacing, np.asarray(scan.direction, np.float64)[:, ::-1], np.array(scan.origin_lps_mm, np.float64)
