"""Opening and closing on the compiled kernels."""

from __future__ import annotations

from fastgmm import _core
from fastgmm._packed_mask import PackedMask
from fastgmm._types import Shape3


def binary_opening(mask: PackedMask, iterations: int, n_jobs: int) -> PackedMask:
    """Take all steps in one pass over the slices."""
    out = PackedMask.empty(mask.shape)
    _core.binary_opening(mask.words, out.words, nx=mask.shape[2], iterations=iterations, n_jobs=n_jobs)
    return out


def binary_opening_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Erode and dilate within the mask's box."""
    out = PackedMask.empty(mask.shape)
    _core.binary_opening_ball(mask.words, out.words, nx=mask.shape[2], radius=radius, n_jobs=n_jobs)
    return out


def binary_closing_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate into the mask's box grown by the ball, and erode within the box."""
    out = PackedMask.empty(mask.shape)
    _core.binary_closing_ball(mask.words, out.words, nx=mask.shape[2], radius=radius, n_jobs=n_jobs)
    return out


def binary_erosion_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Erode within the mask's box."""
    out = PackedMask.empty(mask.shape)
    _core.binary_erosion_ball(mask.words, out.words, nx=mask.shape[2], radius=radius, n_jobs=n_jobs)
    return out


def binary_dilation_ball(mask: PackedMask, radius: Shape3, n_jobs: int) -> PackedMask:
    """Dilate into the mask's box grown by the ball."""
    out = PackedMask.empty(mask.shape)
    _core.binary_dilation_ball(mask.words, out.words, nx=mask.shape[2], radius=radius, n_jobs=n_jobs)
    return out
