"""Scans on disk: CT volumes from NRRD, NIfTI, MetaImage, DICOM folders and what SimpleITK reads; label maps back."""

from fastgmm.io._files import read_header, read_scan, write_labels, write_scan
from fastgmm.io._scan import Scan, ScanGeometry, ScanHeader, label_extension

__all__ = [
    "Scan",
    "ScanGeometry",
    "ScanHeader",
    "label_extension",
    "read_header",
    "read_scan",
    "write_labels",
    "write_scan",
]
