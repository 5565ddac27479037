"""The median of labels."""

from __future__ import annotations

import numpy as np

from fastgmm._checks import check_out, check_triple, check_volume
from fastgmm._memory import empty
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import Shape3, UInt8Array
from fastgmm.backends import get_backend

_MAX_SIZE = 7


def median_filter(
    labels: UInt8Array,
    size: int | Shape3,
    *,
    keep_zeros: bool = False,
    out: UInt8Array | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> UInt8Array:
    """Replace each voxel by the median label of the box around it.

    Parameters
    ----------
    labels : ndarray of shape (nz, ny, nx), dtype uint8
        Tissue labels, 0 outside the lung. Any of the 256 values may occur. Not modified.
    size : int or tuple of 3 ints, 1 to 7
        Edge of the box in voxels, along (z, y, x). An even box reaches one voxel further towards index 0.
    keep_zeros : bool
        Whether the result is to be 0 exactly where the labels are: there it stays 0, and a label whose box has the
        median 0 stays as it is.
    out : ndarray of shape (nz, ny, nx), dtype uint8, optional
        Written and returned instead of a new array; C-contiguous, apart from `labels`.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    ndarray of shape (nz, ny, nx), dtype uint8
        The label of 0-based rank n // 2 among the n labels of the box; outside the volume they are reflected about
        the edge of the border voxel (d c b a | a b c d).

    Raises
    ------
    TypeError
        If `labels` is not a 3-D uint8 array or `size` not made of ints.
    ValueError
        If `size` is out of range, or `out` cannot be written to.

    Notes
    -----
    Without `keep_zeros` equal to ``scipy.ndimage.median_filter(labels, size)`` in every voxel. The published method
    smooths with size 4.

    References
    ----------
    pzaffino/COVID19-intensity-labeling, median_filter.py.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import median_filter
    >>> median_filter(np.array([[[1, 1, 5, 1, 1, 2, 2]]], np.uint8), 3).tolist()
    [[[1, 1, 1, 1, 1, 2, 2]]]
    """
    kernels = get_backend(backend, labels)
    voxels = check_volume(labels, "labels", [np.uint8])
    size = check_triple(size, "size", low=1, high=_MAX_SIZE)
    if out is None:
        out = empty(voxels.shape, np.uint8, like=voxels)
    else:
        check_out(out, voxels.shape, [np.uint8], labels)
    kernels.median_filter(voxels, size, out, resolve_n_jobs(n_jobs))
    if keep_zeros:
        kernels.keep_within(voxels, out, resolve_n_jobs(n_jobs))
    return out
