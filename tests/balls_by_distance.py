"""Balls of any size by SciPy's distance transform.

With spacing 1 / (r + 1/2) a ball holds the voxels at distances up to 1. None lies at exactly 1 (`csrc/shared/ball.h`),
and the nearest ones are further from it than rounding is, for radii up to 64.
"""

import numpy as np
from scipy import ndimage


def dilated(mask, radius):
    spacing = [1 / (r + 0.5) for r in radius]
    return ndimage.distance_transform_edt(~mask, sampling=spacing) <= 1 if mask.any() else mask.copy()


def eroded(mask, radius):
    """What is outside is not set."""
    return ~dilated(~np.pad(mask, 1), radius)[1:-1, 1:-1, 1:-1]


def opened(mask, radius):
    return dilated(eroded(mask, radius), radius)


def closed(mask, radius):
    """In a margin as wide as the ball, whose outside is set for the erosion: no ball reaches further."""
    within_reach = dilated(np.pad(mask, [(r, r) for r in radius]), radius)
    inner = tuple(slice(r, r + n) for r, n in zip(radius, mask.shape, strict=True))
    return ~dilated(~within_reach, radius)[inner]
