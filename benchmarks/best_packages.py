"""The published preset composed of the best packages: SimpleITK, NumPy, cc3d and edt. A rival, as strong as it gets.

Usage: python best_packages.py SCAN OUT_LABELS OUT_MEDIAN

Equal to the published scripts voxel for voxel, like `published_method.py`, but each step by the fastest exact way that
these packages offer: opening on packed bits, components by cc3d, balls by squared distances of two threads, labels by a
table, the median by shifted sums, and everything after the components within the box of the lungs.
"""

import sys

import cc3d
import numpy as np
import SimpleITK as sitk  # noqa: N813
from rivals.components import boxes_cc3d
from rivals.median import SLAB_BYTES, median_numpy
from rivals.morphology import close_edt, open_numpy_packed, unpack

# Upper ends of the published model's classes 1 to 4, in HU.
CLASS_ENDS_HU = (-894, -722, -473, -236)
AIR_BELOW_HU, MARGIN_VOXELS, MIN_COMPONENT_VOXELS = -155, 20, 500_000
CLOSING_RADII_VOXELS, MEDIAN_SIZE = (30, 20), (4, 4, 4)
# SimpleITK's default takes several times as long for files that are hardly smaller.
COMPRESSION_LEVEL = 1


def lungs_in_box(volume):
    """Return the closed lungs and where they lie: the script's crop without its margin, which stays empty."""
    opened = unpack(open_numpy_packed(volume, AIR_BELOW_HU, 3), volume.shape[2])
    labels, n = cc3d.connected_components(opened, connectivity=6, return_N=True)
    found = cc3d.statistics(labels, no_slice_conversion=True)
    boxes = boxes_cc3d(found["bounding_boxes"][1:])
    _, ny, nx = volume.shape
    inside = (boxes[:, 1:3] > 0).all(axis=1) & (boxes[:, 4] < ny) & (boxes[:, 5] < nx)
    kept = np.flatnonzero(inside & (found["voxel_counts"][1:] >= MIN_COMPONENT_VOXELS))
    # The script never looks at the component with the highest number.
    kept = kept[kept != n - 1]
    first, end = boxes[kept, :3].min(axis=0), boxes[kept, 3:].max(axis=0)
    if (first[1:] < MARGIN_VOXELS).any() or end[1] + MARGIN_VOXELS > ny or end[2] + MARGIN_VOXELS > nx:
        raise AssertionError("a lung is nearer than 20 voxels to an edge")
    end[0] -= 1  # the script's crop loses the last slice
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, end, strict=True))
    part = labels[box]
    lungs = part == kept[0] + 1
    for component in kept[1:]:
        lungs |= part == component + 1
    return close_edt(lungs, CLOSING_RADII_VOXELS), box


def label_table():
    """The label of each 16-bit value, by its unsigned index."""
    hu = np.arange(-(1 << 15), 1 << 15)
    return np.roll(np.searchsorted(CLASS_ENDS_HU, hu, side="left").astype(np.uint8) + 1, 1 << 15)


def main(scan, labels_path, median_path):
    """Label one scan."""
    image = sitk.ReadImage(scan)
    volume = sitk.GetArrayViewFromImage(image)
    inside, box = lungs_in_box(volume)
    labels = np.zeros(volume.shape, np.uint8)
    labels[box][inside] = label_table()[volume[box][inside].view(np.uint16)]
    # The median of a box of zeros is 0, so nothing changes farther than the window's reach from the lungs.
    reach = MEDIAN_SIZE[0] // 2
    around = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
    median = np.zeros_like(labels)
    median[around] = median_numpy(labels[around], MEDIAN_SIZE, np.empty_like(labels[around]), SLAB_BYTES)
    for path, array in ((labels_path, labels), (median_path, median)):
        out = sitk.GetImageFromArray(array)
        out.CopyInformation(image)
        sitk.WriteImage(out, path, useCompression=True, compressionLevel=COMPRESSION_LEVEL)


if __name__ == "__main__":
    main(*sys.argv[1:])
