"""Slices of a scan as a radiologist looks at them: head and front up, the patient's right on the left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fastgmm._arrays import to_host
from fastgmm._types import AnyArray, Float64Array, Int16Array, UInt8Array

View = Literal["axial", "coronal", "sagittal"]
# The slices are chosen on every n-th voxel, such that about this many are looked at along each axis.
_LOOKS = 64
# Quantiles of the lung's voxels along the body at which the axial slices lie.
AXIAL_QUANTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Plane:
    """One slice, ready to draw: rows from top to bottom, columns from left to right.

    Attributes
    ----------
    view : str
    index : int
        Where the slice lies along its axis of the stored volume.
    hu, labels : ndarray of shape (rows, columns), dtypes int16 and uint8
    spacing_mm : tuple of 2 floats
        Of rows and columns.
    """

    view: View
    index: int
    hu: Int16Array
    labels: UInt8Array
    spacing_mm: tuple[float, float]


def choose_planes(
    volume: Int16Array, labels: UInt8Array, spacing_mm: tuple[float, float, float], direction: AnyArray
) -> list[Plane]:
    """Return three axial slices, a coronal and a sagittal one through the labelled voxels.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int16
        HU.
    labels : ndarray of shape (nz, ny, nx), dtype uint8
    spacing_mm : tuple of 3 floats
        (z, y, x).
    direction : array-like of shape (3, 3)
        Columns are the directions of the z, y and x voxel axes in LPS (towards left, posterior, superior).

    Notes
    -----
    Voxel axes are matched with the patient's nearest ones; an oblique scan is shown as it is stored. The slices are
    copied, so that the volumes need not stay.
    """
    axes, flips = body_axes(np.asarray(direction, np.float64))
    body_volume, body_labels = (_turn(array, axes, flips) for array in (volume, labels))
    spacing = tuple(float(spacing_mm[axis]) for axis in axes)
    steps = [max(1, n // _LOOKS) for n in body_labels.shape]
    inside = to_host(body_labels[:: steps[0], :: steps[1], :: steps[2]] != 0)
    superior, posterior, left = (inside.sum(axis=others) for others in ((1, 2), (0, 2), (0, 1)))
    cuts: list[tuple[View, int, int]] = [("axial", 0, _quantile(superior, q) * steps[0]) for q in AXIAL_QUANTILES]
    cuts += [("coronal", 1, _fullest(posterior) * steps[1]), ("sagittal", 2, _fullest(left) * steps[2])]
    return [_cut(view, axis, at, body_volume, body_labels, spacing, axes, flips) for view, axis, at in cuts]


def body_axes(direction: Float64Array) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Return the voxel axes that run head to foot, front to back, right to left, and which of them are reversed."""
    patient, chosen = np.abs(direction), dict[int, int]()
    for _ in range(3):
        lps, axis = np.unravel_index(int(np.argmax(patient)), (3, 3))
        chosen[int(lps)] = int(axis)
        patient[lps, :] = -1
        patient[:, axis] = -1
    axes = (chosen[2], chosen[1], chosen[0])
    flips = (bool(direction[2, axes[0]] > 0), bool(direction[1, axes[1]] < 0), bool(direction[0, axes[2]] < 0))
    return axes, flips


def _turn(array: AnyArray, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> AnyArray:
    """Return a view with axes (head to foot, front to back, right to left)."""
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)
    return array.transpose(axes)[steps]


def _quantile(profile: AnyArray, share: float) -> int:
    """Return the slice below which this share of the voxels lies; as much of the length where there are none."""
    cumulative = np.cumsum(profile)
    if cumulative[-1] == 0:
        return min(int(share * profile.size), profile.size - 1)
    return int(np.searchsorted(cumulative, share * cumulative[-1]))


def _fullest(profile: AnyArray) -> int:
    return int(np.argmax(profile)) if profile.any() else profile.size // 2


def _cut(
    view: View,
    axis: int,
    at: int,
    volume: AnyArray,
    labels: AnyArray,
    spacing: tuple[float, ...],
    axes: tuple[int, int, int],
    flips: tuple[bool, bool, bool],
) -> Plane:
    """Copy one slice of the turned volumes."""
    rows, columns = (spacing[other] for other in range(3) if other != axis)
    stored = volume.shape[axis] - 1 - at if flips[axis] else at
    slices = tuple(at if other == axis else slice(None) for other in range(3))
    hu, tissue = (np.array(to_host(array[slices]), order="C") for array in (volume, labels))
    return Plane(view, stored, hu, tissue, (rows, columns))
