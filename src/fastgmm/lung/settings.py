"""Every number of the method, with its unit and where it comes from.

"script" is the published code (repository pzaffino/COVID19-intensity-labeling); "paper" is Zaffino et al., "An
Open-Source COVID-19 CT Dataset with Automatic Lung Tissue Classification for Radiomics", Bioengineering 8:26 (2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastgmm._types import Shape3

# Air and tissue are told apart below this: script lungs_processing.py, threshold_image.
AIR_BELOW_HU = -155
# Lower values are taken as this before fitting and labelling: script lungs_processing.py, read_image. Without it,
# padding of -2048 or -3024 would be given to the widest class, "other".
LABEL_FLOOR_HU = -1000
# Tissue classes: paper, section 2.2.
N_CLASSES = 5
# Densitometry: lowest value of the Hounsfield scale as scanners store it; lower ones are padding or ringing.
DENSITY_FLOOR_HU = -1024
# LAA-950, the share of aerated lung strictly below: Gevenois et al., Am J Respir Crit Care Med 154:187 (1996).
LOW_ATTENUATION_BELOW_HU = -950
# Perc15, the 15th percentile of aerated lung: Parr et al., Respir Res 9:21 (2008).
PERCENTILE = 15
# A fitted mixture earns tissue names only if its classes rise over this range and each is at least this wide. The range
# is that of lung tissue, vessels and soft tissue; a narrower class is a spike of the histogram (clamping, padding).
GUARD_RANGE_HU = (-1000, 200)
GUARD_MIN_STANDARD_DEVIATION_HU = 5.0
# From about this many scans on, the paper found its mixture stable (paper, section 3).
STABLE_FROM_N_SCANS = 20


@dataclass(frozen=True, kw_only=True)
class PublishedMaskSettings:
    """The lung mask of the published scripts: sizes in voxels, whatever the spacing.

    Attributes
    ----------
    opening_iterations : int
        Erosions, then dilations, with the 6-neighbour cross (threshold_image).
    min_component_voxels : int
        Smaller components are not lung (extract_only_lungs_islands).
    box_margin_voxels : int
        How far the box around the lungs is grown in y and x; it must stay inside the image (bbox).
    closing_radii_voxels : tuple of ints
        Balls of the closings, one after another (close_lungs_mask).
    min_closed_voxels : int
        The closed mask must have more voxels than this (close_lungs_mask).
    slice_spacing_mm : tuple of 2 floats
        Slice distances the sizes in voxels were made for (those of the paper's scans); others give a warning.
    """

    opening_iterations: int = 3
    min_component_voxels: int = 500_000
    box_margin_voxels: int = 20
    closing_radii_voxels: tuple[int, ...] = (30, 20)
    min_closed_voxels: int = 1000
    slice_spacing_mm: tuple[float, float] = (0.3, 1.0)


@dataclass(frozen=True, kw_only=True)
class LungSettings:
    """What a run of the method uses; make one with `LungSettings.published()`.

    Attributes
    ----------
    preset : str
        Name of the preset the numbers belong to.
    mask : PublishedMaskSettings
        How the lungs are found.
    air_below_hu : int
        Voxels below are air.
    label_floor_hu : int
        Lower values count as this in fits and labels.
    median_size_voxels : int
        Edge of the box of the median filter (script median_filter.py).
    subsample_every : int
        A fit takes every such voxel of the lungs laid one after another (script gmm_covid_fit.py).
    tol, max_iter, reg_covar : float, int, float
        Convergence of the fit, its largest number of steps, and what is added to variances, in HU^2: scikit-learn's
        defaults, which the script keeps. A smaller tol moves the classes away from tissue; see docs/method.md.
    """

    preset: str
    mask: PublishedMaskSettings
    air_below_hu: int = AIR_BELOW_HU
    label_floor_hu: int = LABEL_FLOOR_HU
    median_size_voxels: int = 4
    subsample_every: int = 4
    tol: float = 1e-3
    max_iter: int = 100
    reg_covar: float = 1e-6

    @classmethod
    def published(cls) -> LungSettings:
        """Return the numbers of the published scripts."""
        return cls(preset="published", mask=PublishedMaskSettings())

    @classmethod
    def from_preset(cls, name: str) -> LungSettings:
        """Return the settings of a preset by its name, one of `PRESETS`."""
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
        return cls.published()

    def median_size(self) -> Shape3:
        """Return the box of the median filter in voxels along (z, y, x)."""
        return (self.median_size_voxels,) * 3


PRESETS = ("published",)


def check_spacing(spacing_mm: Any) -> tuple[float, float, float]:
    """Return the spacing as three positive floats (z, y, x) in mm."""
    wanted = "spacing_mm must be three positive numbers (z, y, x) in mm"
    if not isinstance(spacing_mm, Sequence) and not hasattr(spacing_mm, "tolist"):
        raise TypeError(f"{wanted}, got {spacing_mm!r}")
    try:
        steps = [float(step) for step in spacing_mm]
    except (TypeError, ValueError):
        raise TypeError(f"{wanted}, got {spacing_mm!r}") from None
    if len(steps) != 3 or not all(math.isfinite(step) and step > 0 for step in steps):
        raise ValueError(f"{wanted}, got {spacing_mm!r}")
    return steps[0], steps[1], steps[2]
