"""Stages of the default preset by other packages: balls in mm, holes, growth within a mask."""

import numpy as np
import scipy.ndimage
import SimpleITK as sitk  # noqa: N813
from harness.memory import N_THREADS

from rivals.morphology import CROSS

# Sums of (d / (r + 1/2))^2 that are not 1 differ from it by more than float32 errs.
_JUST_ABOVE_1 = 1.00001


def _steps(radius):
    """The spacing at which the ball of these radii has radius 1."""
    return tuple(1 / (r + 0.5) for r in radius)


def _squares_edt(mask, radius, black_border=False):
    """The squared distance to the nearest unset voxel in units of the ball, by edt."""
    import edt

    return edt.edtsq(mask, anisotropy=_steps(radius), black_border=black_border, parallel=N_THREADS)


def _inner(radius):
    return tuple(slice(r, -r or None) for r in radius)


def erode(mask, radius):
    """Erosion; outside is unset, which is edt's black border."""
    return _squares_edt(mask, radius, black_border=True) > _JUST_ABOVE_1


def open_ball(mask, radius):
    """Opening; outside is unset."""
    return _squares_edt(~erode(mask, radius), radius) <= _JUST_ABOVE_1


def close_ball(mask, radius):
    """Closing with an empty margin, which the dilation needs to reach into."""
    far = np.pad(~mask, [(r, r) for r in radius], constant_values=True)
    return erode(_squares_edt(far, radius) <= _JUST_ABOVE_1, radius)[_inner(radius)]


def _distances_scipy(mask, radius):
    return scipy.ndimage.distance_transform_edt(mask, sampling=_steps(radius))


def _padded(mask, radius):
    margin = [(r + 1, r + 1) for r in radius]
    return np.pad(mask, margin), tuple(slice(r + 1, -r - 1) for r in radius)


def erode_scipy(mask, radius):
    """With SciPy's transform, which needs the border outside to be there."""
    return (_distances_scipy(np.pad(mask, 1), radius) > _JUST_ABOVE_1)[1:-1, 1:-1, 1:-1]


def open_scipy(mask, radius):
    """With SciPy's transform."""
    return _distances_scipy(~erode_scipy(mask, radius), radius) <= _JUST_ABOVE_1


def close_scipy(mask, radius):
    """With SciPy's transform."""
    padded, inner = _padded(mask, radius)
    dilated = _distances_scipy(~padded, radius) <= _JUST_ABOVE_1
    return (_distances_scipy(dilated, radius) > _JUST_ABOVE_1)[inner]


def close_skimage(mask, radius):
    """scikit-image's closing by distances, with a margin."""
    from skimage.morphology import isotropic_closing

    padded, inner = _padded(mask, radius)
    return isotropic_closing(padded, _JUST_ABOVE_1, spacing=_steps(radius))[inner]


def open_skimage(mask, radius):
    """scikit-image's opening by distances, with a margin."""
    from skimage.morphology import isotropic_opening

    padded, inner = _padded(mask, radius)
    return isotropic_opening(padded, _JUST_ABOVE_1, spacing=_steps(radius))[inner]


def erode_skimage(mask, radius):
    """scikit-image's erosion by distances, with a margin."""
    from skimage.morphology import isotropic_erosion

    padded, inner = _padded(mask, radius)
    return isotropic_erosion(padded, _JUST_ABOVE_1, spacing=_steps(radius))[inner]


def erode_simpleitk(image, radius):
    """SimpleITK; outside is unset."""
    return sitk.BinaryErode(image, list(radius[::-1]), sitk.sitkBall, 0, 1, False)


def open_simpleitk(image, radius):
    """SimpleITK's two steps; its own opening takes the outside for set."""
    return sitk.BinaryDilate(erode_simpleitk(image, radius), list(radius[::-1]), sitk.sitkBall, 0, 1, False)


def close_simpleitk(image, radius):
    """SimpleITK's closing with its safe border."""
    return sitk.BinaryMorphologicalClosing(image, list(radius[::-1]), sitk.sitkBall, 1.0, True)


def fill_scipy(mask):
    """SciPy's floods from the border."""
    return scipy.ndimage.binary_fill_holes(mask)


