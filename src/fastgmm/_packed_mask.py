"""A 3-D mask with one bit per voxel."""

from __future__ import annotations

import operator

import numpy as np

from fastgmm._types import BoolArray, Shape3, UInt64Array

WORD_BITS = 64
# A plane stride that is a multiple of a memory page maps every plane's row y to the same cache sets, so that reading
# the neighbours in z evicts them in turn (three times slower on 512 x 512 planes); one cache line more avoids it.
_PAGE_BYTES = 4096
_CACHE_LINE_WORDS = 8


class PackedMask:
    """A 3-D boolean mask held as bits: 1/8 of the memory of a bool array.

    Parameters
    ----------
    words : ndarray of shape (nz, ny, ceil(nx / 64)), dtype uint64
        Each x row in 64-bit words, lowest bit first. Rows of a plane are contiguous; planes may be padded. Bits past
        nx must be 0. Kept, not copied.
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
        if not isinstance(words, np.ndarray) or words.dtype != np.uint64 or words.shape != expected:
            got = f"{words.dtype} of shape {words.shape}" if isinstance(words, np.ndarray) else type(words).__name__
            raise ValueError(f"words must be uint64 of shape {expected}, got {got}")
        if words.size and (words.strides[2] != 8 or (ny > 1 and words.strides[1] != 8 * expected[2])):
            raise ValueError(f"words must have contiguous rows within each plane, got strides {words.strides}")
        if not words.flags.aligned:
            raise ValueError("words must be aligned to 8 bytes; pass a copy of them")
        if words.size and nx % WORD_BITS and np.any(words[:, :, -1] >> np.uint64(nx % WORD_BITS)):
            raise ValueError(f"the bits of words past nx = {nx} must be 0; PackedMask.from_array takes a bool array")
        self.words = words
        self.shape: Shape3 = (nz, ny, nx)

    @classmethod
    def empty(cls, shape: Shape3) -> PackedMask:
        """Allocate a mask of the given shape, its bits not set to anything."""
        nz, ny, nx = map(operator.index, shape)
        n_words = words_per_row(nx)
        plane_words = ny * n_words
        padded = plane_words
        if plane_words and plane_words * 8 % _PAGE_BYTES == 0:
            padded += _CACHE_LINE_WORDS
        planes = np.empty((nz, padded), np.uint64)
        mask = cls.__new__(cls)
        mask.words = np.lib.stride_tricks.as_strided(planes, (nz, ny, n_words), (padded * 8, n_words * 8, 8))
        mask.shape = (nz, ny, nx)
        return mask

    @classmethod
    def from_array(cls, array: BoolArray) -> PackedMask:
        """Pack a 3-D bool array of shape (nz, ny, nx), of any strides."""
        if not isinstance(array, np.ndarray):
            raise TypeError(f"mask must be a 3-D bool array, got {type(array).__name__}")
        if array.dtype != np.bool_ or array.ndim != 3:
            raise TypeError(f"mask must be a 3-D bool array, got {array.dtype} of shape {array.shape}")
        nz, ny, nx = array.shape
        mask = cls.empty((nz, ny, nx))
        n_bytes = -(-nx // 8)
        for z in range(nz):
            row_bytes = mask.words[z].view(np.uint8)
            row_bytes[:, n_bytes:] = 0
            row_bytes[:, :n_bytes] = np.packbits(array[z], axis=-1, bitorder="little")
        return mask

    def to_array(self, out: BoolArray | None = None) -> BoolArray:
        """Unpack to a bool array of shape (nz, ny, nx), or into `out`, an array of that shape."""
        array = np.empty(self.shape, np.bool_) if out is None else out
        if array.dtype != np.bool_ or array.shape != self.shape:
            raise ValueError(f"out must be bool of shape {self.shape}, got {array.dtype} of shape {array.shape}")
        for plane, words in zip(array, self.words, strict=True):
            if plane.size:
                plane[...] = np.unpackbits(words.view(np.uint8), axis=-1, count=self.shape[2], bitorder="little")
        return array

    def count(self) -> int:
        """Return the number of voxels that are set."""
        return int(np.bitwise_count(self.words).sum(dtype=np.int64))

    def copy(self) -> PackedMask:
        """Return a mask with bits of its own."""
        mask = PackedMask.empty(self.shape)
        mask.words[...] = self.words
        return mask

    def __and__(self, other: PackedMask) -> PackedMask:
        """Return the voxels set in both."""
        return self._combined(other, np.bitwise_and)

    def __or__(self, other: PackedMask) -> PackedMask:
        """Return the voxels set in either."""
        return self._combined(other, np.bitwise_or)

    def __sub__(self, other: PackedMask) -> PackedMask:
        """Return the voxels set here and not in the other."""
        both = self._combined(other, np.bitwise_and)
        return both if both is NotImplemented else self._combined(both, np.bitwise_xor)

    def __invert__(self) -> PackedMask:
        """Return the voxels that are not set."""
        mask = PackedMask.empty(self.shape)
        np.bitwise_not(self.words, out=mask.words)
        n_last = self.shape[2] % WORD_BITS
        if n_last:
            mask.words[..., -1] &= np.uint64((1 << n_last) - 1)
        return mask

    def _combined(self, other: PackedMask, operation: np.ufunc) -> PackedMask:
        if not isinstance(other, PackedMask):
            return NotImplemented
        if other.shape != self.shape:
            raise ValueError(f"masks must have the same shape, got {self.shape} and {other.shape}")
        mask = PackedMask.empty(self.shape)
        operation(self.words, other.words, out=mask.words)
        return mask

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedMask):
            return NotImplemented
        return self.shape == other.shape and bool(np.array_equal(self.words, other.words))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PackedMask(shape={self.shape}, count={self.count()})"


def words_per_row(nx: int) -> int:
    """Return how many 64-bit words hold nx bits."""
    return -(-nx // WORD_BITS)
