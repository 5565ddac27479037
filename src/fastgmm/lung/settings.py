"""Every number of the method, with its unit and where it comes from.

"script" is the published code (repository pzaffino/COVID19-intensity-labeling); "paper" is Zaffino et al., "An
Open-Source COVID-19 CT Dataset with Automatic Lung Tissue Classification for Radiomics", Bioengineering 8:26 (2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
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
class DefaultMaskSettings:
    """The lung mask of the default preset: sizes in mm and ml, true to the spacing.

    Where no source is named, the number was chosen on the ten real scans described in docs/method.md.

    Attributes
    ----------
    padding_below_hu : int
        Lower values joined to the in-plane border are padding: the scanner's scale ends there.
    opening_mm : float
        Ball of the opening that cuts thin bridges of air.
    min_component_ml : float
        Smaller pieces of air are not lung.
    min_slab_ml_per_mm : float
        A piece at the first or last slice needs only so many ml per mm of its extent in z.
    max_contact : float
        Area on the in-plane border in cm^2 over volume in ml to the power 2/3; air outside the body has more. Measured:
        lungs cut by the field of view up to 0.94, outside air 1.2 and more.
    body_slices : int
        The body is looked at in so many slices, spread evenly.
    min_enclosed_share : float
        Share of a piece of air that has the body in front of it and behind it; the air in a table or under the arms has
        less. A lung cut by the field of view keeps most.
    airway_below_hu : int
        The trachea in a slice is a spot darker than this.
    airway_area_mm2 : tuple of 2 floats
        Its area. A trachea is 10-27 mm wide (Breatnach et al., AJR 142:903, 1984); narrowed and partly filled ones and
        the carina widen the range.
    airway_min_fill, airway_max_aspect : float
        Its area over that of its box, and the ratio of the sides of its box.
    airway_midline_share : float
        How far from the middle of the lungs it may lie, as a share of their width.
    airway_lung_area : float
        Slices with this share of the largest area of air make up the height of the lungs.
    airway_upper_share, airway_above_mm : float
        The trachea is looked for in this upper share of their height and so far above.
    airway_step_mm, airway_chain_mm : float
        How far a spot may lie from that in the slice below, and the least length of a chain of spots.
    airway_thresholds_hu : tuple of 3 ints
        First, end and step of the thresholds at which the airway is grown.
    airway_leak_ml : float
        A larger airway has leaked into the lungs: trachea and bronchi to the segments have 40-80 ml.
    airway_least_radius_mm : float
        Thinner bronchi belong to the lungs: an opening takes them off the airway.
    airway_wall_mm : float
        The airway is widened by its wall.
    core_depths_mm : tuple of floats
        Depths of erosion at which cores are looked for.
    min_core_ml : float
        Smaller cores, and in the end pieces of lung, are left out.
    min_core_share : float
        A depth that leaves less of the air than this is too deep to tell right from left.
    gas_median_below_hu, gas_share_below_hu, gas_share : int, int, float
        Gas of stomach and bowel, bullae and pneumothorax: the median is below the first, and more than this share of
        the voxels below the second number.
    gas_max_lung_below : float
        Such gas is lung if lung lies below this share of it or more.
    gas_margin_mm : float
        Gas that is no lung is widened by this, for the half-filled voxels around it.
    min_second_lung : float
        The smaller lung's cores have this share of the larger's or more.
    min_lateral_share : float
        The middles of the two largest cores lie apart by this share of the width of all.
    max_crossing_share : float
        A core that reaches across the middle of the body by this share on both sides still holds both lungs.
    split_gap_mm : float
        Lungs that no depth separates are split between what lies farther than this from the middle of the body.
    half_filled_hu : int
        Air of this HU or more at the surface of the lungs is filled by them to less than half, midway between lung at
        -850 and tissue at 50 HU; it does not count as lung.
    rim_mm : float
        So deep the surface of the lungs is looked at: the reach of half-filled voxels and of the scanner's blur.
    aerated_below_hu : int
        Only what is that near to darker lung than this is taken for half filled.
    closing_mm : float
        Ball that closes each lung over vessels and dense disease at the pleura.
    max_obliquity_degrees, left_right_ratio, total_litres, max_dense_share : float or tuple of 2 floats
        Beyond these a scan is flagged.
    """

    padding_below_hu: int = -1024
    opening_mm: float = 2.0
    min_component_ml: float = 150.0
    min_slab_ml_per_mm: float = 5.0
    max_contact: float = 1.0
    body_slices: int = 16
    min_enclosed_share: float = 0.25
    airway_below_hu: int = -500
    airway_area_mm2: tuple[float, float] = (60.0, 900.0)
    airway_min_fill: float = 0.5
    airway_max_aspect: float = 2.2
    airway_midline_share: float = 0.18
    airway_lung_area: float = 0.1
    airway_upper_share: float = 0.4
    airway_above_mm: float = 60.0
    airway_step_mm: float = 8.0
    airway_chain_mm: float = 20.0
    airway_thresholds_hu: tuple[int, int, int] = (-975, -499, 25)
    airway_leak_ml: float = 80.0
    airway_least_radius_mm: float = 3.0
    airway_wall_mm: float = 2.0
    core_depths_mm: tuple[float, ...] = (0.0, 3.0, 5.0, 7.0, 10.0, 13.0, 16.0)
    min_core_ml: float = 5.0
    min_core_share: float = 0.1
    gas_median_below_hu: int = -950
    gas_share_below_hu: int = -970
    gas_share: float = 0.5
    gas_max_lung_below: float = 0.2
    gas_margin_mm: float = 2.0
    min_second_lung: float = 0.2
    min_lateral_share: float = 0.25
    max_crossing_share: float = 0.15
    split_gap_mm: float = 10.0
    half_filled_hu: int = -400
    rim_mm: float = 2.0
    aerated_below_hu: int = -600
    closing_mm: float = 20.0
    max_obliquity_degrees: float = 20.0
    left_right_ratio: tuple[float, float] = (0.5, 2.0)
    total_litres: tuple[float, float] = (1.0, 10.0)
    max_dense_share: float = 0.1


@dataclass(frozen=True, kw_only=True)
class LungSettings:
    """What a run of the method uses: the default preset, or `LungSettings.published()`.

    Attributes
    ----------
    preset : str
        Name of the preset the numbers belong to.
    mask : DefaultMaskSettings or PublishedMaskSettings
        How the lungs are found.
    air_below_hu : int
        Voxels below are air.
    label_floor_hu : int
        Lower values count as this in fits and labels.
    median_size_voxels : int, optional
        Edge of the box of the median filter (script median_filter.py: 4). None takes `median_mm` instead, and keeps the
        map to the mask.
    median_mm : float
        Edge of the box in mm; per axis the nearest odd number of voxels, 1..7.
    subsample_every : int
        A fit takes every such voxel of the lungs laid one after another (script gmm_covid_fit.py).
    tol, max_iter, reg_covar : float, int, float
        Convergence of the fit, its largest number of steps, and what is added to variances, in HU^2: scikit-learn's
        defaults, which the script keeps. A smaller tol moves the classes away from tissue; see docs/method.md.
    """

    preset: str = "default"
    mask: DefaultMaskSettings | PublishedMaskSettings = field(default_factory=DefaultMaskSettings)
    air_below_hu: int = AIR_BELOW_HU
    label_floor_hu: int = LABEL_FLOOR_HU
    median_size_voxels: int | None = None
    median_mm: float = 3.0
    subsample_every: int = 4
    tol: float = 1e-3
    max_iter: int = 100
    reg_covar: float = 1e-6

    @classmethod
    def published(cls) -> LungSettings:
        """Return the numbers of the published scripts."""
        return cls(preset="published", mask=PublishedMaskSettings(), median_size_voxels=4)

    @classmethod
    def from_preset(cls, name: str) -> LungSettings:
        """Return the settings of a preset by its name, one of `PRESETS`."""
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
        return cls.published() if name == "published" else cls()

    def median_size(self, spacing_mm: tuple[float, float, float]) -> Shape3:
        """Return the box of the median filter in voxels along (z, y, x)."""
        if self.median_size_voxels is not None:
            return (self.median_size_voxels,) * 3
        z, y, x = (_nearest_odd(self.median_mm / step) for step in spacing_mm)
        return z, y, x

    def radii_voxels(self, spacing_mm: tuple[float, float, float]) -> dict[str, Shape3]:
        """Return the sizes in voxels at this spacing, by step: balls as radii, the median as its box."""
        if isinstance(self.mask, PublishedMaskSettings):
            balls = {f"closing {i}": (r, r, r) for i, r in enumerate(self.mask.closing_radii_voxels, start=1)}
        else:
            sizes_mm = {
                "opening": self.mask.opening_mm,
                "airway wall": self.mask.airway_wall_mm,
                "closing": self.mask.closing_mm,
            }
            balls = {step: radius_voxels(mm, spacing_mm) for step, mm in sizes_mm.items()}
        return {**balls, "median": self.median_size(spacing_mm)}

    def default_mask(self) -> DefaultMaskSettings:
        """Return the numbers of the default preset's mask, or raise where the settings hold another's."""
        if not isinstance(self.mask, DefaultMaskSettings):
            raise TypeError(f"settings.mask must be DefaultMaskSettings for this step, got {type(self.mask).__name__}")
        return self.mask


PRESETS = ("default", "published")
_MAX_MEDIAN_VOXELS = 7


def _nearest_odd(number: float) -> int:
    """Return the odd number in 1..7 nearest to a number; of two, the larger."""
    return min(max(2 * math.floor(number / 2) + 1, 1), _MAX_MEDIAN_VOXELS)


def radius_voxels(mm: float, spacing_mm: tuple[float, float, float]) -> Shape3:
    """Return a length in whole voxels along each axis, halves rounded up, at least 1; 0 stays 0."""
    if mm == 0:
        return 0, 0, 0
    z, y, x = (max(1, math.floor(mm / step + 0.5)) for step in spacing_mm)
    return z, y, x


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
