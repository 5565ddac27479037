"""Opening and closing of masks."""

from __future__ import annotations

from fastgmm._checks import check_int, check_mask, check_triple
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import Shape3
from fastgmm.backends import get_backend
from fastgmm.volume._masks import MaskT, check_mask_out, deliver

# The squares of three numbers 2 r + 1 multiply within 64 bits.
_MAX_RADIUS = 512


def binary_opening(
    mask: MaskT,
    iterations: int = 1,
    *,
    out: MaskT | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> MaskT:
    """Erode, then dilate, a number of times with the cross of a voxel and its 6 neighbours.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    iterations : int, at least 1
        How many erosions, and then how many dilations.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape
        A part of the mask. Outside the volume counts as unset in both steps.

    Raises
    ------
    TypeError
        If the mask is not a mask, or `iterations` not an int.
    ValueError
        If `iterations` is below 1, or `out` cannot be written to.

    Notes
    -----
    Equal to ``scipy.ndimage.binary_opening(mask, iterations=iterations)``. O(n iterations / 64).

    References
    ----------
    pzaffino/COVID19-intensity-labeling, lungs_processing.py (three iterations).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import binary_opening
    >>> mask = np.ones((3, 3, 3), bool)
    >>> binary_opening(mask).sum(), binary_opening(mask, 2).sum()
    (np.int64(7), np.int64(0))
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    iterations = check_int(iterations, "iterations", low=1)
    check_mask_out(out, mask, packed.shape, mask)
    # So many erosions leave nothing; more could not either.
    iterations = min(iterations, min(packed.shape) // 2 + 1)
    return deliver(kernels.binary_opening(packed, iterations, resolve_n_jobs(n_jobs)), mask, out)


def binary_opening_ball(
    mask: MaskT,
    radius: int | Shape3,
    *,
    out: MaskT | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> MaskT:
    """Erode, then dilate, with a ball.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    radius : int or tuple of 3 ints, 0 to 512
        In voxels, along (z, y, x); the ball has the offsets d with sum of (d / (r + 1/2))^2 <= 1, and 0 leaves an
        axis alone.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape
        The voxels covered by the balls that lie within the mask. Outside the volume counts as unset in both steps.

    Raises
    ------
    TypeError
        If the mask is not a mask, or `radius` not made of ints.
    ValueError
        If `radius` is out of range, or `out` cannot be written to.

    Notes
    -----
    Equal to ``scipy.ndimage.binary_opening`` with the ball as structure. SimpleITK's filter differs at the border: it
    counts the outside as set while it erodes.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import binary_opening_ball
    >>> mask = np.zeros((1, 1, 9), bool)
    >>> mask[0, 0, [1, 4, 5, 6]] = True
    >>> np.flatnonzero(binary_opening_ball(mask, (0, 0, 1)))
    array([4, 5, 6])
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    radius = check_triple(radius, "radius", low=0, high=_MAX_RADIUS)
    check_mask_out(out, mask, packed.shape, mask)
    return deliver(kernels.binary_opening_ball(packed, radius, resolve_n_jobs(n_jobs)), mask, out)


def binary_closing_ball(
    mask: MaskT,
    radius: int | Shape3,
    *,
    out: MaskT | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> MaskT:
    """Dilate, then erode, with a ball, as if the volume had an empty margin around it.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    radius : int or tuple of 3 ints, 0 to 512
        In voxels, along (z, y, x); the ball has the offsets d with sum of (d / (r + 1/2))^2 <= 1, and 0 leaves an
        axis alone.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape
        The mask and the voxels that no ball free of the mask covers.

    Raises
    ------
    TypeError
        If the mask is not a mask, or `radius` not made of ints.
    ValueError
        If `radius` is out of range, or `out` cannot be written to.

    Notes
    -----
    Equal to ``SimpleITK.BinaryMorphologicalClosing`` with a ball kernel and its safe border.

    References
    ----------
    pzaffino/COVID19-intensity-labeling, lungs_processing.py (radius 30, then 20).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import binary_closing_ball
    >>> mask = np.zeros((1, 1, 9), bool)
    >>> mask[0, 0, [1, 3, 8]] = True
    >>> np.flatnonzero(binary_closing_ball(mask, (0, 0, 1)))
    array([1, 2, 3, 8])
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    radius = check_triple(radius, "radius", low=0, high=_MAX_RADIUS)
    check_mask_out(out, mask, packed.shape, mask)
    return deliver(kernels.binary_closing_ball(packed, radius, resolve_n_jobs(n_jobs)), mask, out)


def binary_erosion_ball(
    mask: MaskT,
    radius: int | Shape3,
    *,
    out: MaskT | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> MaskT:
    """Keep the voxels whose ball lies within the mask.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    radius : int or tuple of 3 ints, 0 to 512
        In voxels, along (z, y, x); the ball has the offsets d with sum of (d / (r + 1/2))^2 <= 1, and 0 leaves an
        axis alone.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape
        Outside the volume counts as unset.

    Raises
    ------
    TypeError
        If the mask is not a mask, or `radius` not made of ints.
    ValueError
        If `radius` is out of range, or `out` cannot be written to.

    Notes
    -----
    Equal to ``scipy.ndimage.binary_erosion`` with the ball as structure.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import binary_erosion_ball
    >>> mask = np.zeros((1, 1, 9), bool)
    >>> mask[0, 0, [1, 4, 5, 6]] = True
    >>> np.flatnonzero(binary_erosion_ball(mask, (0, 0, 1)))
    array([5])
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    radius = check_triple(radius, "radius", low=0, high=_MAX_RADIUS)
    check_mask_out(out, mask, packed.shape, mask)
    return deliver(kernels.binary_erosion_ball(packed, radius, resolve_n_jobs(n_jobs)), mask, out)


def binary_dilation_ball(
    mask: MaskT,
    radius: int | Shape3,
    *,
    out: MaskT | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> MaskT:
    """Set the voxels in the ball of a voxel of the mask.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    radius : int or tuple of 3 ints, 0 to 512
        In voxels, along (z, y, x); the ball has the offsets d with sum of (d / (r + 1/2))^2 <= 1, and 0 leaves an
        axis alone.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape
        Outside the volume counts as unset.

    Raises
    ------
    TypeError
        If the mask is not a mask, or `radius` not made of ints.
    ValueError
        If `radius` is out of range, or `out` cannot be written to.

    Notes
    -----
    Equal to ``scipy.ndimage.binary_dilation`` with the ball as structure.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import binary_dilation_ball
    >>> mask = np.zeros((1, 1, 9), bool)
    >>> mask[0, 0, [1, 4, 5, 6]] = True
    >>> np.flatnonzero(binary_dilation_ball(mask, (0, 0, 1)))
    array([0, 1, 2, 3, 4, 5, 6, 7])
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    radius = check_triple(radius, "radius", low=0, high=_MAX_RADIUS)
    check_mask_out(out, mask, packed.shape, mask)
    return deliver(kernels.binary_dilation_ball(packed, radius, resolve_n_jobs(n_jobs)), mask, out)
