"""Small made-up chests for the tests of `fastgmm.lung`."""

import numpy as np


def chest(shape=(20, 60, 76), *, seed=0, gap=0, lesions=True):
    """Return int16 HU: tissue with two lungs of noisy air, `gap` voxels nearer to the low x border than they fit."""
    rng = np.random.default_rng(seed)
    z, y, x = (
        np.arange(n, dtype=float).reshape([-1 if a == axis else 1 for a in range(3)]) for axis, n in enumerate(shape)
    )
    volume = rng.normal(30, 25, shape)
    centre_z, centre_y = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    for centre_x in (0.34 * shape[2] - gap, 0.66 * shape[2]):
        inside = ((z - centre_z) / (0.42 * shape[0])) ** 4 + ((y - centre_y) / (0.24 * shape[1])) ** 2
        inside = inside + ((x - centre_x) / (0.11 * shape[2])) ** 2 < 1
        volume[inside] = rng.normal(-850, 90, int(inside.sum()))
    if lesions:
        spots = rng.random(shape) < 0.02
        volume[spots] = rng.normal(-300, 200, int(spots.sum()))
    return np.clip(np.rint(volume), -3024, 3071).astype(np.int16)
