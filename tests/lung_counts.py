"""The histogram of a real lung, from the CT and the labels that the published scripts gave it."""

from functools import cache
from pathlib import Path

import numpy as np

from fastgmm import Histogram


@cache
def p002_histogram(test_data: Path, every: int) -> Histogram:
    """HU of the lung voxels that the published scripts labelled, clamped at -1000."""
    import nibabel
    import nrrd

    labels = np.asarray(nibabel.load(test_data / "golden" / "covid_p002_published_labels.nii.gz").dataobj)
    volume, _ = nrrd.read(str(test_data / "covid_p002_ct.nrrd"))
    return Histogram.from_array(np.maximum(volume[labels > 0], -1000)[::every])
