"""The rules of keep_components, on masks small enough to see the answer."""

import numpy as np
import pytest
from doors import keep_components

ON_CUDA = True


def row(text):
    return np.array([[[sign == "#" for sign in text]]])


def text(mask):
    return "".join("#" if voxel else "." for voxel in mask[0, 0])


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, "##.###.#.##.###.#"),
        ({"min_voxels": 2}, "##.###...##.###.."),
        ({"min_voxels": 3}, "...###......###.."),
        ({"min_voxels": 4}, "................."),
        ({"largest": 1}, "...###..........."),
        ({"largest": 2}, "...###......###.."),
        ({"largest": 3}, "##.###......###.."),
        ({"largest": 99}, "##.###.#.##.###.#"),
        ({"drop_touching": "x"}, "...###.#.##.###.."),
        ({"drop_touching": ("x",), "largest": 3}, "...###...##.###.."),
        ({"drop_touching": ["x", "x"], "min_voxels": 3, "largest": 1}, "...###..........."),
        ({"drop_touching": "yx"}, "................."),
        ({"drop_touching": {"z"}}, "................."),
    ],
    ids=str,
)
def test_rules(backend, rules, expected):
    assert text(keep_components(row("##.###.#.##.###.#"), backend=backend, **rules)) == expected


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("plane", [0, -1])
def test_one_voxel_on_a_face_is_a_touch(backend, axis, plane):
    mask = np.zeros((5, 6, 7), bool)
    mask[2, 3, 3] = True
    index = [2, 3, 3]
    for position in range(1, 4):
        index[axis] = position
        mask[tuple(index)] = True
    index[axis] = plane
    mask[tuple(index)] = True
    mask[tuple(index[:axis] + [slice(None)] + index[axis + 1 :])] = True
    assert not keep_components(mask, drop_touching="zyx"[axis], backend=backend).any()
    others = "zyx".replace("zyx"[axis], "")
    np.testing.assert_array_equal(keep_components(mask, drop_touching=others, backend=backend), mask)


def test_connectivity_decides_what_belongs_together(backend):
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[1, 2, 2] = mask[2, 2, 2] = True
    sizes = [keep_components(mask, largest=1, connectivity=c, backend=backend).sum() for c in (6, 18, 26)]
    assert sizes == [2, 3, 4]
