"""Reads shapes, contents and layouts from the bytes of a fuzzer: every string of bytes is a case, an empty one too."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from volumes import STRUCTURED

from fastgmm import _core
from fastgmm.backends import can_use
from fastgmm.volume import PackedMask

_LENGTHS = (1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 0)
SIMD_LEVELS = ("baseline", "avx2", "avx512")
DTYPES = tuple(map(np.dtype, ("int16", "int8", "int32", "uint8", "uint16")))
# Dtypes of floats, and densities about those where noise percolates.
_DENSITIES = (0.5, 0, 0.001, 0.03, 0.1, 0.14, 0.31, 0.7, 0.9, 0.97, 0.999, 1)


class Source:
    """The bytes not read yet; past their end all are 0."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def bytes(self, n: int) -> bytes:
        """The next n bytes."""
        piece = self._content[self._at : self._at + n]
        self._at += n
        return piece.ljust(n, b"\0")

    def rest(self) -> bytes:
        """All that is left."""
        return self.bytes(max(len(self._content) - self._at, 0))

    def integer(self, low: int, high: int) -> int:
        """A number in low..high."""
        span = high - low + 1
        return low + int.from_bytes(self.bytes((span.bit_length() + 7) // 8), "little") % span

    def pick(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        return options[self.integer(0, len(options) - 1)]

    def flag(self) -> bool:
        return self.integer(0, 1) == 1

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.integer(0, (1 << 32) - 1))

    def shape(self, max_voxels: int = 30_000) -> tuple[int, int, int]:
        """Lengths about the edges of words, long rows and columns, no voxels at all; cut to max_voxels."""
        lengths = [self.pick(_LENGTHS) if self.flag() else self.integer(1, 70) for _ in range(3)]
        if self.integer(0, 15) == 15:
            lengths[self.integer(0, 2)] = self.integer(100, 5000)
        for axis in sorted(range(3), key=lengths.__getitem__, reverse=True):
            others = max(int(np.prod([n for i, n in enumerate(lengths) if i != axis])), 1)
            lengths[axis] = min(lengths[axis], max(max_voxels // others, 1))
        return tuple(lengths)

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Whole numbers: the bytes themselves over and over, or noise of many or few values."""
        dtype = np.dtype(dtype)
        n = int(np.prod(shape))
        kind = self.integer(0, 3)
        if kind == 0:
            raw = np.frombuffer(self.bytes(self.integer(1, 200)), np.uint8)
            return np.resize(raw, n * dtype.itemsize).view(dtype).reshape(shape)
        info, rng = np.iinfo(dtype), self.rng()
        low = int(self.pick((-1024, info.min, 0, info.max - 3)))
        low = max(low, info.min)
        high = min(low + (1, 4, 300, 70_000, 1 << 33)[self.integer(0, 4)], info.max)
        values = rng.integers(low, high, shape, dtype, endpoint=True)
        if kind == 1 and shape and shape[-1]:
            values = np.repeat(values, 5, axis=-1)[..., : shape[-1]]
        return values

    def mask(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Bits as the bytes have them, noise, or one of the structures that are hard for some kernel."""
        kind = self.integer(0, 2)
        if kind == 0 or not np.prod(shape):
            raw = np.unpackbits(np.frombuffer(self.bytes(self.integer(1, 200)), np.uint8))
            return np.resize(raw, shape).view(bool)
        seed, density = self.integer(0, (1 << 32) - 1), self.pick(_DENSITIES)
        if kind == 1:
            return np.random.default_rng(seed).random(shape) < density
        return self.pick(STRUCTURED)(shape, density, seed)

    def layout(self, array: np.ndarray) -> np.ndarray:
        """An equal array with other strides, alignment or byte order, or that is read-only."""
        kind = self.integer(0, 6)
        if kind == 1:
            return np.asfortranarray(array)
        if kind == 2:
            step = tuple(slice(None, None, self.pick((2, -1, 3))) for _ in array.shape)
            room = np.zeros(
                [n * (s.step if s.step > 0 else 1) for n, s in zip(array.shape, step, strict=True)], array.dtype
            )
            room[step] = array
            return room[step]
        if kind == 3:
            room = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
            room[...] = array
            return room
        if kind == 4:
            return array.astype(array.dtype.newbyteorder("S"))
        copy = array.copy()
        copy.flags.writeable = kind != 5
        return copy

    def given_mask(self, mask: np.ndarray) -> np.ndarray | PackedMask:
        """The mask as an array of any layout, or packed, its planes padded or in reverse."""
        if self.flag():
            return self.layout(mask)
        packed = PackedMask.from_array(mask)
        nz, ny, n_words = packed.words.shape
        room = np.zeros((nz, ny + self.integer(0, 9), n_words), np.uint64)[:, :ny]
        if self.flag():
            room = room[::-1]
        room[...] = packed.words
        room.flags.writeable = self.flag()
        return PackedMask(room, packed.shape)

    def machine(self) -> dict[str, Any]:
        """A backend and a number of threads; for the compiled one an instruction set is chosen, too."""
        usable = [name for name in ("cpp", "cpp", "cpp", "numba") if can_use(name)[0]]
        backend = self.pick(usable)
        if backend == "cpp":
            _core.set_simd_level(self.pick(SIMD_LEVELS))
        return {"backend": backend, "n_jobs": self.integer(1, 3)}


def as_array(mask: np.ndarray | PackedMask) -> np.ndarray:
    """A mask's voxels; of a packed one, no bit past the end of a row may be set."""
    if not isinstance(mask, PackedMask):
        return mask
    return PackedMask(mask.words, mask.shape).to_array()


def assert_equal(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(as_array(found), expected)
