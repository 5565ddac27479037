"""Steps 2 to 4 of the default preset: air inside the body that may be lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastgmm._histogram import Histogram
from fastgmm._packed_mask import PackedMask
from fastgmm._types import AnyArray, BoolArray
from fastgmm.errors import LungNotFoundError
from fastgmm.lung.mask._body import Body
from fastgmm.lung.mask._thorax import Thorax, n_common, no_voxels
from fastgmm.volume import (
    binary_dilation_ball,
    binary_opening_ball,
    filter_components,
    histogram,
    separate_components,
)

_N_LISTED = 5


@dataclass(frozen=True)
class Candidate:
    """A component of the opened air: its mask, its record of the component table, the rule that drops it."""

    mask: PackedMask
    record: AnyArray
    contact: float
    dropped_by: str


@dataclass(frozen=True)
class Candidates:
    """The air that may be lung."""

    kept: list[Candidate]
    dropped: list[Candidate]

    @property
    def mask(self) -> PackedMask:
        """The pieces kept, together."""
        union = no_voxels(self.kept[0].mask.shape, self.kept[0].mask)
        for piece in self.kept:
            np.bitwise_or(union.words, piece.mask.words, out=union.words)
        return union

    @property
    def table(self) -> AnyArray:
        """The records of the pieces kept."""
        return np.array([piece.record for piece in self.kept])

    @property
    def touch_border(self) -> bool:
        """Whether a piece that was kept touches the border of what the scanner saw."""
        return any(piece.contact > 0 for piece in self.kept)


def find_candidates(thorax: Thorax) -> Candidates:
    """Return the pieces of air that are large enough and inside the body, or raise `LungNotFoundError`."""
    padding = _padding(thorax)
    air = thorax.below(thorax.air_below_hu)
    if padding is not None:
        air = air - padding
    opened = binary_opening_ball(air, thorax.radius(thorax.numbers.opening_mm), **thorax.kernels)
    table: list[AnyArray] = []

    def large(found: AnyArray) -> BoolArray:
        chosen = _is_large(found, thorax) | _is_listed(found)
        table.append(found[chosen])
        return chosen

    masks = separate_components(opened, large, **thorax.kernels)
    rim = None if padding is None else binary_dilation_ball(padding, (0, 1, 1), **thorax.kernels)
    body = Body(thorax, table[0]) if table[0].size else None
    pieces = [_judge(mask, record, rim, body, thorax) for mask, record in zip(masks, table[0], strict=True)]
    kept = [piece for piece in pieces if not piece.dropped_by]
    found = Candidates(kept, [piece for piece in pieces if piece.dropped_by])
    if not kept:
        raise refusal(found, thorax)
    return found


def refusal(found: Candidates, thorax: Thorax, rule_for_kept: str = "") -> LungNotFoundError:
    """Return the error that lists the largest pieces with the rule that dropped each."""
    pieces = sorted([*found.kept, *found.dropped], key=lambda piece: -int(piece.record["n_voxels"]))
    if not pieces:
        return LungNotFoundError(
            f"no lungs found: no air below {thorax.air_below_hu} HU is left in the volume of shape "
            f"{thorax.volume.shape} (superior, posterior, left) by the opening of {thorax.numbers.opening_mm:g} mm, "
            f"that is {thorax.radius(thorax.numbers.opening_mm)} voxels. Give a whole-thorax scan in HU"
        )
    phrases = [
        f"{int(piece.record['n_voxels']) * thorax.voxel_ml:.1f} ml at {_median_hu(piece.mask, thorax)} HU "
        f"{piece.dropped_by or rule_for_kept}"
        for piece in pieces[:_N_LISTED]
    ]
    return LungNotFoundError(
        f"no lungs found; largest pieces of air: {'; '.join(phrases)}. Is it a chest CT in HU? A lung mask made "
        "elsewhere can be given with --lungs"
    )


def _padding(thorax: Thorax) -> PackedMask | None:
    """Return values below the Hounsfield scale that reach the in-plane border, None without any."""
    below = thorax.below(thorax.numbers.padding_below_hu)
    if not below.words.any():
        return None
    padding: PackedMask = filter_components(below, _touches_in_plane, **thorax.kernels)
    return padding


def _touches_in_plane(table: AnyArray) -> BoolArray:
    touching: BoolArray = (table["c_y0"] + table["c_y1"] + table["c_x0"] + table["c_x1"]) > 0
    return touching


def _is_large(table: AnyArray, thorax: Thorax) -> BoolArray:
    ml = table["n_voxels"] * thorax.voxel_ml
    extent_mm = (table["z1"] - table["z0"]) * thorax.spacing_mm[0]
    at_end = (table["c_z0"] > 0) | (table["c_z1"] > 0)
    numbers = thorax.numbers
    large: BoolArray = (ml >= numbers.min_component_ml) | (at_end & (ml >= numbers.min_slab_ml_per_mm * extent_mm))
    return large


def _is_listed(table: AnyArray) -> BoolArray:
    """Return the pieces that an error would list."""
    listed = np.zeros(table.size, np.bool_)
    listed[np.argsort(-table["n_voxels"], kind="stable")[:_N_LISTED]] = True
    return listed


def _judge(mask: PackedMask, record: AnyArray, rim: PackedMask | None, body: Body | None, thorax: Thorax) -> Candidate:
    """Return the piece with the rule that drops it, if any."""
    dz, dy, dx = thorax.spacing_mm
    contact_mm2 = float(record["c_y0"] + record["c_y1"]) * dz * dx + float(record["c_x0"] + record["c_x1"]) * dz * dy
    if rim is not None:
        contact_mm2 += n_common(mask, rim) * dz * (dy * dx) ** 0.5
    contact = contact_mm2 / 100 / (float(record["n_voxels"]) * thorax.voxel_ml) ** (2 / 3)
    if contact > thorax.numbers.max_contact:
        rule = f"lies along the border (contact {contact:.1f}, at most {thorax.numbers.max_contact:g})"
    elif not _is_large(record.reshape(1), thorax)[0]:
        rule = f"smaller than {thorax.numbers.min_component_ml:g} ml"
    elif body is not None and body.enclosed_share(mask) < thorax.numbers.min_enclosed_share:
        rule = "lies before or behind the body"
    else:
        rule = ""
    return Candidate(mask, record, contact, rule)


def _median_hu(mask: PackedMask, thorax: Thorax) -> int:
    counted = histogram(thorax.volume, mask, **thorax.kernels)
    assert isinstance(counted, Histogram)
    half = np.searchsorted(np.cumsum(counted.counts), (counted.n + 1) // 2)
    return int(counted.values[half])
