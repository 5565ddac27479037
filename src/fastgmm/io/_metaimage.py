"""MetaImage files: .mha, and .mhd beside its data file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Shape3
from fastgmm.io._deflate import DEFLATE_RATIO, deflate_pieces, inflated
from fastgmm.io._geometry import NO_SPACING, axes_xyz, placement_xyz
from fastgmm.io._problems import ANOTHER_COPY, scan_error
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader
from fastgmm.io._simpleitk import read_with_simpleitk, simpleitk_header_of
from fastgmm.io._voxels import check_hounsfield, check_size, read_voxels, slabs

_MOST_HEADER_BYTES = 1 << 20
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_TYPE_NAMES = {np.dtype(np.uint8): "MET_UCHAR", np.dtype(np.int16): "MET_SHORT"}
# The names that writers have used for one thing, the current one first.
_BYTE_ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_ORIGIN = ("Offset", "Position", "Origin")
_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_SPACING = ("ElementSpacing", "ElementSize")


class MetaHeader:
    """The lines of a MetaImage header.

    Parameters
    ----------
    path : Path
    fields : dict
        Text by name.
    data_offset : int
        Where in a .mha file the data begin.
    """

    def __init__(self, path: Path, fields: dict[str, str], data_offset: int) -> None:
        self.path = path
        self.fields = fields
        self.data_offset = data_offset

    @property
    def is_simple(self) -> bool:
        """Whether this is one 3-D volume of one number per voxel in one file; SimpleITK is asked for the others."""
        return (
            self.fields.get("NDims") == "3"
            and self.fields.get("ElementNumberOfChannels", "1") == "1"
            and self.fields.get("ElementType") in _TYPES
            and self.fields.get("BinaryData", "True").lower() in ("true", "1")
            and self.fields.get("HeaderSize", "0") == "0"
        )

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x)."""
        x, y, z = (int(number) for number in self.numbers(("DimSize",), 3, ()))
        if min(x, y, z) < 1:
            sizes = self.fields["DimSize"]
            raise scan_error(self.path, "at least one voxel along each axis", f"DimSize {sizes}", ANOTHER_COPY)
        return z, y, x

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored voxels, with its byte order."""
        return np.dtype(_TYPES[self.fields["ElementType"]]).newbyteorder(">" if self.says(_BYTE_ORDER) else "<")

    def says(self, names: tuple[str, ...]) -> bool:
        """Return whether the first of the fields that is there says True."""
        return next((self.fields[name].lower() in ("true", "1") for name in names if name in self.fields), False)

    def numbers(self, names: tuple[str, ...], n: int, default: tuple[float, ...]) -> Float64Array:
        """Return the n numbers of the first of the fields that is there."""
        text = next((self.fields[name] for name in names if name in self.fields), None)
        if text is None and default:
            return np.array(default)
        try:
            numbers = np.array([float(word) for word in (text or "").split()])
        except ValueError:
            numbers = np.empty(0)
        if len(numbers) != n:
            raise scan_error(self.path, f"{n} numbers in the header's {names[0]}", repr(text), ANOTHER_COPY)
        return numbers


def read_metaimage(path: Path, assume_hu: bool) -> Scan:
    """Read a .mha or .mhd file; through SimpleITK where its header asks for more than one plain volume."""
    header = _read_header(path)
    if not header.is_simple:
        return read_with_simpleitk(path, assume_hu)
    known = _described(header)
    with _open_data(header, known.files[-1]) as stream:
        volume, warnings = read_voxels(stream, path, known.shape, header.dtype)
    if not assume_hu:
        check_hounsfield(volume, header.dtype, path)
    return Scan(
        path=path, volume=volume, format="metaimage", spacing_mm=known.spacing_mm, direction=known.direction,
        origin_lps_mm=known.origin_lps_mm, warnings=known.warnings + warnings, files=known.files,
    )  # fmt: skip


def metaimage_header_of(path: Path) -> ScanHeader:
    """Read what the header of a .mha or .mhd file says."""
    header = _read_header(path)
    return _described(header) if header.is_simple else simpleitk_header_of(path)


def metaimage_pieces(path: Path, volume: AnyArray, scan: ScanGeometry) -> Iterator[bytes]:
    """Return the bytes of a compressed .mha file in pieces.

    Parameters
    ----------
    path : Path
    volume : ndarray of shape (nz, ny, nx), dtype uint8 or int16
    scan : Scan or ScanHeader
        Its geometry, with 17 digits.

    Notes
    -----
    The header states the compressed size, so the compressed voxels (a twentieth of a label map) are held in memory.
    """
    little = volume.astype(volume.dtype.newbyteorder("<"), copy=False)
    compressed = list(deflate_pieces(slabs(little), path, window_bits=15))
    spacing, direction, origin = axes_xyz(scan)
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(sum(map(len, compressed))),
        "TransformMatrix": _digits(direction.T.ravel()),
        "Offset": _digits(origin),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _digits(spacing),
        "DimSize": " ".join(str(size) for size in volume.shape[::-1]),
        "ElementType": _TYPE_NAMES[volume.dtype],
        "ElementDataFile": "LOCAL",
    }
    yield "".join(f"{name} = {text}\n" for name, text in fields.items()).encode("ascii")
    yield from compressed


def _read_header(path: Path) -> MetaHeader:
    """Read the lines up to ElementDataFile, which is the last."""
    fields: dict[str, str] = {}
    with open(path, "rb") as file:
        while "ElementDataFile" not in fields and file.tell() < _MOST_HEADER_BYTES:
            line = file.readline(_MOST_HEADER_BYTES)
            name, equals, text = line.decode("latin-1").partition("=")
            if not equals:
                got = repr(line[:16]) if line else "the end of the file"
                expected = "a MetaImage header of lines 'name = value' that ends with ElementDataFile"
                raise scan_error(path, expected, got, "check the name's extension")
            fields[name.strip()] = text.strip()
        return MetaHeader(path, fields, file.tell())


def _described(header: MetaHeader) -> ScanHeader:
    spacing = header.numbers(_SPACING, 3, (1.0, 1.0, 1.0))
    origin = header.numbers(_ORIGIN, 3, (0.0, 0.0, 0.0))
    # The file lists the axes' vectors one after another, so they are rows here.
    axes = header.numbers(_MATRIX, 9, tuple(np.eye(3).ravel())).reshape(3, 3)
    place = placement_xyz(header.path, spacing, axes.T, origin)
    stated = any(name in header.fields for name in _SPACING)
    return ScanHeader(
        path=header.path, shape=header.shape, stored_dtype=header.dtype.name, format="metaimage",
        spacing_mm=place.spacing_mm, direction=place.direction, origin_lps_mm=place.origin_lps_mm,
        warnings=() if stated else (NO_SPACING,), files=tuple(dict.fromkeys((header.path, _data_path(header)))),
    )  # fmt: skip


def _data_path(header: MetaHeader) -> Path:
    name = header.fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return header.path
    if name.upper().startswith("LIST") or "%" in name:
        # Not left to SimpleITK, which returns arbitrary voxels where the last name has no line end.
        raise scan_error(header.path, "one data file", f"ElementDataFile = {name}", "join the slices to one .mha file")
    data_path = header.path.parent / name
    if not data_path.is_file():
        raise scan_error(header.path, f"its data file {data_path}", "no such file", "put it beside the header")
    return data_path


def _open_data(header: MetaHeader, data_path: Path) -> BinaryIO:
    """Open the voxels as a stream positioned at the first."""
    file = open(data_path, "rb", buffering=0)  # noqa: SIM115
    try:
        file.seek(header.data_offset if data_path == header.path else 0)
        compressed = header.says(("CompressedData",))
        n_bytes = math.prod(header.shape) * header.dtype.itemsize
        n_stored = os.fstat(file.fileno()).st_size - file.tell()
        check_size(header.path, n_bytes, n_stored, DEFLATE_RATIO if compressed else 1)
        return inflated(cast(BinaryIO, file), header.path) if compressed else cast(BinaryIO, file)
    except BaseException:
        file.close()
        raise


def _digits(values: Float64Array) -> str:
    return " ".join(f"{value:.17g}" for value in values)
