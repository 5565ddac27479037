"""Exact counts of integer values: what a mixture fit needs to know of a volume."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from fastgmm._arrays import array_module
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray, Int64Array

_FORMAT = "fastgmm-histogram-1"
_CHUNK = 1 << 22
# Types of at most 16 bits are counted in a table of all their values; wider ones are sorted.
_TABLE_BITS = 16


class Histogram:
    """Counts of distinct integer values.

    Parameters
    ----------
    values : array-like of shape (n,), integers
        Distinct values in rising order.
    counts : array-like of shape (n,), integers
        How often each occurs, at least 1.

    Attributes
    ----------
    values, counts : ndarray of shape (n,), dtype int64, read-only
    n : int
        Total of the counts.

    Examples
    --------
    >>> from fastgmm import Histogram
    >>> h = Histogram.from_array([3, 1, 3]) + Histogram.from_array([7])
    >>> h.values.tolist(), h.counts.tolist(), h.n
    ([1, 3, 7], [1, 2, 1], 4)
    """

    __slots__ = ("counts", "values")

    def __init__(self, values: AnyArray | Sequence[int], counts: AnyArray | Sequence[int]) -> None:
        self.values = _integers(values, "values")
        self.counts = _integers(counts, "counts")
        if self.values.ndim != 1 or self.values.shape != self.counts.shape:
            raise ValueError(
                f"values and counts must be 1-D of equal length, got shapes {self.values.shape} and {self.counts.shape}"
            )
        _check_rising(self.values)
        if np.any(self.counts < 1):
            raise ValueError(f"counts must be at least 1, got {int(self.counts.min())}; leave out absent values")
        _check_total(self.counts.sum(dtype=np.float64))

    @classmethod
    def from_array(cls, values: AnyArray | Sequence[int], mask: BoolArray | PackedMask | None = None) -> Histogram:
        """Count the integers in an array of any shape.

        Parameters
        ----------
        values : array-like of integers
            Floats are taken if they are all whole numbers.
        mask : ndarray of bool or PackedMask, same shape, optional
            Count only where True.

        Notes
        -----
        O(n) for types of at most 16 bits, O(n log n) for wider ones. The counts are exact 64-bit integers.
        """
        array = np.asarray(values)
        if mask is not None:
            mask = mask.to_array() if isinstance(mask, PackedMask) else np.asarray(mask)
            if mask.dtype != np.bool_ or mask.shape != array.shape:
                raise ValueError(f"mask must be bool of shape {array.shape}, got {mask.dtype} of shape {mask.shape}")
            array = array[mask]
        array = check_integral(array, "values").reshape(-1)
        if array.dtype.itemsize * 8 > _TABLE_BITS:
            distinct, counts = np.unique(array, return_counts=True)
            return cls(distinct, counts)
        info = np.iinfo(array.dtype)
        table = np.zeros(int(info.max) - int(info.min) + 1, np.int64)
        for start in range(0, array.size, _CHUNK):
            offsets = array[start : start + _CHUNK].astype(np.int64) - int(info.min)
            table += np.bincount(offsets, minlength=table.size)
        return cls.from_table(table, int(info.min))

    @classmethod
    def from_table(cls, table: AnyArray, first: int) -> Histogram:
        """Take a dense 1-D table of counts whose entry i is for the value first + i."""
        table = np.asarray(table)
        present = np.flatnonzero(table)
        return cls(present + first, table[present])

    @property
    def n(self) -> int:
        """Total of the counts."""
        return int(self.counts.sum())

    def __add__(self, other: Histogram) -> Histogram:
        """Return the counts of both together."""
        if not isinstance(other, Histogram):
            return NotImplemented
        _check_total(self.n + other.n)
        values, inverse = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.zeros(values.size, np.int64)
        np.add.at(counts, inverse, np.concatenate([self.counts, other.counts]))
        return Histogram(values, counts)

    def __radd__(self, other: object) -> Histogram:
        """Let `sum` start from 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return bool(np.array_equal(self.values, other.values) and np.array_equal(self.counts, other.counts))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        span = f"{self.values[0]}..{self.values[-1]}" if self.values.size else "empty"
        return f"Histogram({self.values.size} values {span}, n={self.n})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a compressed .npz file without pickled objects."""
        with open(path, "wb") as file:
            np.savez_compressed(file, format=np.array(_FORMAT), values=self.values, counts=self.counts)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Histogram:
        """Read a file written by `save`."""
        try:
            with np.load(path, allow_pickle=False) as content:
                if str(content["format"]) != _FORMAT:
                    raise ValueError(f"format {content['format']}")
                return cls(content["values"], content["counts"])
        except OSError:
            raise
        except Exception as error:
            raise ValueError(f"{os.fspath(path)}: expected a file written by Histogram.save, got {error}") from error


