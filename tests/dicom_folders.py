"""Synthetic DICOM series, written by pydicom."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

PATIENT = "Mustermann^Erika"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
Edit = Callable[[Dataset, int], None]


def hu_volume(shape: tuple[int, int, int] = (6, 8, 10), seed: int = 0) -> np.ndarray:
    """Return random HU between air and bone, every slice with air."""
    volume = np.random.default_rng(seed).integers(-1000, 1500, shape).astype(np.int16)
    volume[:, 0, 0] = -1000
    return volume


def ct_dataset(stored: np.ndarray, position: Sequence[float], uid: str, **elements: Any) -> Dataset:
    """Return one CT slice of int16 pixels with the given elements set last."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = PATIENT, "ID-4711", "19700101"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid + ".9", uid
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = list(position), list(AXIAL)
    dataset.PixelSpacing, dataset.SliceThickness = [0.75, 0.5], 2.0
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = stored.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(stored.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelData = stored.tobytes()
    for name, value in elements.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def write_series(
    folder: Path, stored: np.ndarray, *, heights: Sequence[float] | None = None, uid: str = "1.2.3.4",
    prefix: str = "s", edit: Edit | None = None, **elements: Any,
) -> list[Path]:  # fmt: skip
    """Write the slices of a volume along z; names run against the positions, so that sorting by name is wrong.

    `heights` are z positions in mm (2 mm apart otherwise); `edit(dataset, index)` changes slices one by one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    heights = [10.0 + 2.0 * z for z in range(len(stored))] if heights is None else heights
    paths = []
    for z, (plane, height) in enumerate(zip(stored, heights, strict=True)):
        dataset = ct_dataset(plane, (-5.0, -7.0, height), uid, InstanceNumber=z + 1, **elements)
        if edit is not None:
            edit(dataset, z)
        path = folder / f"{prefix}{len(stored) - z:03d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_enhanced(path: Path, stored: np.ndarray, *, intercepts: Sequence[float]) -> None:
    """Write one enhanced multi-frame file, its frames in falling order of position."""
    dataset = ct_dataset(stored[0], (0, 0, 0), "1.2.3.5", ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(dataset, name)
    dataset.NumberOfFrames = len(stored)
    dataset.PixelData = stored[::-1].tobytes()
    shared = Dataset()
    shared.PlaneOrientationSequence = [_with(ImageOrientationPatient=list(AXIAL))]
    shared.PixelMeasuresSequence = [_with(PixelSpacing=[0.75, 0.5], SliceThickness=2.0)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for z in reversed(range(len(stored))):
        frame = Dataset()
        frame.PlanePositionSequence = [_with(ImagePositionPatient=[-5.0, -7.0, 10.0 + 2.0 * z])]
        frame.PixelValueTransformationSequence = [
            _with(RescaleSlope=1, RescaleIntercept=intercepts[z], RescaleType="HU")
        ]
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    dataset.save_as(path, enforce_file_format=True)


def _with(**elements: Any) -> Dataset:
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def rewrite(path: Path, change: Callable[[Dataset], None]) -> None:
    """Read a file, change it, and write it back."""
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
