"""Small made-up chests on disk, and the published method with sizes that fit them."""

import dataclasses

import numpy as np

from fastgmm.io import Scan, write_scan
from fastgmm.lung import LungSettings
from fastgmm.lung.settings import PublishedMaskSettings

SHAPE = (24, 60, 76)
SPACING_MM = (1.0, 0.8, 0.7)
SMALL = dataclasses.replace(
    LungSettings.published(),
    mask=PublishedMaskSettings(
        min_component_voxels=1500, box_margin_voxels=3, closing_radii_voxels=(4, 2), min_closed_voxels=10
    ),
)


def chest(seed=0, shape=SHAPE):
    """Return int16 HU: soft tissue with two lungs of air, ground glass and vessels, and a bubble above them."""
    rng = np.random.default_rng(seed)
    volume = rng.normal(30, 20, shape)
    z, y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    for middle in (-0.36, 0.36):
        lung = (np.abs(z) < 0.66) & ((y / 0.6) ** 2 + ((x - middle) / 0.26) ** 2 < 1)
        volume[lung] = rng.normal(-870, 60, int(lung.sum()))
        dense = lung & (y > 0.3)
        volume[dense] = rng.normal(-600, 80, int(dense.sum()))
        spots = lung & (rng.random(shape) < 0.02)
        volume[spots] = rng.normal(-250, 150, int(spots.sum()))
    # The published rule never looks at the component with the highest number: let that not be a lung.
    volume[-8:-1, 2:9, 2:9] = -900
    return np.clip(np.rint(volume), -1024, 3071).astype(np.int16)


def write_chest(path, seed=0, shape=SHAPE, volume=None):
    """Write a chest as a scan file, its folder too, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = chest(seed, shape) if volume is None else volume
    write_scan(path, Scan(path=path, volume=volume, spacing_mm=SPACING_MM, origin_lps_mm=(-10.5, 3.25, 7.0)))
    return path
