"""Scans on disk: CT volumes from NRRD, NIfTI, MetaImage, DICOM folders and what SimpleITK reads; label maps back."""

from fastgmm.io._files import (
    list_dicom_series,
    read_dicom_series,
    read_header,
    read_scan,
    write_labels,
    write_scan,
)
from fastgmm.io._lung_masks import read_lung_mask
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader, label_extension
from fastgmm.io._sink import VolumeSink

__all__ = [
    "Scan",
    "ScanGeometry",
    "ScanHeader",
    "VolumeSink",
    "label_extension",
    "list_dicom_series",
    "read_dicom_series",
    "read_header",
    "read_lung_mask",
    "read_scan",
    "write_labels",
    "write_scan",
]
