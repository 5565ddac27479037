"""Counting a volume's values, looking them up in a table, and comparing them with a threshold."""

from __future__ import annotations

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._checks import INTEGER_DTYPES, check_int, check_mask, check_out, check_volume, describe, is_array
from fastgmm._histogram import Histogram, PhasedHistogram, check_integral
from fastgmm._memory import empty
from fastgmm._packed_mask import PackedMask
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, BoolArray, Int16Array, UInt8Array
from fastgmm.backends import get_backend
from fastgmm.volume._masks import check_mask_out, deliver

_TABLE_SIZE = 1 << 16
# Counting takes a table of 65536 numbers per phase and thread.
_MAX_PHASES = 256


def histogram(
    volume: AnyArray,
    mask: BoolArray | PackedMask | None = None,
    phases: int = 1,
    *,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> Histogram | PhasedHistogram:
    """Count the values of a volume exactly.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int8, int16, int32, uint8 or uint16
        Other integers and floats are taken, through a copy, if every value is a whole number that fits int32. Not
        modified.
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx), optional
        Count only where it is set.
    phases : int, 1 to 256
        Count apart by (running index modulo phases); the index runs over the counted voxels in z, y, x order.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    Histogram or PhasedHistogram
        The second if `phases` is above 1. Counts are 64-bit.

    Raises
    ------
    TypeError
        If the volume is not a 3-D array of numbers, or the mask not a mask.
    ValueError
        If a value is not a whole number or does not fit int32, the shapes differ, or `phases` is out of range.

    Notes
    -----
    One pass, O(n); int32 volumes of wide range are sorted, O(n log n).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import histogram
    >>> volume = np.array([[[-1000, 40, -1000]]], np.int16)
    >>> histogram(volume)
    Histogram(2 values -1000..40, n=3)
    >>> histogram(volume, phases=2).counts.tolist()
    [[2, 0], [0, 1]]
    """
    kernels = get_backend(backend, volume, mask)
    volume = _countable(volume)
    packed = None if mask is None else check_mask(mask, shape=volume.shape)
    phases = check_int(phases, "phases", low=1, high=_MAX_PHASES)
    values, counts = kernels.histogram(volume, packed, phases, resolve_n_jobs(n_jobs))
    return Histogram(values, counts[0]) if phases == 1 else PhasedHistogram(values, counts)


def apply_table(
    volume: AnyArray,
    table: UInt8Array,
    mask: BoolArray | PackedMask | None = None,
    *,
    out: UInt8Array | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> UInt8Array:
    """Look every value of a volume up in a table of labels.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int16
        Other integers are taken, through a copy, if every value fits int16. Not modified.
    table : ndarray of shape (65536,), dtype uint8
        Entry i is the label of the value i - 32768.
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx), optional
        Labels are 0 where it is not set.
    out : ndarray of shape (nz, ny, nx), dtype uint8, optional
        Written and returned instead of a new array; C-contiguous, apart from the inputs.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    ndarray of shape (nz, ny, nx), dtype uint8

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value does not fit int16, a shape is wrong, or `out` cannot be written to.

    Notes
    -----
    One pass, O(n).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import apply_table
    >>> table = np.where(np.arange(-32768, 32768) < -155, 1, 2).astype(np.uint8)
    >>> apply_table(np.array([[[-900, -155, 30]]], np.int16), table).tolist()
    [[[1, 2, 2]]]
    """
    kernels = get_backend(backend, volume, table, mask)
    voxels = _as_int16(volume)
    if not is_array(table) or table.dtype != np.uint8 or table.shape != (_TABLE_SIZE,):
        raise TypeError(f"table must be a uint8 array of shape ({_TABLE_SIZE},), got {describe(table)}")
    packed = None if mask is None else check_mask(mask, shape=voxels.shape)
    xp = array_module(voxels)
    if out is None:
        out = empty(voxels.shape, np.uint8, like=voxels)
    else:
        check_out(out, voxels.shape, [np.uint8], volume, table, *([] if mask is None else [mask]))
    kernels.apply_table(voxels, xp.ascontiguousarray(table), packed, out, resolve_n_jobs(n_jobs))
    return out


def threshold_below(
    volume: AnyArray,
    value: int,
    *,
    out: PackedMask | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> PackedMask:
    """Return the voxels whose intensity is less than a value.

    Parameters
    ----------
    volume : ndarray of shape (nz, ny, nx), dtype int8, int16, int32, uint8 or uint16
        Not modified.
    value : int
        In the units of the volume (HU for CT). It may lie outside the range of the dtype.
    out : PackedMask of shape (nz, ny, nx), optional
        Written and returned instead of a new one.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    PackedMask of shape (nz, ny, nx)

    Raises
    ------
    TypeError
        If the volume is not a 3-D array of these dtypes or the value not an int.
    ValueError
        If `out` has another shape.

    Notes
    -----
    One pass, O(n); the mask takes one bit per voxel.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import threshold_below
    >>> threshold_below(np.array([[[-900, -155, 30]]], np.int16), -155).to_array().tolist()
    [[[True, False, False]]]
    """
    kernels = get_backend(backend, volume)
    volume = check_volume(volume)
    value = check_int(value, "value")
    packed_like = PackedMask.empty((0, 0, 0), volume)
    check_mask_out(out, packed_like, volume.shape)
    # Values beyond int32 compare as its ends do, and fit every integer type that a kernel may compare in.
    value = min(max(value, -(2**31)), 2**31)
    return deliver(kernels.threshold_below(volume, value, resolve_n_jobs(n_jobs)), packed_like, out)


def _countable(volume: AnyArray) -> AnyArray:
    """Return the volume in a dtype that the kernels count, if need be as an int32 copy."""
    if not is_array(volume) or volume.ndim != 3 or volume.dtype.kind not in "iuf":
        raise TypeError(f"volume must be a 3-D array of integers, got {describe(volume)}")
    if volume.dtype.newbyteorder("=") in INTEGER_DTYPES:
        return check_volume(volume)
    return _narrow(check_integral(volume, "volume"), np.dtype(np.int32))


def _as_int16(volume: AnyArray) -> Int16Array:
    """Return the volume in int16, if need be as a copy."""
    if not is_array(volume) or volume.ndim != 3 or volume.dtype.kind not in "iu":
        raise TypeError(f"volume must be a 3-D array of integers, got {describe(volume)}")
    if volume.dtype.newbyteorder("=") == np.int16:
        return check_volume(volume)
    return _narrow(volume, np.dtype(np.int16))


def _narrow(volume: AnyArray, dtype: np.dtype[np.signedinteger]) -> AnyArray:
    """Return a C-contiguous copy of an integer array in a dtype that must hold its values."""
    info = np.iinfo(dtype)
    if volume.size:
        lowest, highest = int(volume.min()), int(volume.max())
        if lowest < info.min or highest > info.max:
            span = f"{info.min}..{info.max}"
            raise ValueError(f"volume must have values in {span} ({dtype.name}), got {lowest}..{highest}; clip them")
    return volume.astype(dtype, order="C")
