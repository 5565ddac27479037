"""Every real file must read as SimpleITK reads it."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from fastgmm.io import read_header, read_scan

FILES = (
    "cip64_ct.nrrd", "cip64_lungs.nrrd", "cip64_regions.nrrd", "covid_p002_ct.nrrd", "ibsi1_phantom_ct.nrrd",
    "ibsi1_phantom_gtv.nrrd", "imlab_id001_ct.nrrd", "imlab_id001_lungs.nrrd", "imlab_id002_ct.nrrd",
    "imlab_id002_lungs.nrrd", "lungdx_a0002_8mm_ct.nrrd", "odd/cip_2slices_ct.nrrd", "odd/lidc2_uint8_windowed.nrrd",
    "golden/covid_p002_published_labels.nii.gz", "golden/covid_p002_published_median.nii.gz",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_test_data_equals_simpleitk(test_data: Path, name: str):
    image = sitk.ReadImage(str(test_data / name))
    scan = read_scan(test_data / name, assume_hu=True)
    assert scan.warnings == ()
    assert np.array_equal(scan.volume, sitk.GetArrayFromImage(image))
    assert scan.spacing_mm == image.GetSpacing()[::-1]
    assert scan.origin_lps_mm == image.GetOrigin()
    assert np.array_equal(scan.direction, np.reshape(image.GetDirection(), (3, 3))[:, ::-1])
    header = read_header(test_data / name)
    assert (header.shape, header.spacing_mm, header.origin_lps_mm) == (scan.shape, scan.spacing_mm, scan.origin_lps_mm)
    assert header.stored_dtype == sitk.GetArrayViewFromImage(image).dtype.name
