"""A 3-D mask with one bit per voxel."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fastgmm._arrays import array_module, is_device_array
from fastgmm._memory import empty
from fastgmm._types import BoolArray, Int64Array, Shape3, UInt64Array

WORD_BITS = 64
# A plane stride that is a multiple of a memory page maps every plane's row y to the same cache sets, so that reading
# the neighbours in z evicts them in turn (three times slower on 512 x 512 planes); one cache line more avoids it.
_PAGE_BYTES = 4096
_CACHE_LINE_WORDS = 8
# CuPy's packbits counts in 32 bits: voxels packed by one call.
_PACKED_AT_ONCE = 1 << 30


class PackedMask:
    """A 3-D boolean mask held as bits: 1/8 of the memory of a bool array.

    Parameters
    ----------
    words : ndarray of shape (nz, ny, ceil(nx / 64)), dtype uint64
        Each x row in 64-bit words, lowest bit first. Rows of a plane are contiguous; planes may be padded. Bits past
        nx must be 0. Kept, not copied. A CuPy array makes a mask on the GPU, which has no padded planes.
    shape : tuple of 3 ints
        Voxels along (z, y, x).

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import PackedMask
    >>> mask = PackedMask.from_array(np.ones((2, 3, 70), bool))
    >>> mask.shape, mask.words.shape, mask.count()
    ((2, 3, 70), (2, 3, 2), 420)
    """

    __slots__ = ("shape", "words")

    def __init__(self, words: UInt64Array, shape: Shape3) -> None:
        nz, ny, nx = map(operator.index, shape)
        expected = (nz, ny, words_per_row(nx))
        known = isinstance(words, np.ndarray) or is_device_array(words)
        if not known or words.dtype != np.uint64 or words.shape != expected:
            got = f"{words.dtype} of shape {words.shape}" if known else type(words).__name__
            raise ValueError(f"words must be uint64 of shape {expected}, got {got}")
        _check_layout(words)
        if words.size and nx % WORD_BITS and bool((words[:, :, -1] >> np.uint64(nx % WORD_BITS)).any()):
            raise ValueError(f"the bits of words past nx = {nx} must be 0; PackedMask.from_array takes a bool array")
        self.words = words
        self.shape: Shape3 = (nz, ny, nx)

    @classmethod
    def empty(cls, shape: Shape3, like: Any = None) -> PackedMask:
        """Allocate a mask of the given shape, its bits not set to anything; on the GPU if `like` is a CuPy array."""
        nz, ny, nx = map(operator.index, shape)
        n_words = words_per_row(nx)
        mask = cls.__new__(cls)
        mask.shape = (nz, ny, nx)
        if is_device_array(like):
            mask.words = array_module(like).empty((nz, ny, n_words), np.uint64)
            return mask
        plane_words = ny * n_words
        padded = plane_words
        if plane_words and plane_words * 8 % _PAGE_BYTES == 0:
            padded += _CACHE_LINE_WORDS
        planes = empty((nz, padded), np.uint64)
        mask.words = planes[:, :plane_words].reshape(nz, ny, n_words)
        return mask

    @classmethod
    def from_array(cls, array: BoolArray) -> PackedMask:
        """Pack a 3-D bool array of shape (nz, ny, nx), of any strides, where it is."""
        if not isinstance(array, np.ndarray) and not is_device_array(array):
            raise TypeError(f"mask must be a 3-D bool array, got {type(array).__name__}")
        if array.dtype != np.bool_ or array.ndim != 3:
            raise TypeError(f"mask must be a 3-D bool array, got {array.dtype} of shape {array.shape}")
        nz, ny, nx = array.shape
        mask = cls.empty((nz, ny, nx), array)
        if is_device_array(array):
            mask.words[...] = _device_words(array, mask.words.shape)
            return mask
        n_bytes = -(-nx // 8)
        for z in range(nz):
            row_bytes = mask.words[z].view(np.uint8)
            row_bytes[:, n_bytes:] = 0
            row_bytes[:, :n_bytes] = np.packbits(array[z], axis=-1, bitorder="little")
        return mask

    def to_array(self, out: BoolArray | None = None) -> BoolArray:
        """Unpack to a bool array of shape (nz, ny, nx), or into `out` of that shape and memory."""
        xp = array_module(self.words)
        array = xp.empty(self.shape, np.bool_) if out is None else out
        if array.dtype != np.bool_ or array.shape != self.shape:
            raise ValueError(f"out must be bool of shape {self.shape}, got {array.dtype} of shape {array.shape}")
        if xp is not np:
            bits = xp.unpackbits(self.words.view(np.uint8).ravel(), bitorder="little")
            array[...] = bits.reshape(*self.words.shape[:2], self.words.shape[2] * WORD_BITS)[..., : self.shape[2]]
            return array
        for plane, words in zip(array, self.words, strict=True):
            if plane.size:
                plane[...] = np.unpackbits(words.view(np.uint8), axis=-1, count=self.shape[2], bitorder="little")
        return array

    def count(self) -> int:
        """Return the number of voxels that are set."""
        return count_bits(self.words)

    def copy(self) -> PackedMask:
        """Return a mask with bits of its own."""
        mask = PackedMask.empty(self.shape, self.words)
        mask.words[...] = self.words
        return mask

    def __and__(self, other: PackedMask) -> PackedMask:
        """Return the voxels set in both."""
        return self._combined(other, "bitwise_and")

    def __or__(self, other: PackedMask) -> PackedMask:
        """Return the voxels set in either."""
        return self._combined(other, "bitwise_or")

    def __sub__(self, other: PackedMask) -> PackedMask:
        """Return the voxels set here and not in the other."""
        left = self._combined(other, "bitwise_and")
        if left is not NotImplemented:
            array_module(self.words).bitwise_xor(self.words, left.words, out=left.words)
        return left

    def __invert__(self) -> PackedMask:
        """Return the voxels that are not set."""
        mask = PackedMask.empty(self.shape, self.words)
        array_module(self.words).bitwise_not(self.words, out=mask.words)
        n_last = self.shape[2] % WORD_BITS
        if n_last:
            mask.words[..., -1] &= np.uint64((1 << n_last) - 1)
        return mask

    def _combined(self, other: PackedMask, operation: str) -> PackedMask:
        if not isinstance(other, PackedMask):
            return NotImplemented
        if other.shape != self.shape:
            raise ValueError(f"masks must have the same shape, got {self.shape} and {other.shape}")
        self._check_same_memory(other)
        mask = PackedMask.empty(self.shape, self.words)
        getattr(array_module(self.words), operation)(self.words, other.words, out=mask.words)
        return mask

    def _check_same_memory(self, other: PackedMask) -> None:
        if is_device_array(self.words) != is_device_array(other.words):
            raise TypeError("masks must be both NumPy or both CuPy, got one of each; move one with cupy.asarray")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedMask):
            return NotImplemented
        if self.shape != other.shape:
            return False
        self._check_same_memory(other)
        return bool((self.words == other.words).all())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PackedMask(shape={self.shape}, count={self.count()})"


def words_per_row(nx: int) -> int:
    """Return how many 64-bit words hold nx bits."""
    return -(-nx // WORD_BITS)


def _check_layout(words: UInt64Array) -> None:
    """Raise unless rows lie side by side within each plane, and on the GPU planes too."""
    _, ny, n_words = words.shape
    if is_device_array(words):
        if not words.flags.c_contiguous:
            raise ValueError(f"words on the GPU must be C-contiguous, got strides {words.strides}")
        return
    if words.size and (words.strides[2] != 8 or (ny > 1 and words.strides[1] != 8 * n_words)):
        raise ValueError(f"words must have contiguous rows within each plane, got strides {words.strides}")
    if not words.flags.aligned:
        raise ValueError("words must be aligned to 8 bytes; pass a copy of them")


def _device_words(array: Any, shape: tuple[int, int, int]) -> Any:
    """Pack a CuPy bool array to words; rows that do not end with a word are copied with zeros behind them."""
    xp = array_module(array)
    rows = array
    if array.shape[2] % WORD_BITS:
        rows = xp.zeros((*shape[:2], shape[2] * WORD_BITS), np.bool_)
        rows[..., : array.shape[2]] = array
    voxels, words = rows.ravel(), xp.empty(rows.size // WORD_BITS, np.uint64)
    for begin in range(0, voxels.size, _PACKED_AT_ONCE):
        part = xp.packbits(voxels[begin : begin + _PACKED_AT_ONCE], bitorder="little").view(np.uint64)
        words[begin // WORD_BITS :][: part.size] = part
    return words.reshape(shape)


def count_bits(words: UInt64Array) -> int:
    """Return how many bits of words are set."""
    ones: Any = array_module(words).bitwise_count(words)
    return int(ones.sum(dtype=np.int64))


def count_bits_by_slice(words: UInt64Array) -> Int64Array:
    """Return how many bits are set in each slice of words of shape (nz, ny, n_words), a NumPy array of shape (nz,)."""
    ones: Any = array_module(words).bitwise_count(words)
    counts = ones.sum(axis=(1, 2), dtype=np.int64)
    on_host: Int64Array = counts.get() if is_device_array(counts) else counts
    return on_host
