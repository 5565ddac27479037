"""Erosion and dilation with a ball against SciPy, on every backend."""

import numpy as np
import pytest
from doors import binary_dilation_ball, binary_erosion_ball
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fastgmm.volume import PackedMask

ON_CUDA = True
RADII = st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 9))


def ball(radius):
    """Return the offsets d with sum of (d / (r + 1/2))^2 <= 1 as a structure."""
    z, y, x = np.ogrid[tuple(slice(-r, r + 1) for r in radius)]
    return sum((d / (r + 0.5)) ** 2 for d, r in zip((z, y, x), radius, strict=True)) <= 1


@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 140)),
    radius=RADII,
    density=st.sampled_from([0.0, 0.003, 0.1, 0.6, 0.97, 0.999, 1.0]),
    seed=st.integers(0, 999),
)
def test_erosion_and_dilation_equal_scipy(backend, shape, radius, density, seed):
    mask = np.random.default_rng(seed).random(shape) < density
    structure = ball(radius)
    np.testing.assert_array_equal(
        binary_erosion_ball(mask, radius, backend=backend), ndimage.binary_erosion(mask, structure)
    )
    np.testing.assert_array_equal(
        binary_dilation_ball(mask, radius, backend=backend), ndimage.binary_dilation(mask, structure)
    )


@pytest.mark.parametrize("radius", [(0, 0, 0), (1, 1, 1), (1, 6, 70), (4, 3, 1)])
def test_masks_at_the_faces_and_across_words(radius):
    for box in ((slice(0, 2), slice(0, 5), slice(0, 66)), (slice(3, 5), slice(6, 12), slice(60, 200))):
        mask = np.zeros((5, 12, 200), bool)
        mask[box] = True
        packed = PackedMask.from_array(mask)
        structure = ball(radius)
        np.testing.assert_array_equal(
            binary_dilation_ball(packed, radius, n_jobs=3).to_array(), ndimage.binary_dilation(mask, structure)
        )
        np.testing.assert_array_equal(
            binary_erosion_ball(packed, radius, n_jobs=3).to_array(), ndimage.binary_erosion(mask, structure)
        )


def test_wrong_radii_are_named():
    mask = np.ones((2, 3, 4), bool)
    for function in (binary_erosion_ball, binary_dilation_ball):
        with pytest.raises(ValueError, match=r"radius must be in 0\.\.512, got -1"):
            function(mask, -1)
        with pytest.raises(TypeError, match="radius must be an int"):
            function(mask, 1.5)
