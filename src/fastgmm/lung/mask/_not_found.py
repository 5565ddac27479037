"""What a `LungNotFoundError` says: the largest pieces of air and the rule that dropped each."""

from __future__ import annotations

import math

import numpy as np

from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray
from fastgmm.errors import LungNotFoundError

_N_LISTED = 5


def describe_components(
    table: AnyArray, dropped_by: list[tuple[str, BoolArray]], spacing_mm: tuple[float, float, float]
) -> list[str]:
    """Return one phrase for each of the largest components: its size and the first rule that dropped it."""
    voxel_ml = math.prod(spacing_mm) / 1000
    phrases = []
    for i in np.argsort(-table["n_voxels"], kind="stable")[:_N_LISTED]:
        n_voxels = int(table["n_voxels"][i])
        rule = next(name for name, dropped in dropped_by if dropped[i])
        phrases.append(f"{n_voxels} voxels ({n_voxels * voxel_ml:.1f} ml) {rule}")
    return phrases


def not_found(phrases: list[str]) -> LungNotFoundError:
    """Return the error for components that all broke a rule."""
    return LungNotFoundError(
        f"no lungs found; largest pieces of air: {'; '.join(phrases)}. Is it a chest CT in HU with both lungs inside?"
    )


def too_small_for(air: PackedMask, air_below_hu: int, iterations: int) -> LungNotFoundError:
    """Return the error for air of which an opening leaves nothing."""
    n_air = air.count()
    if n_air == 0:
        return LungNotFoundError(
            f"no lungs found: no voxel is below {air_below_hu} HU. Is it a chest CT in HU with both lungs inside?"
        )
    least = 2 * iterations + 1
    thin = min(air.shape) < least
    why = f": the volume has shape {air.shape}, at least {least} voxels along each axis are needed" if thin else ""
    return LungNotFoundError(
        f"no lungs found: nothing of the {n_air} voxels below {air_below_hu} HU is left by the opening of {iterations} "
        f"voxels{why}. Give a whole-thorax scan"
    )
