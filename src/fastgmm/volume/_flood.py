"""Floods: parts of a mask by the nearest seeds, regions below a threshold, holes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fastgmm._checks import check_int, check_mask, check_volume
from fastgmm._packed_mask import PackedMask
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, BoolArray
from fastgmm.backends import get_backend
from fastgmm.volume._masks import MaskT, check_mask_out, deliver


def geodesic_flood(
    mask: BoolArray | PackedMask,
    seeds: Sequence[BoolArray | PackedMask],
    *,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> list[PackedMask]:
    """Share a mask out among seeds: each voxel goes to those that reach it first without leaving the mask.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Where the floods may go. Not modified.
    seeds : sequence of masks of the same shape
        One per part; voxels outside the mask do not count.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    list of PackedMask of the same shape
        The parts, apart from each other. A voxel that several seeds reach in the same number of steps across faces goes
        to the first of them; one that none reaches is in no part.

    Raises
    ------
    TypeError
        If a mask is not a mask.
    ValueError
        If there are no seeds or the shapes differ.

    Notes
    -----
    Equal to repeated ``scipy.ndimage.binary_dilation`` of the seeds in turn within what is still free. The cost is that
    of the words the fronts cross.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import geodesic_flood
    >>> seeds = np.zeros((2, 1, 1, 6), bool)
    >>> seeds[0, 0, 0, 0] = seeds[1, 0, 0, 5] = True
    >>> [part.count() for part in geodesic_flood(np.ones((1, 1, 6), bool), list(seeds))]
    [3, 3]
    """
    if not len(seeds):
        raise ValueError("seeds must hold at least one mask, got none")
    kernels = get_backend(backend, mask, *seeds)
    packed = check_mask(mask)
    packed_seeds = [check_mask(seed, f"seeds[{i}]", shape=packed.shape) for i, seed in enumerate(seeds)]
    return kernels.geodesic_flood(packed, packed_seeds, resolve_n_jobs(n_jobs))


def grow_region(
    volume: AnyArray,
    seeds: BoolArray | PackedMask,
    thresholds: Sequence[int],
    max_voxels: int,
    *,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> tuple[PackedMask, int | None]:
    """Grow seeds through voxels below rising thresholds, and stop before the region becomes too large.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int8, int16, int32, uint8 or uint16
        Not modified.
    seeds : ndarray of bool or PackedMask of the same shape
        Where the region starts; at each threshold only the seeds below it count.
    thresholds : sequence of ints
        In the units of the volume, in rising order.
    max_voxels : int, at least 0
        The first region larger than this leaks: it and those of higher thresholds are not taken.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    region : PackedMask of the same shape
        The voxels below the last threshold before the leak that are joined to a seed, across faces, by such voxels.
    threshold : int or None
        That threshold; None, with an empty region, if the first one leaks.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the shapes differ, or the thresholds are missing or do not rise.

    Notes
    -----
    Each region grows from the one before. The cost is that of the words at their surfaces and of the voxels these stand
    for, once per threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import grow_region
    >>> volume = np.array([[[-900, -990, -960, 40]]], np.int16)
    >>> region, threshold = grow_region(volume, volume == -990, (-975, -950, -800), 2)
    >>> region.to_array().tolist(), threshold
    ([[[False, True, True, False]]], -950)
    """
    kernels = get_backend(backend, volume, seeds)
    volume = check_volume(volume)
    packed = check_mask(seeds, "seeds", shape=volume.shape)
    rising = [check_int(threshold, "thresholds", low=-(2**31), high=2**31) for threshold in thresholds]
    if not rising or any(b <= a for a, b in pairwise(rising)):
        raise ValueError(f"thresholds must be one or more ints in rising order, got {rising}")
    max_voxels = check_int(max_voxels, "max_voxels", low=0)
    region, level = kernels.grow_region(volume, packed, rising, max_voxels, resolve_n_jobs(n_jobs))
    return region, rising[level] if level >= 0 else None


def fill_holes(mask: MaskT, *, out: MaskT | None = None, backend: str = "auto", n_jobs: int | None = None) -> MaskT:
    """Set the voxels that are cut off from the border of the volume by the mask.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape
        The mask and the 6-connected components of its complement that touch none of the six faces of the volume.

    Raises
    ------
    TypeError
        If the mask is not a mask.
    ValueError
        If `out` cannot be written to.

    Notes
    -----
    Equal to ``scipy.ndimage.binary_fill_holes``. One pass of components over the complement.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import fill_holes
    >>> mask = np.ones((3, 3, 3), bool)
    >>> mask[1, 1, 1] = False
    >>> fill_holes(mask).all()
    np.True_
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    check_mask_out(out, mask, packed.shape, mask)
    outside = kernels.filter_components(~packed, 6, _touches_a_face, resolve_n_jobs(n_jobs))
    return deliver(~outside, mask, out)


def _touches_a_face(table: AnyArray) -> BoolArray:
    faces = [table[f"c_{axis}{end}"] > 0 for axis in "zyx" for end in "01"]
    touching: BoolArray = np.logical_or.reduce(faces)
    return touching
