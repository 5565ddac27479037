"""Counting values and turning them into labels, by other packages."""

import numpy as np
import scipy.ndimage
from published_method import published_model

LOWEST_HU, HIGHEST_HU = -4096, 3071


def count_numpy(volume, mask):
    """NumPy's bincount of what the mask selects, which is a copy that may be changed."""
    values = volume[mask]
    values -= np.int16(LOWEST_HU)
    return np.bincount(values, minlength=HIGHEST_HU - LOWEST_HU + 1)


def count_numpy_unique(volume, mask):
    """NumPy's sort."""
    values, counts = np.unique(volume[mask], return_counts=True)
    return scatter(values, counts)


def count_scipy(volume, mask):
    """SciPy's histogram of a labelled region."""
    n = HIGHEST_HU - LOWEST_HU + 1
    return scipy.ndimage.histogram(volume, LOWEST_HU, HIGHEST_HU + 1, n, mask, 1)


def count_skimage(volume, mask):
    """scikit-image's, which for integers has one bin per value."""
    from skimage.exposure import histogram

    counts, values = histogram(volume[mask])
    return scatter(values, counts)


def scatter(values, counts):
    """Counts by value as an array over the range of the scans here, of which some go below -1024."""
    full = np.zeros(HIGHEST_HU - LOWEST_HU + 1, np.int64)
    full[np.asarray(values, np.int64) - LOWEST_HU] = counts
    return full


def labels_numpy(volume, mask, rolled, out):
    """Look-up in a table of all 16-bit values, `rolled` so that the unsigned value is the index."""
    out[...] = 0
    out[mask] = rolled[volume[mask].view(np.uint16)]
    return out


def labels_numpy_take(volume, mask, rolled, out):
    """The same without selecting: look everything up, then clear what is outside."""
    np.take(rolled, volume.view(np.uint16), out=out, mode="clip")
    np.multiply(out, mask.view(np.uint8), out=out)
    return out


def labels_compare(volume, mask, edges, out):
    """Comparisons with the class borders, added up slice by slice in the cache; slices without the mask are cleared."""
    for values, inside, labels in zip(volume, mask, out, strict=True):
        if not inside.any():
            labels[...] = 0
            continue
        np.greater_equal(values, edges[0], out=labels.view(bool))
        for edge in edges[1:]:
            labels += (values >= edge).view(np.uint8)
        labels += np.uint8(1)
        labels *= inside.view(np.uint8)
    return out


def labels_digitize(volume, mask, edges, out):
    """NumPy's search in the class borders."""
    out[...] = 0
    out[mask] = np.searchsorted(edges, volume[mask], side="right") + 1
    return out


def labels_sklearn(volume, mask, out):
    """scikit-learn's predict, on float64 as the published method has it."""
    out[...] = 0
    values = np.maximum(volume[mask], -1000).astype(np.float64)
    out[mask] = published_model().predict(values[:, None]) + 1
    return out
