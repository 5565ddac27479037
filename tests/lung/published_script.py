"""The published method restated step by step with SciPy, SimpleITK and float64 NumPy: the judge of `fastgmm.lung`."""

import numpy as np
import SimpleITK
from scipy import ndimage


class ScriptStoppedError(Exception):
    """The published script would stop with an assertion here."""


def lung_mask(volume, *, min_component=500_000, margin=20, radii=(30, 20), min_closed=1000, iterations=3):
    """Return the closed lung mask as bool, or raise `ScriptStoppedError`."""
    opened = ndimage.binary_opening(np.maximum(volume, -1000) < -155, iterations=iterations)
    lungs = _islands(opened, min_component)
    if not lungs.any():
        raise ScriptStoppedError("no island")
    crop = tuple(
        slice(where.min() - grow, where.max() + grow)
        for where, grow in zip(np.nonzero(lungs), (0, margin, margin), strict=True)
    )
    # The ends are last indices, and must be inside the image as such.
    if any(cut.start < 0 or cut.stop > length - 1 for cut, length in zip(crop, volume.shape, strict=True)):
        raise ScriptStoppedError("box outside")
    if min(lungs[crop].shape) == 0:
        raise ScriptStoppedError("empty crop")
    image = SimpleITK.GetImageFromArray(lungs[crop].astype(np.uint8))
    for radius in radii:
        image = SimpleITK.BinaryMorphologicalClosing(image, [radius] * 3)
    closed = np.zeros(volume.shape, bool)
    closed[crop] = SimpleITK.GetArrayFromImage(image) == 1
    if closed.sum() <= min_closed:
        raise ScriptStoppedError("too small")
    return closed


def _islands(opened, min_component):
    numbers, n = ndimage.label(opened)
    kept = np.zeros(opened.shape, bool)
    for i in range(n):  # not n + 1: the last one is never looked at
        island = numbers == i
        if i == 0 or island.sum() < min_component:
            continue
        rows, columns = island.any(axis=(0, 2)), island.any(axis=(0, 1))
        if not (rows[0] or rows[-1] or columns[0] or columns[-1]):
            kept |= island
    return kept


def tissue_labels(volume, mask, weights, means, variances):
    """Return 1..5 by the largest posterior, numbered by rising mean, for the voxels of the mask; 0 elsewhere."""
    weights, means, variances = (np.asarray(column, np.float64) for column in (weights, means, variances))
    hu = np.maximum(volume[mask], -1000).astype(np.float64)[:, np.newaxis]
    joint = np.log(weights) - 0.5 * (np.log(2 * np.pi * variances) + (hu - means) ** 2 / variances)
    rank = np.empty(means.size, np.uint8)
    rank[np.argsort(means)] = np.arange(1, means.size + 1)
    labels = np.zeros(volume.shape, np.uint8)
    labels[mask] = rank[joint.argmax(axis=1)]
    return labels


def smoothed(labels):
    """Return the median map."""
    return ndimage.median_filter(labels, 4)


def fit_voxels(volumes, masks):
    """Return the HU that the script fits: every 4th of the scans' lung voxels laid one after another."""
    lungs = [np.maximum(volume, -1000)[mask] for volume, mask in zip(volumes, masks, strict=True)]
    return np.concatenate(lungs)[::4].astype(np.float64)
