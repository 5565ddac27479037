"""Opening with the cross and closing with balls, by other packages."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from harness.memory import N_THREADS

# The voxel and its six neighbours, as scipy.ndimage.generate_binary_structure(3, 1).
CROSS = np.abs(np.indices((3, 3, 3)) - 1).sum(axis=0) <= 1
_WORD_BITS = 64


def open_scipy(volume, limit, iterations, out):
    """SciPy's function for it."""
    import scipy.ndimage

    return scipy.ndimage.binary_opening(volume < limit, CROSS, iterations, output=out)


def open_simpleitk(image, limit, iterations):
    """SimpleITK: the cross has no iterations, so the filters are called again and again."""
    mask = image < limit
    for _ in range(iterations):
        mask = sitk.BinaryErode(mask, [1, 1, 1], sitk.sitkCross, 0, 1, False)
    for _ in range(iterations):
        mask = sitk.BinaryDilate(mask, [1, 1, 1], sitk.sitkCross, 0, 1, False)
    return mask


def open_skimage(volume, limit, iterations):
    """scikit-image, with the footprint as a sequence of crosses."""
    from skimage import morphology

    footprint = ((CROSS, iterations),)
    eroded = morphology.erosion(volume < limit, footprint, mode="min")
    return morphology.dilation(eroded, footprint, mode="min")


def open_numpy(volume, limit, iterations, buffers):
    """Shifted "and" and "or" of bool arrays; `buffers` are two bool arrays of the volume's shape."""
    mask, other = buffers
    np.less(volume, limit, out=mask)
    for _ in range(iterations):
        _erode(mask, other)
        mask, other = other, mask
    for _ in range(iterations):
        _dilate(mask, other)
        mask, other = other, mask
    return mask


def _erode(mask, out):
    np.copyto(out, mask)
    for axis in range(3):
        low, high = _halves(axis)
        out[low] &= mask[high]
        out[high] &= mask[low]
        out[_at(axis, 0)] = False
        out[_at(axis, -1)] = False


def _dilate(mask, out):
    np.copyto(out, mask)
    for axis in range(3):
        low, high = _halves(axis)
        out[low] |= mask[high]
        out[high] |= mask[low]


def _halves(axis):
    """Slices of all but the last and of all but the first plane."""
    return tuple(
        tuple(part if i == axis else slice(None) for i in range(3)) for part in (slice(None, -1), slice(1, None))
    )


def _at(axis, index):
    return tuple(index if i == axis else slice(None) for i in range(3))


def open_numpy_packed(volume, limit, iterations):
    """The same on bits packed into 64-bit words, by slabs that stay in the cache: what an expert might write."""
    nx = volume.shape[2]
    words = pack(volume < limit)
    last = np.uint64((1 << (nx % _WORD_BITS or _WORD_BITS)) - 1)
    out = np.empty_like(words)
    step = max(4 * iterations, (1 << 18) // max(1, words[0].nbytes))
    for z in range(0, words.shape[0], step):
        # Outside the volume is 0, so the slab is cut at its ends and takes its neighbours along elsewhere.
        low, high = max(0, z - 2 * iterations), min(words.shape[0], z + step + 2 * iterations)
        slab = words[low:high].copy()
        for _ in range(iterations):
            slab = _spread_packed(slab, np.bitwise_and, last)
        for _ in range(iterations):
            slab = _spread_packed(slab, np.bitwise_or, last)
        out[z : z + step] = slab[z - low : z - low + step]
    return out


def _spread_packed(slab, combine, last):
    """The cross of one step; a slab's own ends are wrong inside the volume, but lie beyond what is kept."""
    padded = np.zeros((slab.shape[0] + 2, slab.shape[1] + 2, slab.shape[2]), np.uint64)
    padded[1:-1, 1:-1] = slab
    out = slab.copy()
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        combine(out, neighbour, out=out)
    right, left = slab << np.uint64(1), slab >> np.uint64(1)
    right[..., 1:] |= slab[..., :-1] >> np.uint64(63)
    left[..., :-1] |= slab[..., 1:] << np.uint64(63)
    combine(out, right, out=out)
    combine(out, left, out=out)
    out[..., -1] &= last
    return out


def pack(mask):
    """A bool array as words along x, lowest bit first."""
    nx = mask.shape[2]
    n_bytes = -(-nx // _WORD_BITS) * 8
    packed = np.packbits(mask, axis=-1, bitorder="little")
    if packed.shape[2] < n_bytes:
        packed = np.pad(packed, ((0, 0), (0, 0), (0, n_bytes - packed.shape[2])))
    return packed.view(np.uint64)


def unpack(words, nx):
    """Words along x as a bool array."""
    return np.unpackbits(words.view(np.uint8), axis=-1, count=nx, bitorder="little").view(bool)


def squared_radius(radius):
    """The largest squared distance within a ball of SimpleITK: sum of (d / (r + 1/2))^2 <= 1, so d^2 <= r^2 + r."""
    return radius * radius + radius


def close_edt(mask, radii):
    """Two thresholded squared distance transforms for each ball, by edt."""
    import edt

    for radius in radii:
        # The ball reaches `radius` beyond the mask; what is farther out is unset, as a black border has it.
        far = np.pad(~mask, radius, constant_values=True)
        limit = squared_radius(radius)
        dilated = edt.edtsq(far, parallel=N_THREADS) <= limit
        closed = edt.edtsq(dilated, black_border=True, parallel=N_THREADS) > limit
        mask = closed[(slice(radius, -radius),) * 3]
    return mask


def close_scipy(mask, radii):
    """The same with SciPy's transform."""
    import scipy.ndimage

    for radius in radii:
        padded = np.pad(mask, radius + 1)
        limit = np.sqrt(squared_radius(radius))
        dilated = scipy.ndimage.distance_transform_edt(~padded) <= limit
        mask = (scipy.ndimage.distance_transform_edt(dilated) > limit)[(slice(radius + 1, -radius - 1),) * 3]
    return mask


def close_skimage(mask, radii):
    """scikit-image's closing by distances; it has no safe border, so it gets one."""
    from skimage.morphology import isotropic_closing

    for radius in radii:
        closed = isotropic_closing(np.pad(mask, radius + 1), np.sqrt(squared_radius(radius)))
        mask = closed[(slice(radius + 1, -radius - 1),) * 3]
    return mask


def close_simpleitk(image, radii):
    """SimpleITK's own closing, as the published scripts call it."""
    for radius in radii:
        image = sitk.BinaryMorphologicalClosing(image, [radius] * 3, sitk.sitkBall, 1.0, True)
    return image


def close_simpleitk_distance(image, radii):
    """SimpleITK's distance map (of several threads), thresholded twice for each ball."""
    for radius in radii:
        padded = sitk.ConstantPad(image, [radius + 1] * 3, [radius + 1] * 3, 0)
        limit = float(squared_radius(radius))
        dilated = sitk.SignedMaurerDistanceMap(padded, False, True, False) <= limit
        closed = sitk.SignedMaurerDistanceMap(dilated == 0, False, True, False) > limit
        image = sitk.Crop(closed, [radius + 1] * 3, [radius + 1] * 3)
    return image
