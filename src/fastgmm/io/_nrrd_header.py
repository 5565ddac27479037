"""The header of an NRRD file: its fields, its axes in space, and back to text.

A reader of our own: pynrrd imports in 8 ms, but copies the inflated voxels and needs three times the memory. The rules
are those of the format's page (teem.sourceforge.net/nrrd/format.html); the geometry is ITK's, which tests compare.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm._types import Float64Array, Shape3
from fastgmm.io._geometry import NO_SPACING, Placement, placement_xyz
from fastgmm.io._problems import ANOTHER_COPY, scan_error

MAGIC = b"NRRD000"
# Far more than any header; a file without an empty line in it is read no further.
_MOST_HEADER_BYTES = 1 << 24
_BLOCK_BYTES = 1 << 15

_TYPES = {
    "i1": ("signedchar", "int8", "int8_t"),
    "u1": ("uchar", "unsignedchar", "uint8", "uint8_t"),
    "i2": ("short", "shortint", "signedshort", "signedshortint", "int16", "int16_t"),
    "u2": ("ushort", "unsignedshort", "unsignedshortint", "uint16", "uint16_t"),
    "i4": ("int", "signedint", "int32", "int32_t"),
    "u4": ("uint", "unsignedint", "uint32", "uint32_t"),
    "i8": ("longlong", "longlongint", "signedlonglong", "signedlonglongint", "int64", "int64_t"),
    "u8": ("ulonglong", "unsignedlonglong", "unsignedlonglongint", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPES = {name: np.dtype(code) for code, names in _TYPES.items() for name in names}

_ENCODINGS = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2", "ascii": "ascii", "text": "ascii",
    "txt": "ascii", "hex": "hex",
}  # fmt: skip
# To left-posterior-superior: the signs of the first two coordinates. Other spaces are taken as they are, as ITK does.
_TO_LPS = {
    "right-anterior-superior": (-1.0, -1.0), "ras": (-1.0, -1.0),
    "left-anterior-superior": (1.0, -1.0), "las": (1.0, -1.0),
}  # fmt: skip
_SPATIAL_KINDS = ("domain", "space", "???", "none", "unknown")
# Fields that say where the voxels are, in the order in which they are written; one value per axis in the second group.
_WHOLE_FIELDS = ("space", "spacedimension", "spaceunits", "spaceorigin", "measurementframe")
_AXIS_FIELDS = (
    "spacedirections",
    "kinds",
    "spacings",
    "thicknesses",
    "axismins",
    "axismaxs",
    "centers",
    "centerings",
    "units",
)
_SPELLED = {
    "spacedimension": "space dimension", "spaceunits": "space units", "spaceorigin": "space origin",
    "measurementframe": "measurement frame", "spacedirections": "space directions", "axismins": "axis mins",
    "axismaxs": "axis maxs",
}  # fmt: skip
_VECTOR = re.compile(r"\([^)]*\)|[^\s()]+")
_QUOTED = re.compile(r'"[^"]*"|\S+')


@dataclass(frozen=True)
class NrrdHeader:
    """The fields of an NRRD header.

    Parameters
    ----------
    path : Path
    fields : dict
        Text of each field by its name in lower case without spaces. Key/value pairs and comments are left out: they
        may name the patient.
    axes : tuple of 3 ints
        Which of the file's axes are x, y and z of the volume; the others have one entry.
    sizes : tuple of ints
        Of all axes.
    data_offset : int
        Where in an attached file the data begin.
    """

    path: Path
    fields: dict[str, str]
    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    data_offset: int

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x)."""
        x, y, z = (self.sizes[axis] for axis in self.axes)
        return z, y, x

    @property
    def encoding(self) -> str:
        """How the voxels are stored: raw, gzip, bzip2, ascii or hex."""
        name = self.fields["encoding"].lower()
        if name not in _ENCODINGS:
            expected = f"encoding {', '.join(dict.fromkeys(_ENCODINGS.values()))}"
            raise scan_error(self.path, expected, f"encoding {name}", "write the file again as gzip")
        return _ENCODINGS[name]

    @property
    def has_many_files(self) -> bool:
        """Whether the voxels are spread over a list or a numbered row of files."""
        name = self.fields.get("datafile", "")
        return name.upper().startswith("LIST") or "%" in name

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored voxels, with its byte order."""
        name = self.fields["type"].replace(" ", "").lower()
        if name not in _DTYPES:
            raise scan_error(
                self.path, "integers or floats", f"type {self.fields['type']}", "store one number per voxel"
            )
        dtype = _DTYPES[name]
        if dtype.itemsize == 1 or self.encoding == "ascii":
            return dtype
        endian = self.fields.get("endian", "").lower()
        if endian not in ("little", "big"):
            got = repr(endian) if endian else "no such field"
            raise scan_error(self.path, "endian: little or big", got, "add the byte order to the header")
        return dtype.newbyteorder("<" if endian == "little" else ">")


def read_nrrd_header(path: Path) -> NrrdHeader:
    """Read the header of an attached (.nrrd) or detached (.nhdr) file and find the three axes of the volume."""
    lines, data_offset = _header_lines(path)
    fields = _parse_fields(path, lines)
    for name in ("dimension", "type", "sizes", "encoding"):
        if name not in fields:
            raise scan_error(path, f"an NRRD header with the field {name}", "none", ANOTHER_COPY)
    try:
        sizes = tuple(int(size) for size in fields["sizes"].split())
        n_axes = int(fields["dimension"])
    except ValueError:
        raise _bad_field(path, "sizes", fields["sizes"], "whole numbers") from None
    if len(sizes) != n_axes:
        raise _bad_field(path, "sizes", fields["sizes"], f"{n_axes} numbers, as dimension says")
    if min(sizes) < 1:
        raise scan_error(path, "at least one voxel along each axis", f"sizes {fields['sizes']}", ANOTHER_COPY)
    return NrrdHeader(path, fields, _spatial_axes(path, fields, sizes), sizes, data_offset)


@np.errstate(all="ignore")  # what is not finite in the end is refused as such
def nrrd_placement(header: NrrdHeader) -> tuple[Placement, tuple[str, ...]]:
    """Return where the volume lies, and warnings where the header leaves something open."""
    fields, path = header.fields, header.path
    if "spacedirections" in fields:
        vectors = [_vector(path, text) for text in _pick(header, "spacedirections")]
        if any(len(vector) != 3 for vector in vectors):
            raise _bad_field(path, "space directions", fields["spacedirections"], "three vectors of three numbers")
        origin = np.array(_vector(path, fields.get("spaceorigin", "(0,0,0)")), np.float64)
        if len(origin) != 3:
            raise _bad_field(path, "space origin", fields["spaceorigin"], "three numbers")
        steps = np.array(vectors, np.float64).T
        signs = np.array([*_TO_LPS.get(fields.get("space", "").lower(), (1.0, 1.0)), 1.0])
        spacing = np.sqrt((steps * steps).sum(axis=0))
        direction = steps * (1.0 / spacing) * signs[:, None]  # as ITK rounds
        return placement_xyz(path, spacing, direction, origin * signs), _unit_warnings(fields)
    spacing = np.array([_number(path, text) for text in _pick(header, "spacings", "nan")])
    unknown = bool(np.isnan(spacing).any())
    spacing[np.isnan(spacing)] = 1.0
    warnings = (NO_SPACING,) if unknown else ()
    return placement_xyz(path, spacing, np.eye(3), _origin_from_mins(header, spacing)), warnings


def geometry_lines(header: NrrdHeader) -> list[str]:
    """Return the header's geometry fields as lines, word for word, for the three axes of the volume."""
    lines = []
    for name in _WHOLE_FIELDS:
        if name in header.fields:
            lines.append(f"{_SPELLED.get(name, name)}: {header.fields[name]}")
    for name in _AXIS_FIELDS:
        if name in header.fields:
            whole = len(header.axes) == len(header.sizes)
            text = header.fields[name] if whole else " ".join(_pick(header, name))
            lines.append(f"{_SPELLED.get(name, name)}: {text}")
    return lines


