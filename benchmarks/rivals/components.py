"""Components with sizes and boxes, and the choice among them, by other packages."""

import numpy as np
import scipy.ndimage
import SimpleITK as sitk  # noqa: N813


def keep(labels, sizes, boxes, min_voxels, at_border):
    """Return the mask of the labels that pass; sizes and boxes (first z y x, ends z y x) without the background."""
    _, ny, nx = labels.shape
    chosen = sizes >= min_voxels
    if not at_border:
        chosen &= (boxes[:, 1] > 0) & (boxes[:, 2] > 0) & (boxes[:, 4] < ny) & (boxes[:, 5] < nx)
    return _select(labels, np.flatnonzero(chosen) + 1, len(sizes))


def _select(labels, numbers, n):
    """The mask of the components of these numbers: comparisons where they are few, else a table."""
    if 0 < len(numbers) <= 3:
        mask = labels == numbers[0]
        for number in numbers[1:]:
            mask |= labels == number
        return mask
    table = np.zeros(n + 1, bool)
    table[numbers] = True
    return table[labels]


def keep_cc3d(mask, min_voxels, at_border):
    """cc3d with its statistics."""
    import cc3d

    labels, n = cc3d.connected_components(mask, connectivity=6, return_N=True)
    found = cc3d.statistics(labels, no_slice_conversion=True)
    return keep(
        labels, found["voxel_counts"][1:], boxes_cc3d(found["bounding_boxes"][1 : n + 1]), min_voxels, at_border
    )


def boxes_cc3d(boxes):
    """(z0, z1, y0, y1, x0, x1) with inclusive ends as (z0, y0, x0, z1, y1, x1) with exclusive ones."""
    boxes = np.asarray(boxes).astype(np.int64)
    return np.concatenate([boxes[:, 0::2], boxes[:, 1::2] + 1], axis=1)


def keep_cc3d_dust(mask, min_voxels):
    """cc3d's own removal of small components: no boxes, so for the rule of size alone."""
    import cc3d

    return cc3d.dust(mask, min_voxels, connectivity=6)


def keep_scipy(mask, min_voxels, at_border):
    """SciPy."""
    labels, n = scipy.ndimage.label(mask)
    return _with_boxes(labels, n, min_voxels, at_border)


def keep_skimage(mask, min_voxels, at_border):
    """scikit-image's labels, SciPy's boxes."""
    from skimage.measure import label

    labels, n = label(mask, connectivity=1, return_num=True)
    return _with_boxes(labels, n, min_voxels, at_border)


def _with_boxes(labels, n, min_voxels, at_border):
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    slices = scipy.ndimage.find_objects(labels)
    boxes = np.array([[*(s.start for s in box), *(s.stop for s in box)] for box in slices]).reshape(-1, 6)
    return keep(labels, sizes, boxes, min_voxels, at_border)


def keep_simpleitk(image, min_voxels, at_border):
    """SimpleITK's labels and shape statistics."""
    labelled = sitk.ConnectedComponent(image, False)
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputePerimeterOff()
    shapes.Execute(labelled)
    numbers = shapes.GetLabels()
    sizes = np.array([shapes.GetNumberOfPixels(n) for n in numbers])
    boxes = np.array([shapes.GetBoundingBox(n) for n in numbers]).reshape(-1, 6)
    first, size = boxes[:, 2::-1], boxes[:, :2:-1]
    return keep(
        sitk.GetArrayViewFromImage(labelled),
        sizes,
        np.concatenate([first, first + size], axis=1),
        min_voxels,
        at_border,
    )
