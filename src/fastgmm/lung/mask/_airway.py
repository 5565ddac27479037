"""Step 5 of the default preset: trachea and main bronchi."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fastgmm._arrays import to_host
from fastgmm._packed_mask import WORD_BITS, PackedMask, count_bits_by_slice, words_per_row
from fastgmm._types import AnyArray, BoolArray
from fastgmm.lung.mask._shadow import shadow
from fastgmm.lung.mask._thorax import Thorax, no_voxels
from fastgmm.volume import (
    binary_dilation_ball,
    binary_opening_ball,
    component_table,
    filter_components,
    grow_region,
    threshold_below,
)


def find_airway(thorax: Thorax, lungs: PackedMask) -> PackedMask | None:
    """Return trachea and main bronchi with their wall, None where no trachea is seen."""
    window = _search_window(thorax, lungs)
    spots = _spots(thorax, window)
    table = component_table(spots, **thorax.kernels)
    chain = _longest_chain(table, _is_trachea(table, thorax, window), thorax)
    if not chain.any():
        return None
    trachea = window.paste(filter_components(spots, lambda _: chain, **thorax.kernels), lungs.shape)
    numbers = thorax.numbers
    region, _ = grow_region(
        thorax.volume,
        trachea,
        range(*numbers.airway_thresholds_hu),
        int(numbers.airway_leak_ml / thorax.voxel_ml),
        **thorax.kernels,
    )
    # Bronchi within the lungs are thin and belong to them.
    wide = binary_opening_ball(region, thorax.radius(numbers.airway_least_radius_mm), **thorax.kernels)
    airway: PackedMask = binary_dilation_ball(wide | trachea, thorax.radius(numbers.airway_wall_mm), **thorax.kernels)
    return airway


@dataclass(frozen=True)
class _Window:
    """Slices z0..z1 and whole words of x around the midline; the search takes place in it."""

    z0: int
    z1: int
    w0: int
    w1: int
    middle: float
    half_width: float

    def paste(self, spots: PackedMask, shape: tuple[int, int, int]) -> PackedMask:
        """Return the spots, whose slices lie apart by an empty one, as a mask of the whole volume."""
        mask = no_voxels(shape, spots)
        mask.words[self.z0 : self.z1, :, self.w0 : self.w1] = spots.words[::2]
        return mask


def _search_window(thorax: Thorax, lungs: PackedMask) -> _Window:
    """Return the upper part of the lungs, and some way above them, around the middle of their box."""
    numbers = thorax.numbers
    area = count_bits_by_slice(lungs.words)
    slices = np.flatnonzero(area >= numbers.airway_lung_area * area.max())
    low, high = int(slices[0]), int(slices[-1]) + 1
    z0 = high - max(1, math.ceil(numbers.airway_upper_share * (high - low)))
    z1 = min(lungs.shape[0], high + math.ceil(numbers.airway_above_mm / thorax.spacing_mm[0]))
    columns = _columns(lungs)
    first, last = int(columns[0]), int(columns[-1])
    half = numbers.airway_midline_share * (last - first + 1)
    # A spot at the edge of the search must fit in it whole, to be told from lung that is cut there.
    reach = half + math.sqrt(numbers.airway_area_mm2[1] * numbers.airway_max_aspect) / thorax.spacing_mm[2]
    middle = (first + last) / 2
    w0 = max(0, math.floor(middle - reach)) // WORD_BITS
    w1 = words_per_row(min(lungs.shape[2], math.ceil(middle + reach) + 1))
    return _Window(z0, z1, w0, w1, middle, half)


def _columns(mask: PackedMask) -> AnyArray:
    """Return the x at which the mask has a voxel."""
    union = to_host(shadow(shadow(mask.words, axis=0)[-1:], axis=1)[0, -1])
    return np.flatnonzero(np.unpackbits(union.view(np.uint8), bitorder="little"))


def _spots(thorax: Thorax, window: _Window) -> PackedMask:
    """Return the dark voxels of the window with an empty slice after each, so that components are those of slices."""
    dark = threshold_below(thorax.volume[window.z0 : window.z1], thorax.numbers.airway_below_hu, **thorax.kernels)
    nz, ny, nx = dark.shape
    nx = min(nx, window.w1 * WORD_BITS) - window.w0 * WORD_BITS
    spots = no_voxels((2 * nz, ny, nx), dark)
    spots.words[::2] = dark.words[..., window.w0 : window.w1]
    return spots


def _is_trachea(table: AnyArray, thorax: Thorax, window: _Window) -> BoolArray:
    """Return the spots of the size, the shape and the place of a trachea."""
    numbers = thorax.numbers
    _, dy, dx = thorax.spacing_mm
    high, wide = table["y1"] - table["y0"], table["x1"] - table["x0"]
    area_mm2 = table["n_voxels"] * dy * dx
    aspect = np.maximum(high * dy, wide * dx) / np.minimum(high * dy, wide * dx)
    middle = (table["x0"] + table["x1"] - 1) / 2 + window.w0 * WORD_BITS
    low, most = numbers.airway_area_mm2
    fits: BoolArray = (
        (area_mm2 >= low)
        & (area_mm2 <= most)
        & (table["n_voxels"] >= numbers.airway_min_fill * high * wide)
        & (aspect <= numbers.airway_max_aspect)
        & (np.abs(middle - window.middle) <= window.half_width)
    )
    return fits


def _longest_chain(table: AnyArray, fits: BoolArray, thorax: Thorax) -> BoolArray:
    """Return the spots of the longest chain through neighbouring slices, none if it is too short."""
    dz, dy, dx = thorax.spacing_mm
    reach_mm = max(thorax.numbers.airway_step_mm, dz)
    chains: list[list[int]] = []
    for i in np.flatnonzero(fits).tolist():
        z, y, x = int(table["z0"][i]), _centre(table, i, "y") * dy, _centre(table, i, "x") * dx
        joined = [
            chain
            for chain in chains
            if table["z0"][chain[-1]] == z - 2
            and abs(_centre(table, chain[-1], "y") * dy - y) <= reach_mm
            and abs(_centre(table, chain[-1], "x") * dx - x) <= reach_mm
        ]
        if joined:
            max(joined, key=len).append(i)
        else:
            chains.append([i])
    chosen = np.zeros(table.size, np.bool_)
    longest = max(chains, key=len, default=[])
    if len(longest) * dz >= thorax.numbers.airway_chain_mm:
        chosen[longest] = True
    return chosen


def _centre(table: AnyArray, i: int, axis: str) -> float:
    return float(table[f"{axis}0"][i] + table[f"{axis}1"][i] - 1) / 2
