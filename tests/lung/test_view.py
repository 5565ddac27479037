"""Stored axes turned to (superior, posterior, left) and back."""

from itertools import permutations, product

import numpy as np
import pytest

from fastgmm.lung.mask._view import view_of
from fastgmm.volume import PackedMask

# Columns of the view's own axes in (left, posterior, superior).
STANDARD = np.eye(3)[:, ::-1]
ORIENTATIONS = [(axes, signs) for axes in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def stored(array, axes, signs):
    """Return an array in another order and sense of its axes, and the direction matrix that says so."""
    turned = np.transpose(array, axes)[tuple(slice(None, None, sign) for sign in signs)]
    return np.ascontiguousarray(turned), STANDARD[:, axes] * np.array(signs)


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_each_of_the_48_orientations_is_turned_and_turned_back(axes, signs):
    volume = np.arange(3 * 4 * 70, dtype=np.int16).reshape(3, 4, 70)
    array, direction = stored(volume, axes, signs)
    view = view_of(direction)
    np.testing.assert_array_equal(view.turn(array), volume)
    assert view.turn_triple(tuple(np.array((1.0, 2.0, 3.0))[list(axes)])) == (1.0, 2.0, 3.0)
    mask = volume % 3 == 0
    back = view.turn_back(PackedMask.from_array(mask)).to_array()
    np.testing.assert_array_equal(back, stored(mask, axes, signs)[0])
    assert view.obliquity_degrees == pytest.approx(0, abs=1e-6)


def test_the_stored_order_is_not_copied():
    volume = np.zeros((2, 3, 4), np.int16)
    assert view_of(STANDARD).turn(volume) is volume


@pytest.mark.parametrize("degrees", [5, 25, 44])
def test_obliquity_is_the_angle_off_the_body(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    tilted = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ STANDARD
    view = view_of(tilted)
    assert view.is_stored_order
    assert view.obliquity_degrees == pytest.approx(degrees)
