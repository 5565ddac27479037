"""Vessels and bronchi: trees that reach every part of a lung.

A branch serves a cloud of points. It runs 40 % of the way towards their centroid, the cloud is cut in two across its
longest extent, and each half gets a branch of its own. Radii follow Murray's law: cubes add up at every fork.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastgmm.lung.phantom._grid import Float32Array
from fastgmm.lung.phantom._tubes import Tubes

_REACH = 0.4


def grow_tree(root: Sequence[float], points: Float32Array, radius: float, fewest: int = 1) -> Tubes:
    """Grow a tree from a root to points of shape (n, 3).

    Parameters
    ----------
    root : sequence of 3 floats
        Where the tree enters, mm (z, y, x).
    points : ndarray of shape (n, 3), dtype float32
        Points to be served, n >= 1.
    radius : float
        Radius at the root in mm.
    fewest : int
        A branch that serves at most so many points is the last.
    """
    pieces: list[tuple[Float32Array, Float32Array, float, float]] = []
    waiting = [(np.asarray(root, np.float32), points, radius)]
    while waiting:
        start, cloud, thick = waiting.pop()
        centroid = cloud.mean(axis=0, dtype=np.float32)
        if len(cloud) <= fewest:
            pieces.append((start, centroid, thick, thick))
            continue
        end = start + np.float32(_REACH) * (centroid - start)
        pieces.append((start, end, thick, thick))
        longest = int(np.argmax(np.ptp(cloud, axis=0)))
        cloud = cloud[np.argsort(cloud[:, longest], kind="stable")]
        middle = len(cloud) // 2
        for half in (cloud[:middle], cloud[middle:]):
            waiting.append((end, half, thick * (len(half) / len(cloud)) ** (1 / 3)))
    starts, ends, first, last = zip(*pieces, strict=True)
    return Tubes(np.stack(starts), np.stack(ends), np.array(first, np.float32), np.array(last, np.float32))
