"""NRRD files: voxels from every encoding of the format, and label maps with the geometry word for word."""

from __future__ import annotations

import binascii
import bz2
import io
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from fastgmm._types import AnyArray
from fastgmm.io._deflate import DEFLATE_RATIO, deflate_pieces, inflated
from fastgmm.io._geometry import axes_xyz
from fastgmm.io._nrrd_header import NrrdHeader, geometry_lines, nrrd_placement, read_nrrd_header
from fastgmm.io._problems import ANOTHER_COPY, scan_error
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader
from fastgmm.io._simpleitk import read_with_simpleitk, simpleitk_header_of
from fastgmm.io._sink import VolumeSink
from fastgmm.io._voxels import check_hounsfield, check_size, read_voxels, slabs

_TYPE_NAMES = {np.dtype(np.uint8): "unsigned char", np.dtype(np.int16): "short"}


def read_nrrd(path: Path, assume_hu: bool, sink: VolumeSink) -> Scan:
    """Read a .nrrd or .nhdr file."""
    header = read_nrrd_header(path)
    if header.has_many_files:
        return read_with_simpleitk(path, assume_hu, sink)
    known = _described(header)
    with _open_data(header, known.files[-1]) as stream:
        volume, warnings = read_voxels(stream, path, header.shape, header.dtype, sink=sink)
    if not assume_hu:
        check_hounsfield(volume, header.dtype, path)
    return Scan(
        path=path, volume=volume, format="nrrd", spacing_mm=known.spacing_mm, direction=known.direction,
        origin_lps_mm=known.origin_lps_mm, warnings=known.warnings + warnings, header=header, files=known.files,
    )  # fmt: skip


def nrrd_header_of(path: Path) -> ScanHeader:
    """Read what the header of a .nrrd or .nhdr file says."""
    header = read_nrrd_header(path)
    return simpleitk_header_of(path) if header.has_many_files else _described(header)


def _described(header: NrrdHeader) -> ScanHeader:
    place, warnings = nrrd_placement(header)
    return ScanHeader(
        path=header.path, shape=header.shape, stored_dtype=header.dtype.name, format="nrrd",
        spacing_mm=place.spacing_mm, direction=place.direction, origin_lps_mm=place.origin_lps_mm, warnings=warnings,
        header=header, files=tuple(dict.fromkeys((header.path, _data_path(header)))),
    )  # fmt: skip


def nrrd_pieces(path: Path, volume: AnyArray, scan: ScanGeometry) -> Iterator[bytes]:
    """Return the bytes of a gzip-compressed NRRD file in pieces.

    Parameters
    ----------
    path : Path
        For the text of errors.
    volume : ndarray of shape (nz, ny, nx), dtype uint8 or int16
    scan : Scan or ScanHeader
        Its geometry: the words of its own NRRD header, else numbers of 17 digits, which give the same doubles back.
    """
    nz, ny, nx = volume.shape
    lines = ["NRRD0005", f"type: {_TYPE_NAMES[volume.dtype]}", "dimension: 3", f"sizes: {nx} {ny} {nz}"]
    lines += geometry_lines(scan.header) if isinstance(scan.header, NrrdHeader) else _numeric_lines(scan)
    lines += ["endian: little"] if volume.dtype.itemsize > 1 else []
    lines += ["encoding: gzip", "", ""]
    yield "\n".join(lines).encode("latin-1")
    little = volume.astype(volume.dtype.newbyteorder("<"), copy=False)
    yield from deflate_pieces(slabs(little), path)


def _numeric_lines(scan: ScanGeometry) -> list[str]:
    spacing, direction, origin = axes_xyz(scan)
    vectors = [",".join(f"{value:.17g}" for value in direction[:, axis] * spacing[axis]) for axis in range(3)]
    return [
        "space: left-posterior-superior",
        "space origin: (" + ",".join(f"{value:.17g}" for value in origin) + ")",
        "space directions: " + " ".join(f"({vector})" for vector in vectors),
        "kinds: domain domain domain",
    ]


def _data_path(header: NrrdHeader) -> Path:
    """Return the file that holds the data: the header's own, or the one its `data file` names."""
    name = header.fields.get("datafile", "")
    if not name:
        return header.path
    data_path = header.path.parent / name
    if not data_path.is_file():
        raise scan_error(header.path, f"its data file {data_path}", "no such file", "put it beside the header")
    return data_path


def _open_data(header: NrrdHeader, data_path: Path) -> BinaryIO:
    """Open the voxels of any encoding as a stream positioned at the first."""
    file = open(data_path, "rb", buffering=0)  # noqa: SIM115
    try:
        file.seek(header.data_offset if data_path == header.path else 0)
        _skip_lines(file, _skip(header, "lineskip"))
        return _decoded(file, header)
    except BaseException:
        file.close()
        raise


def _decoded(file: Any, header: NrrdHeader) -> BinaryIO:
    n_skipped = _skip(header, "byteskip")
    n_bytes = math.prod(header.shape) * header.dtype.itemsize
    n_stored = os.fstat(file.fileno()).st_size - file.tell()
    if header.encoding == "raw":
        check_size(header.path, n_bytes, n_stored - max(0, n_skipped), 1)
        file.seek(n_skipped if n_skipped >= 0 else n_stored - n_bytes, io.SEEK_CUR)
        return cast(BinaryIO, file)
    if header.encoding == "gzip":
        check_size(header.path, n_bytes, n_stored, DEFLATE_RATIO)
        stream = inflated(file, header.path)
    else:
        with file:
            stream = io.BytesIO(_decoded_whole(file.read(), header))
    while n_skipped > 0 and (skipped := stream.read(min(n_skipped, 1 << 16))):
        n_skipped -= len(skipped)
    return stream


def _decoded_whole(content: bytes, header: NrrdHeader) -> bytes:
    """Decode the encodings that few files use: their voxels are in memory twice."""
    try:
        if header.encoding == "bzip2":
            return bz2.decompress(content)
        if header.encoding == "hex":
            return binascii.unhexlify(b"".join(content.split()))
        return np.array(content.split(), header.dtype).tobytes()
    except (ValueError, OverflowError, OSError) as error:
        raise scan_error(header.path, f"{header.encoding} data, as its header says", str(error), ANOTHER_COPY) from None


def _skip(header: NrrdHeader, name: str) -> int:
    text = header.fields.get(name, "0")
    lowest = -1 if name == "byteskip" else 0
    try:
        number = int(text)
    except ValueError:
        number = lowest - 1
    if number < lowest:
        raise scan_error(header.path, f"a number of at least {lowest} in the header's {name}", repr(text), ANOTHER_COPY)
    return number


def _skip_lines(file: Any, n_lines: int) -> None:
    """Move behind the n-th newline; the file is unbuffered, so its position is exact."""
    start = file.tell()
    content = b""
    for _ in range(n_lines):
        while (end := content.find(b"\n")) < 0:
            block = file.read(1 << 16)
            if not block:
                return
            content += block
        start += end + 1
        content = content[end + 1 :]
    file.seek(start)