def fill_voids(mask):
    """fill_voids."""
    import fill_voids

    return fill_voids.fill(mask)


def fill_simpleitk(image):
    """SimpleITK."""
    return sitk.BinaryFillhole(image, False, 1)


def fill_cc3d(mask):
    """cc3d's components of the background: those off the border are holes."""
    import cc3d

    labels = cc3d.connected_components(np.pad(~mask, 1, constant_values=True), connectivity=6)
    return (labels != labels[0, 0, 0])[1:-1, 1:-1, 1:-1]


def reach_scipy(mask, seeds):
    """What seeds reach within a mask, by SciPy."""
    return scipy.ndimage.binary_propagation(seeds, CROSS, mask)


def reach_skimage(mask, seeds):
    """The same by scikit-image's labels; its grey reconstruction takes minutes."""
    from skimage.measure import label

    labels, n = label(mask, connectivity=1, return_num=True)
    return _with_seed(labels, n, seeds)


def reach_simpleitk(mask, seeds):
    """The same by SimpleITK's reconstruction of bits."""
    return sitk.BinaryReconstructionByDilation(seeds, mask, 0, 1, False)


def reach_cc3d(mask, seeds):
    """The same by components: those that hold a seed."""
    import cc3d

    labels, n = cc3d.connected_components(mask, connectivity=6, return_N=True)
    return _with_seed(labels, n, seeds)


def _with_seed(labels, n, seeds):
    chosen = np.zeros(n + 1, bool)
    chosen[labels[seeds]] = True
    chosen[0] = False
    return chosen[labels]


def grow(volume, seeds, thresholds, max_voxels, reach):
    """The region of the last threshold before a leak, each threshold by what the seeds reach below it."""
    best = np.zeros(volume.shape, bool)
    for threshold in thresholds:
        below = volume < threshold
        region = reach(below, seeds & below)
        if np.count_nonzero(region) > max_voxels:
            break
        best = region
    return best


def separate_scipy(mask, least):
    """A mask for each large component, by SciPy."""
    return _parts(*scipy.ndimage.label(mask), least)


def separate_skimage(mask, least):
    """The same by scikit-image."""
    from skimage.measure import label

    return _parts(*label(mask, connectivity=1, return_num=True), least)


def separate_cc3d(mask, least):
    """The same by cc3d, whose numbers need not follow the order of the voxels."""
    import cc3d

    labels, n = cc3d.connected_components(mask, connectivity=6, return_N=True)
    counts = cc3d.statistics(labels)["voxel_counts"]
    chosen = np.flatnonzero(counts[1:] >= least) + 1
    found = [labels == number for number in chosen[:n]]
    return sorted(found, key=lambda part: int(part.ravel().argmax()))


def _parts(labels, n, least):
    counts = np.bincount(labels.ravel(), minlength=n + 1)
    return [labels == number for number in range(1, n + 1) if counts[number] >= least]


def number_numpy(masks, out):
    """i + 1 under masks that do not overlap, by NumPy in place."""
    np.copyto(out, masks[0].view(np.uint8))
    for number, mask in enumerate(masks[1:], 2):
        np.putmask(out, mask, np.uint8(number))
    return out


def keep_within(smoothed, labels):
    """0 where the labels are, the label itself where the median is 0; by NumPy."""
    return np.where(labels == 0, np.uint8(0), np.where(smoothed == 0, labels, smoothed))


def keep_image_within(image, labels):
    """The same for an image, which its view does not keep alive."""
    return keep_within(sitk.GetArrayViewFromImage(image), labels)


def grow_simpleitk(image, seeds, thresholds, max_voxels):
    """The largest region below rising thresholds that does not leak, by SimpleITK; seeds as (x, y, z)."""
    kept = None
    for threshold in thresholds:
        region = sitk.ConnectedThreshold(image, seeds, -32768, threshold - 1)
        if np.count_nonzero(sitk.GetArrayViewFromImage(region)) > max_voxels:
            break
        kept = region
    return np.zeros(image.GetSize()[::-1], bool) if kept is None else sitk.GetArrayFromImage(kept).astype(bool)
