"""NIfTI files: .nii and .nii.gz."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from fastgmm._types import AnyArray, Shape3
from fastgmm.io._deflate import DEFLATE_RATIO, GZIP_MAGIC, DeflateReader, deflate_pieces, inflated
from fastgmm.io._nifti_header import (
    N_EXTENSION_BYTES,
    NIFTI1,
    NIFTI2,
    NiftiHeader,
    header_for,
    nifti_placement,
    parse_nifti_header,
)
from fastgmm.io._problems import ANOTHER_COPY, scan_error
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader
from fastgmm.io._sink import VolumeSink
from fastgmm.io._voxels import check_hounsfield, check_size, read_voxels, slabs


def read_nifti(path: Path, assume_hu: bool, sink: VolumeSink) -> Scan:
    """Read a .nii or .nii.gz file."""
    with _open_stream(path) as stream:
        known, n_read = _read_header(path, stream)
        header: NiftiHeader = known.header
        n_bytes = math.prod(known.shape) * header.dtype.itemsize
        ratio = DEFLATE_RATIO if isinstance(stream, DeflateReader) else 1
        check_size(path, n_bytes, path.stat().st_size, ratio)
        _skip(stream, path, header.data_offset - n_read)
        volume, warnings = read_voxels(stream, path, known.shape, header.dtype, *header.scaling, sink=sink)
    if not assume_hu:
        check_hounsfield(volume, header.dtype, path)
    return Scan(
        path=path, volume=volume, format="nifti", spacing_mm=known.spacing_mm, direction=known.direction,
        origin_lps_mm=known.origin_lps_mm, warnings=known.warnings + warnings, header=header, files=(path,),
    )  # fmt: skip


def nifti_header_of(path: Path) -> ScanHeader:
    """Read what the header of a .nii or .nii.gz file says."""
    with _open_stream(path) as stream:
        return _read_header(path, stream)[0]


def nifti_pieces(path: Path, volume: AnyArray, scan: ScanGeometry) -> Iterator[bytes]:
    """Return the bytes of a NIfTI file in pieces, compressed if the path ends in .gz.

    Parameters
    ----------
    path : Path
    volume : ndarray of shape (nz, ny, nx), dtype uint8 (a label map) or int16
    scan : Scan or ScanHeader
        Its geometry; qform, sform and their codes are copied from its own NIfTI header.
    """
    pieces = _plain_pieces(volume, header_for(scan, cast(Shape3, volume.shape), volume.dtype))
    if path.suffix.lower() == ".gz":
        yield from deflate_pieces(pieces, path)
    else:
        yield from pieces


def _plain_pieces(volume: AnyArray, record: np.ndarray[Any, Any]) -> Iterator[Any]:
    yield record.tobytes() + bytes(N_EXTENSION_BYTES)
    yield from slabs(volume.astype(volume.dtype.newbyteorder("<"), copy=False))


def _open_stream(path: Path) -> BinaryIO:
    """Open the file, inflated if it is gzip whatever its name."""
    file = open(path, "rb", buffering=0)  # noqa: SIM115
    try:
        compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if compressed:
            return inflated(cast(BinaryIO, file), path)
    except BaseException:
        file.close()
        raise
    return cast(BinaryIO, file)


def _read_header(path: Path, stream: BinaryIO) -> tuple[ScanHeader, int]:
    """Return what the header says and how many bytes were read for it."""
    content = _read_up_to(stream, path, NIFTI1.itemsize)
    if NIFTI2.itemsize in (int.from_bytes(content[:4], "little"), int.from_bytes(content[:4], "big")):
        content += _read_up_to(stream, path, NIFTI2.itemsize - len(content))
    header = parse_nifti_header(path, content)
    place, warnings = nifti_placement(header)
    known = ScanHeader(
        path=path, shape=header.shape, stored_dtype=header.dtype.name, format="nifti", spacing_mm=place.spacing_mm,
        direction=place.direction, origin_lps_mm=place.origin_lps_mm, warnings=warnings, header=header, files=(path,),
    )  # fmt: skip
    return known, len(content)


def _skip(stream: BinaryIO, path: Path, n_bytes: int) -> None:
    while n_bytes > 0 and (piece := _read_up_to(stream, path, min(n_bytes, 1 << 16))):
        n_bytes -= len(piece)


def _read_up_to(stream: BinaryIO, path: Path, n_bytes: int) -> bytes:
    """Return the next n bytes, or what there is of them."""
    content = b""
    try:
        while len(content) < n_bytes and (piece := stream.read(n_bytes - len(content))):
            content += piece
    except (EOFError, ValueError) as error:
        raise scan_error(path, "a NIfTI file", str(error), ANOTHER_COPY) from None
    return content
