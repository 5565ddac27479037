"""Which slices a folder of DICOM files holds: one record per image, read from the headers alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastgmm.io._problems import require
from fastgmm.io._quiet import without_python_warnings

_ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
# A file without the 128 bytes and the mark in front begins with a small element of group 2 or 8.
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_TAGS = [
    "SOPClassUID", "SeriesInstanceUID", "SeriesDescription", "Modality", "ImageType", "ConvolutionKernel",
    "SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip


@dataclass(frozen=True)
class DicomSlice:
    """One image of a DICOM file: where it lies and what its numbers mean.

    Parameters
    ----------
    path : Path
    frame : int
        Index within a multi-frame file, else 0.
    position : tuple of 3 floats
        Centre of the first pixel in LPS, mm.
    orientation : tuple of 6 floats
        Directions of rising column index (x) and of rising row index (y).
    pixel_spacing_mm : tuple of 2 floats
        (y, x).
    slope, intercept : float
        HU = stored * slope + intercept.
    padding, padding_limit : int or None
        Stored values from one to the other mark pixels that were not measured.
    """

    path: Path
    frame: int
    series_uid: str
    modality: str
    description: str
    image_type: tuple[str, ...]
    kernel: str | None
    thickness_mm: float | None
    slice_distance_mm: float | None
    tilt_degrees: float
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    shape: tuple[int, int]
    samples: int
    bits: int
    bits_stored: int
    high_bit: int
    signed: bool
    slope: float
    intercept: float
    rescale_type: str
    padding: int | None
    padding_limit: int | None

    @property
    def name(self) -> str:
        """File name, with the frame's number in a multi-frame file."""
        return self.path.name if not self.frame else f"{self.path.name} frame {self.frame + 1}"

    @property
    def is_localizer(self) -> bool:
        """Whether the image type says scout or topogram."""
        return "LOCALIZER" in self.image_type

    @property
    def is_axial_original(self) -> bool:
        """Whether the image type begins ORIGINAL, PRIMARY, AXIAL (VOLUME in the enhanced kind)."""
        return self.image_type[:2] == ("ORIGINAL", "PRIMARY") and self.image_type[2:3] in (("AXIAL",), ("VOLUME",))


def find_slices(path: Path) -> tuple[list[DicomSlice], list[Path]]:
    """Return the images with a place in space below a folder (or in a file), and DICOM files that cannot be read.

    Files of other kinds, and DICOM objects that are no images in space (reports, DICOMDIR, screen captures), are passed
    over.
    """
    pydicom = require("pydicom", path, "DICOM files")
    slices: list[DicomSlice] = []
    unreadable: list[Path] = []
    for file in [path] if path.is_file() else _files_below(path):
        mark = _dicom_mark(file)
        if mark is None:
            continue
        try:
            with without_python_warnings:
                dataset = pydicom.dcmread(file, force=not mark, stop_before_pixels=True, specific_tags=_TAGS)
                slices.extend(_slices_of(file, dataset))
        except Exception:  # a damaged file can raise anything within pydicom
            if mark:
                unreadable.append(file)
    return slices, unreadable


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(parent, name)
            if file.is_file():
                yield file


def _dicom_mark(file: Path) -> bool | None:
    """Return True if the file has the DICOM mark, False if it may be DICOM without it, None if it is not."""
    with open(file, "rb") as stream:
        start = stream.read(132)
    if start[128:] == b"DICM":
        return True
    return False if start[:2] in _FIRST_GROUPS and start[3:4] == b"\x00" else None


def _slices_of(file: Path, dataset: Any) -> Iterator[DicomSlice]:
    """Yield a record per image with a place in space."""
    if "Rows" not in dataset or "SeriesInstanceUID" not in dataset:
        return
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    if per_frame:
        shared = (dataset.get("SharedFunctionalGroupsSequence") or [{}])[0]
        for index, groups in enumerate(per_frame):
            yield _slice(file, index, [*_flat(groups), *_flat(shared), dataset])
    elif "ImagePositionPatient" in dataset and "ImageOrientationPatient" in dataset:
        yield _slice(file, 0, [dataset])


def _flat(groups: Any) -> Iterator[Any]:
    """Yield the one item of each functional group."""
    for element in groups:
        if element.VR == "SQ" and len(element.value):
            yield element.value[0]


def _slice(file: Path, frame: int, sources: Sequence[Any]) -> DicomSlice:
    def value(name: str, default: Any = None) -> Any:
        for source in sources:
            found = source.get(name)
            if found is not None and found != "":
                return found
        return default

    def number(name: str) -> float | None:
        found = value(name)
        return None if found is None else float(found)

    def whole(name: str) -> int | None:
        found = value(name)
        return None if found is None else int(found)

    return DicomSlice(
        path=file,
        frame=frame,
        series_uid=str(value("SeriesInstanceUID")),
        modality=str(value("Modality", "")),
        description=str(value("SeriesDescription", "")),
        image_type=_words(value("FrameType") or value("ImageType")),
        kernel="/".join(_words(value("ConvolutionKernel"))) or None,
        thickness_mm=number("SliceThickness"),
        slice_distance_mm=number("SpacingBetweenSlices"),
        tilt_degrees=number("GantryDetectorTilt") or 0.0,
        position=_floats(value("ImagePositionPatient"), 3),
        orientation=_floats(value("ImageOrientationPatient"), 6),
        pixel_spacing_mm=_floats(value("PixelSpacing"), 2),
        shape=(int(value("Rows")), int(value("Columns"))),
        samples=int(value("SamplesPerPixel", 1)),
        bits=int(value("BitsAllocated")),
        bits_stored=int(value("BitsStored", value("BitsAllocated"))),
        high_bit=int(value("HighBit", int(value("BitsStored", value("BitsAllocated"))) - 1)),
        signed=bool(value("PixelRepresentation", 0)),
        slope=float(value("RescaleSlope", 1.0)),
        intercept=float(value("RescaleIntercept", 0.0)),
        rescale_type=str(value("RescaleType", "")).upper(),
        padding=whole("PixelPaddingValue"),
        padding_limit=whole("PixelPaddingRangeLimit"),
    )


def _words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(word) for word in value)


def _floats(value: Any, n: int) -> tuple[float, ...]:
    numbers = tuple(float(part) for part in value)
    if len(numbers) != n:
        raise ValueError(f"{n} numbers expected, got {len(numbers)}")
    return numbers
