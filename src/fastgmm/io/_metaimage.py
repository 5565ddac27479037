"""MetaImage files: .mha, and .mhd beside its data file.

Never left to SimpleITK, whose reader of this format returns arbitrary voxels for a list of files without a last line
end and corrupts the memory of the process for a header of many axes (ITK 5.4).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from fastgmm._types import AnyArray, Float64Array, Shape3
from fastgmm.io._deflate import DEFLATE_RATIO, deflate_pieces, inflated
from fastgmm.io._geometry import NO_SPACING, axes_xyz, placement_xyz, shape_from_sizes
from fastgmm.io._problems import ANOTHER_COPY, scan_error
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader
from fastgmm.io._sink import VolumeSink
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
    def n_axes(self) -> int:
        """Number of axes, of which all but three have one entry."""
        return int(self.numbers(("NDims",), 1, ())[0])

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x)."""
        sizes = self.numbers(("DimSize",), self.n_axes, ())
        return shape_from_sizes(self.path, [int(size) for size in sizes])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored voxels, with its byte order."""
        kind, channels = self.fields["ElementType"], self.fields.get("ElementNumberOfChannels", "1")
        if channels != "1" or kind not in _TYPES:
            got = f"{kind} x {channels} (a colour, vector or complex image)"
            raise scan_error(self.path, "one number per voxel", got, "extract one component")
        return np.dtype(_TYPES[kind]).newbyteorder(">" if self.says(_BYTE_ORDER) else "<")

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
        if len(numbers) != n or not np.isfinite(numbers).all():
            raise scan_error(self.path, f"{n} numbers in the header's {names[0]}", repr(text), ANOTHER_COPY)
        return numbers


def read_metaimage(path: Path, assume_hu: bool, sink: VolumeSink) -> Scan:
    """Read a .mha or .mhd file."""
    header = _read_header(path)
    known = _described(header)
    with _open_data(header, known.files[-1]) as stream:
        volume, warnings = read_voxels(stream, path, known.shape, header.dtype, sink=sink)
    if not assume_hu:
        check_hounsfield(volume, header.dtype, path)
    return Scan(
        path=path, volume=volume, format="metaimage", spacing_mm=known.spacing_mm, direction=known.direction,
        origin_lps_mm=known.origin_lps_mm, warnings=known.warnings + warnings, files=known.files,
    )  # fmt: skip


def metaimage_header_of(path: Path) -> ScanHeader:
    """Read what the header of a .mha or .mhd file says."""
    return _described(_read_header(path))


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
        data_offset = file.tell()
    for name in ("NDims", "DimSize", "ElementType"):
        if name not in fields:
            raise scan_error(path, f"a MetaImage header with the field {name}", "none", ANOTHER_COPY)
    return MetaHeader(path, fields, data_offset)


@np.errstate(all="ignore")  # what is not finite in the end is refused as such
def _described(header: MetaHeader) -> ScanHeader:
    n = header.n_axes
    shape = header.shape
    spacing = header.numbers(_SPACING, n, (1.0,) * n)[:3]
    origin = header.numbers(_ORIGIN, n, (0.0,) * n)[:3]
    # The file lists the axes' vectors one after another, so they are rows here.
    axes = header.numbers(_MATRIX, n * n, tuple(np.eye(n).ravel())).reshape(n, n)[:3, :3]
    place = placement_xyz(header.path, spacing, axes.T, origin)
    stated = any(name in header.fields for name in _SPACING)
    return ScanHeader(
        path=header.path, shape=shape, stored_dtype=header.dtype.name, format="metaimage",
        spacing_mm=place.spacing_mm, direction=place.direction, origin_lps_mm=place.origin_lps_mm,
        warnings=() if stated else (NO_SPACING,), files=tuple(dict.fromkeys((header.path, _data_path(header)))),
    )  # fmt: skip


def _data_path(header: MetaHeader) -> Path:
    name = header.fields["ElementDataFile"]
    if header.fields.get("BinaryData", "True").lower() not in ("true", "1"):
        raise scan_error(header.path, "binary voxels", "numbers as text (BinaryData = False)", "write the file again")
    if name.upper() == "LOCAL":
        return header.path
    if name.upper().startswith("LIST") or "%" in name:
        raise scan_error(header.path, "one data file", f"ElementDataFile = {name}", "join the slices to one .mha file")
    data_path = header.path.parent / name
    if not data_path.is_file():
        raise scan_error(header.path, f"its data file {data_path}", "no such file", "put it beside the header")
    return data_path


def _open_data(header: MetaHeader, data_path: Path) -> BinaryIO:
    """Open the voxels as a stream positioned at the first."""
    file = open(data_path, "rb", buffering=0)  # noqa: SIM115
    try:
        compressed = header.says(("CompressedData",))
        n_bytes = math.prod(header.shape) * header.dtype.itemsize
        file.seek(_data_offset(header, data_path, n_bytes))
        n_stored = os.fstat(file.fileno()).st_size - file.tell()
        check_size(header.path, n_bytes, n_stored, DEFLATE_RATIO if compressed else 1)
        return inflated(cast(BinaryIO, file), header.path) if compressed else cast(BinaryIO, file)
    except BaseException:
        file.close()
        raise


def _data_offset(header: MetaHeader, data_path: Path, n_bytes: int) -> int:
    """Return where the data begin: behind the header, after HeaderSize bytes, or n bytes (-1) before the end."""
    n_skipped = int(header.numbers(("HeaderSize",), 1, (0.0,))[0])
    if n_skipped == -1:
        return max(0, data_path.stat().st_size - n_bytes)
    return n_skipped if n_skipped > 0 else header.data_offset if data_path == header.path else 0


def _digits(values: Float64Array) -> str:
    return " ".join(f"{value:.17g}" for value in values)
