"""The volume that all sections share: a synthetic thorax, drawn out to any size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fastgmm.lung.phantom import thorax_phantom

_LARGEST_PHANTOM = 128


@lru_cache(maxsize=1)
def thorax(shape: tuple[int, int, int]) -> np.ndarray:
    """Return int16 HU of a shape: a phantom of up to 128 voxels along each axis, repeated, with noise of its own."""
    steps = [-(-n // _LARGEST_PHANTOM) for n in shape]
    small = thorax_phantom(tuple(-(-n // step) for n, step in zip(shape, steps, strict=True)), noise_hu=0.0).volume
    for axis, step in enumerate(steps):
        small = small.repeat(step, axis)
    volume = np.ascontiguousarray(small[tuple(slice(n) for n in shape)])
    rng = np.random.default_rng(0)
    for plane in volume:
        plane += rng.integers(-30, 31, plane.shape, np.int8)
    return volume
