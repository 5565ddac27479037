"""Labels made of masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastgmm._checks import check_mask, check_out
from fastgmm._memory import empty
from fastgmm._packed_mask import PackedMask
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import BoolArray, UInt8Array
from fastgmm.backends import get_backend

_MAX_MASKS = 255


def number_masks(
    masks: Sequence[BoolArray | PackedMask],
    *,
    out: UInt8Array | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> UInt8Array:
    """Make a label volume of masks.

    Parameters
    ----------
    masks : sequence of 1 to 255 ndarrays of bool or PackedMasks of shape (nz, ny, nx)
        Not modified.
    out : ndarray of shape (nz, ny, nx), dtype uint8, optional
        Written and returned instead of a new array; C-contiguous, apart from the masks.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    ndarray of shape (nz, ny, nx), dtype uint8
        i + 1 where ``masks[i]`` is set, the first of several; 0 where none is.

    Raises
    ------
    TypeError
        If a mask is not a mask.
    ValueError
        If there is no mask or there are too many, the shapes differ, or `out` cannot be written to.

    Notes
    -----
    One pass over the masks, one write of the labels.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import number_masks
    >>> masks = np.array([[[[True, False, False]]], [[[True, True, False]]]])
    >>> number_masks(list(masks)).tolist()
    [[[1, 2, 0]]]
    """
    if not 1 <= len(masks) <= _MAX_MASKS:
        raise ValueError(f"masks must be 1 to {_MAX_MASKS}, got {len(masks)}")
    kernels = get_backend(backend, *masks)
    first = check_mask(masks[0], "masks[0]")
    packed = [first, *(check_mask(mask, f"masks[{i}]", shape=first.shape) for i, mask in enumerate(masks) if i)]
    if out is None:
        out = empty(first.shape, np.uint8, like=first.words)
    else:
        check_out(out, first.shape, [np.uint8], *masks)
    kernels.number_masks(packed, out, resolve_n_jobs(n_jobs))
    return out