class PhasedHistogram:
    """Counts of the voxels of one scan by (running index mod phases), to subsample a concatenation of scans exactly.

    Parameters
    ----------
    values : ndarray of shape (n,), dtype int64
        Distinct values in rising order.
    counts : ndarray of shape (phases, n), dtype int64
        Row p counts the voxels whose running index within the scan is p modulo the number of rows.
    """

    __slots__ = ("counts", "values")

    def __init__(self, values: AnyArray, counts: AnyArray) -> None:
        self.values = _integers(values, "values")
        self.counts = _integers(counts, "counts")
        if self.counts.ndim != 2 or self.values.shape != self.counts.shape[1:]:
            raise ValueError(
                "counts must have shape (phases, n) for n values, "
                f"got shapes {self.counts.shape} and {self.values.shape}"
            )
        if self.phases < 1:
            raise ValueError("counts must have at least one phase, got none")
        _check_rising(self.values)
        if np.any(self.counts < 0):
            raise ValueError(f"counts must not be negative, got {int(self.counts.min())}")

    @property
    def phases(self) -> int:
        """The number of phases."""
        return int(self.counts.shape[0])

    @property
    def n(self) -> int:
        """Total of the counts."""
        return int(self.counts.sum())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PhasedHistogram):
            return NotImplemented
        return bool(np.array_equal(self.values, other.values) and np.array_equal(self.counts, other.counts))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PhasedHistogram({self.values.size} values, phases={self.phases}, n={self.n})"

    def total(self) -> Histogram:
        """Return the histogram of all voxels."""
        return _without_zeros(self.values, self.counts.sum(axis=0))

    @staticmethod
    def subsample(parts: Sequence[PhasedHistogram], every: int = 4) -> Histogram:
        """Return the histogram of every `every`-th voxel of the parts laid one after another.

        Parameters
        ----------
        parts : sequence of PhasedHistogram
            One per scan, in the order of the concatenation, each with `every` phases.
        every : int
            The voxels 0, every, 2 every, … of the concatenation are counted.

        Notes
        -----
        A scan that starts at running index s contributes the voxels of its phase (-s) mod every.

        Examples
        --------
        >>> import numpy as np
        >>> from fastgmm import PhasedHistogram
        >>> from fastgmm.volume import histogram
        >>> scans = [np.array([[[5, 6, 7]]], np.int16), np.array([[[8, 9]]], np.int16)]
        >>> PhasedHistogram.subsample([histogram(scan, phases=2) for scan in scans], every=2).values.tolist()
        [5, 7, 9]
        """
        start = 0
        chosen = Histogram(np.empty(0, np.int64), np.empty(0, np.int64))
        for part in parts:
            if part.phases != every:
                raise ValueError(f"every part must have {every} phases, got one with {part.phases}")
            chosen = chosen + _without_zeros(part.values, part.counts[-start % every])
            start += part.n
        return chosen


def check_integral(array: AnyArray, name: str) -> AnyArray:
    """Return an integer array equal to the argument, or raise if a value is not a whole number."""
    if array.dtype.kind in "iu":
        if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"{name} must fit in 64-bit signed integers, got {array.max()}")
        return array
    if array.dtype.kind != "f":
        raise TypeError(f"{name} must be integers, got dtype {array.dtype}")
    xp = array_module(array)
    wrong = ~(xp.isfinite(array) & (array == xp.rint(array)) & (xp.absolute(array) < np.float64(2.0**63)))
    if wrong.any():
        first = array[wrong].ravel()[0]
        raise ValueError(f"{name} must be whole numbers, got {first}; round them first, or fit the array itself")
    return array.astype(np.int64)


def _integers(array: AnyArray | Sequence[int], name: str) -> Int64Array:
    array = np.asarray(array)
    whole = check_integral(array, name) if array.size else array
    own = np.array(whole, np.int64, order="C")
    own.flags.writeable = False
    return own


def _check_total(total: float) -> None:
    if total >= 2.0**63:
        raise ValueError(f"counts must add up to at most 2^63 - 1, got about {total:.4g}")


def _check_rising(values: Int64Array) -> None:
    if np.any(values[1:] <= values[:-1]):
        raise ValueError("values must be distinct and in rising order; Histogram.from_array counts unsorted data")


def _without_zeros(values: Int64Array, counts: Int64Array) -> Histogram:
    present = counts > 0
    return Histogram(values[present], counts[present])
