"""The published method with the packages its scripts use: SimpleITK, SciPy and scikit-learn. A rival and a judge.

Usage: python published_method.py SCAN OUT_LABELS OUT_MEDIAN

Written from the facts in DESIGN.md, "Published preset" (scripts of pzaffino/COVID19-intensity-labeling); prediction is
on float64, as scikit-learn up to 1.6 did for integers, and radii are lists, as SimpleITK now demands.
"""

import sys

import numpy as np
import scipy.ndimage
import SimpleITK as sitk  # noqa: N813
from sklearn.mixture import GaussianMixture

MEANS = (-950.35445, -828.9766504, -652.26530371, -337.03481411, -12.53896037)
VARIANCES = (1936.65952913, 3413.06554292, 8927.18035462, 24547.22394621, 37633.9743736)
WEIGHTS = (0.33915991, 0.36163895, 0.13880557, 0.05467644, 0.10571913)
LOWEST_HU, AIR_BELOW_HU, MARGIN_VOXELS = -1000, -155, 20
MIN_COMPONENT_VOXELS, CLOSING_RADII_VOXELS, MEDIAN_SIZE = 500_000, (30, 20), 4


def published_model():
    """Return the published mixture as a fitted scikit-learn estimator."""
    model = GaussianMixture(5)
    model.weights_ = np.array(WEIGHTS)
    model.means_ = np.array(MEANS)[:, None]
    model.covariances_ = np.array(VARIANCES)[:, None, None]
    model.precisions_cholesky_ = 1 / np.sqrt(model.covariances_)
    return model


def lung_mask(volume):
    """Return the lungs as a uint8 volume, or raise where the script's assertion fails."""
    cross = scipy.ndimage.generate_binary_structure(3, 1)
    air = scipy.ndimage.binary_opening(volume < AIR_BELOW_HU, cross, iterations=3)
    labels, n_components = scipy.ndimage.label(air)
    sizes = np.bincount(labels.ravel(), minlength=n_components + 1)
    _, ny, nx = volume.shape
    lungs = np.zeros(volume.shape, np.uint8)
    for number, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        _, y, x = box
        if number == n_components or sizes[number] < MIN_COMPONENT_VOXELS:
            continue
        if y.start > 0 and x.start > 0 and y.stop < ny and x.stop < nx:
            lungs[box][labels[box] == number] = 1
    z, y, x = (np.flatnonzero(lungs.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    y0, y1, x0, x1 = y[0] - MARGIN_VOXELS, y[-1] + MARGIN_VOXELS, x[0] - MARGIN_VOXELS, x[-1] + MARGIN_VOXELS
    if y0 < 0 or x0 < 0 or y1 >= ny or x1 >= nx:
        raise AssertionError("a lung is nearer than 20 voxels to an edge")
    crop = np.s_[z[0] : z[-1], y0:y1, x0:x1]
    image = sitk.GetImageFromArray(lungs[crop])
    for radius in CLOSING_RADII_VOXELS:
        image = sitk.BinaryMorphologicalClosing(image, [radius] * 3, sitk.sitkBall, 1.0, True)
    closed = np.zeros_like(lungs)
    closed[crop] = sitk.GetArrayFromImage(image)
    return closed


def main(scan, labels_path, median_path):
    """Label one scan."""
    image = sitk.ReadImage(scan)
    volume = np.maximum(sitk.GetArrayFromImage(image), LOWEST_HU)
    inside = lung_mask(volume) == 1
    labels = np.zeros(volume.shape, np.uint8)
    labels[inside] = published_model().predict(volume[inside].astype(np.float64)[:, None]) + 1
    median = scipy.ndimage.median_filter(labels, MEDIAN_SIZE)
    for path, array in ((labels_path, labels), (median_path, median)):
        out = sitk.GetImageFromArray(array)
        out.CopyInformation(image)
        sitk.WriteImage(out, path, useCompression=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
