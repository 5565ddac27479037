"""Gzip and zlib streams through ISA-L.

Measured on covid_p002_ct.nrrd (43 MB to 70 MB of int16) on two cores of an AMD EPYC, medians of five, one process each:

=========================  ======  ===================================
inflated by                time    memory beyond the volume
=========================  ======  ===================================
ISA-L (isal 1.9)           0.11 s  1 MB: read and inflated in pieces
zlib-ng (zlib_ng 1.1)      0.13 s  1 MB
libdeflate (deflate 0.9)   0.15 s  43 MB: needs the whole file
SimpleITK 2.5              0.22 s  70 MB: copied to NumPy
zlib                       0.29 s  109 MB: the whole file, and a copy
=========================  ======  ===================================

Compressing its labels (35 MB): ISA-L level 0 takes 11 ms (1.8 MB), level 1 12 ms (1.4 MB), level 3 45 ms; libdeflate's
level 1 takes 83 ms (1.3 MB). So one package does both, and level 1 needs no second thread.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from fastgmm.io._problems import ANOTHER_COPY, require, scan_error

# 64 kB in and at most 256 kB out stay in the second-level cache: with 1 MB pieces inflating takes a quarter longer.
_CHUNK_BYTES = 1 << 16
_MOST_OUT = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
# Deflate with a window of 32 kB, as every writer makes it.
_ZLIB_MARK = b"\x78"
_LEVEL = 1
# A deflate stream can grow by this factor at most (RFC 1951: 258 bytes from two bits).
DEFLATE_RATIO = 1032


def inflated(file: BinaryIO, path: Path) -> BinaryIO:
    """Return the inflated bytes of a gzip or zlib file as a stream; an error if it is neither."""
    try:
        return cast(BinaryIO, DeflateReader(file, path))
    except ValueError as error:
        raise scan_error(path, "compressed data, as its header says", str(error), ANOTHER_COPY) from None


class DeflateReader(io.RawIOBase):
    """The inflated bytes of a zlib stream or of gzip members one after another; what follows the last is ignored.

    Parameters
    ----------
    file : binary file
        Positioned at the stream. Closed with this reader.
    path : Path
        For the text of errors.

    Raises
    ------
    EOFError
        The stream ends in the middle.
    ValueError
        There is no such stream, or it is damaged (also found by its checksum).
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._igzip: Any = require("isal.igzip_lib", path, "compressed scans")
        self._file = file
        self._input = file.read(_CHUNK_BYTES)
        self._inflater = self._next_member()
        if self._inflater is None and self._input[:1] == _ZLIB_MARK:
            self._inflater = self._igzip.IgzipDecompressor(flag=self._igzip.DECOMP_ZLIB)
        if self._inflater is None:
            raise ValueError(f"the bytes {self._input[:8]!r}")

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer and return how many bytes it is, 0 at the end."""
        view = memoryview(buffer).cast("B")
        while self._inflater is not None and len(view):
            piece = self._inflate(min(len(view), _MOST_OUT))
            if self._inflater.eof:
                self._input = self._inflater.unused_data
                self._inflater = self._next_member()
            if piece:
                view[: len(piece)] = piece
                return len(piece)
        return 0

    def _inflate(self, most: int) -> bytes:
        if self._inflater.needs_input and not self._input:
            self._input = self._file.read(_CHUNK_BYTES)
            if not self._input:
                raise EOFError("the compressed data end in the middle")
        compressed, self._input = self._input, b""
        try:
            return bytes(self._inflater.decompress(compressed, most))
        except self._igzip.IsalError as error:
            raise ValueError(f"damaged compressed data ({error})") from None

    def _next_member(self) -> Any:
        """Return an inflater if the input goes on with a gzip member, else None."""
        while len(self._input) < len(GZIP_MAGIC):
            more = self._file.read(_CHUNK_BYTES)
            if not more:
                break
            self._input += more
        if not self._input.startswith(GZIP_MAGIC):
            return None
        return self._igzip.IgzipDecompressor(flag=self._igzip.DECOMP_GZIP)


def deflate_pieces(pieces: Iterator[Any], path: Path, *, window_bits: int = 31) -> Iterator[bytes]:
    """Compress a sequence of buffers to one gzip stream (zlib with `window_bits=15`), piece by piece."""
    zlib: Any = require("isal.isal_zlib", path, "compressed volumes")
    compressor = zlib.compressobj(_LEVEL, wbits=window_bits)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()