def _header_lines(path: Path) -> tuple[list[bytes], int]:
    """Return the lines up to the first empty one, and where the next line begins."""
    content = b""
    with open(path, "rb") as file:
        while len(content) < _MOST_HEADER_BYTES:
            block = file.read(_BLOCK_BYTES)
            content += block
            if not content.startswith(MAGIC):
                got = f"a file that begins {content[:16]!r}" if content else "an empty file"
                raise scan_error(path, "an NRRD file that begins with 'NRRD000'", got, "check the name's extension")
            end = re.search(rb"\r?\n\r?\n", content)
            if end:
                return content[: end.start()].splitlines(), end.end()
            if not block:
                break
    return content.splitlines(), len(content)


def _parse_fields(path: Path, lines: list[bytes]) -> dict[str, str]:
    fields = {}
    for raw in lines[1:]:
        line = raw.decode("latin-1")
        if line.startswith("#") or ":=" in line.partition(": ")[0]:
            continue
        name, colon, text = line.partition(":")
        if not colon:
            raise scan_error(path, "an NRRD header of lines 'field: value'", repr(line[:40]), ANOTHER_COPY)
        fields[name.replace(" ", "").lower()] = text.strip()
    return fields


def _spatial_axes(path: Path, fields: dict[str, str], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of space, which must be three; an axis that is none may have one entry only."""
    kinds = fields.get("kinds", "").lower().split() or ["domain"] * len(sizes)
    vectors = _VECTOR.findall(fields.get("spacedirections", "")) or ["()"] * len(sizes)
    if len(kinds) != len(sizes) or len(vectors) != len(sizes):
        raise scan_error(path, f"a kind and a direction for each of {len(sizes)} axes", "another number", ANOTHER_COPY)
    spatial = [i for i in range(len(sizes)) if kinds[i] in _SPATIAL_KINDS and vectors[i].lower() != "none"]
    for axis in set(range(len(sizes))) - set(spatial):
        if sizes[axis] > 1:
            got = f"{sizes[axis]} numbers per voxel ({kinds[axis]}: a colour, vector or complex image)"
            raise scan_error(path, "one number per voxel", got, "extract one component")
    while len(spatial) > 3 and sizes[spatial[-1]] == 1:
        spatial.pop()
    if len(spatial) != 3:
        got = f"{len(spatial)}-D of sizes {fields['sizes']}"
        raise scan_error(path, "a 3-D volume", got, "give one 3-D volume per file")
    return tuple(spatial)


def _pick(header: NrrdHeader, name: str, missing: str = "") -> list[str]:
    """Return the words of a per-axis field that belong to the three axes of the volume."""
    pattern = _QUOTED if name == "units" else _VECTOR
    words = pattern.findall(header.fields.get(name, "")) or [missing] * len(header.sizes)
    if len(words) != len(header.sizes):
        raise _bad_field(header.path, _SPELLED.get(name, name), header.fields[name], f"{len(header.sizes)} values")
    return [words[axis] for axis in header.axes]


def _origin_from_mins(header: NrrdHeader, spacing: Float64Array) -> Float64Array:
    """Return the centre of the first voxel from `axis mins`, which ITK takes as the edge of a cell unless told."""
    if "axismins" not in header.fields:
        return np.zeros(3)
    mins = np.array([_number(header.path, text) for text in _pick(header, "axismins")])
    centers = _pick(header, "centers" if "centers" in header.fields else "centerings", "cell")
    shift = np.array([0.0 if center.lower() == "node" else 0.5 for center in centers])
    return mins + shift * spacing if np.isfinite(mins).all() else np.zeros(3)


def _unit_warnings(fields: dict[str, str]) -> tuple[str, ...]:
    units = {unit.strip('"').lower() for unit in _QUOTED.findall(fields.get("spaceunits", ""))}
    others = sorted(units - {"mm", "millimeter", "millimeters", "millimetre", "millimetres", "", "???"})
    return tuple(f"space units {unit} in the header are taken as mm" for unit in others)


def _vector(path: Path, text: str) -> list[float]:
    return [_number(path, part) for part in text.strip("()").split(",")]


def _number(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _bad_field(path, "geometry", text, "numbers") from None


def _bad_field(path: Path, name: str, text: str, expected: str) -> Exception:
    return scan_error(path, f"{expected} in the header's {name}", repr(text), ANOTHER_COPY)
