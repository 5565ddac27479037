"""The median of labels by other packages."""

import numpy as np
import scipy.ndimage
import SimpleITK as sitk  # noqa: N813

# Slabs of this size stay in the second-level cache through all sums.
SLAB_BYTES = 1 << 19


def median_scipy(labels, size, out):
    """SciPy's function for it."""
    return scipy.ndimage.median_filter(labels, size, output=out)


def median_simpleitk(image, size):
    """SimpleITK's, for odd sizes; its border repeats the last voxel, as "reflect" does for size 3."""
    return sitk.Median(image, [s // 2 for s in size[::-1]])


def median_skimage(labels, size):
    """scikit-image's, for odd sizes."""
    from skimage.filters import median

    return median(labels, np.ones(size, bool), mode="reflect", behavior="ndimage")


def median_numpy(labels, size, out, slab_bytes=None):
    """Shifted sums: the median is the number of labels k that at least half of the box reaches.

    Labels count up to a few. As a whole, or by slabs that stay in the cache.
    """
    nz, ny, nx = labels.shape
    n_box = size[0] * size[1] * size[2]
    # Sorted from 0, entry n // 2 is k or more if at most n // 2 entries are less than k.
    needed = n_box - n_box // 2
    before = [s // 2 for s in size]
    padded = np.pad(labels, [(b, s - 1 - b) for b, s in zip(before, size, strict=True)], mode="symmetric")
    step = nz if slab_bytes is None else max(size[0], slab_bytes // (ny * nx))
    highest = int(labels.max())
    for z in range(0, nz, step):
        slab = padded[z : min(nz, z + step) + size[0] - 1]
        part = out[z : z + step]
        part[...] = 0
        for k in range(1, highest + 1):
            counts = (slab >= k).view(np.uint8)
            for axis in range(3):
                counts = _window_sums(counts, size[axis], axis)
            part += counts >= needed
    return out


def _window_sums(counts, size, axis):
    """Sums of `size` neighbours along an axis, by doubling."""
    total, width, done = None, 1, 0
    n_out = counts.shape[axis] - size + 1
    while size >> done:
        if size >> done & 1:
            offset = size & ((1 << done) - 1)
            piece = _cut(counts, axis, offset, n_out)
            total = piece if total is None else total + piece
        done += 1
        if size >> done:
            n = counts.shape[axis] - width
            counts = _cut(counts, axis, 0, n) + _cut(counts, axis, width, n)
            width *= 2
    return total


def _cut(array, axis, start, length):
    return array[tuple(slice(start, start + length) if i == axis else slice(None) for i in range(array.ndim))]
