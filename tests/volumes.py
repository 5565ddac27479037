"""Masks, label volumes and shapes to test kernels on: random, structured and adversarial, each from a few numbers.

The strategies draw a seed and derive everything else from it: so every example is a volume of its own, where drawing
each part apart spends most examples on small changes of the same one.
"""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from fastgmm._checks import INTEGER_DTYPES

# For tests marked slow.
many_examples = settings(max_examples=300)
SEEDS = st.integers(0, (1 << 32) - 1)
# Lengths about the edges of bytes, 32-bit and 64-bit words, beside any from 1 to 70.
_EDGES = [1, 2, 3, 4, 7, 8, 9, 16, 31, 32, 33, 63, 64, 65, 70]


def random_shape(rng, max_voxels=70**3):
    """1 to 70 voxels per axis, and no more than max_voxels together."""
    while True:
        shape = [int(rng.choice(_EDGES) if rng.random() < 0.5 else rng.integers(1, 71)) for _ in range(3)]
        if np.prod(shape) <= max_voxels:
            return tuple(shape)


def noise(shape, density, seed):
    return np.random.default_rng(seed).random(shape) < density


def blobs(shape, density, seed):
    """Noise on a grid four times coarser: solid pieces with holes and bridges."""
    coarse = noise([-(-n // 4) for n in shape], density, seed)
    for axis, length in enumerate(shape):
        coarse = coarse.repeat(4, axis).take(np.arange(length), axis)
    return coarse ^ noise(shape, 0.01, seed)


def checkerboard(shape, density, seed):
    return np.indices(shape).sum(axis=0) % 2 == 0


def full(shape, density, seed):
    return np.ones(shape, bool)


def empty(shape, density, seed):
    return np.zeros(shape, bool)


def single_voxel(shape, density, seed):
    mask = np.zeros(shape, bool)
    mask[tuple(np.random.default_rng(seed).integers(shape))] = True
    return mask


def single_hole(shape, density, seed):
    return ~single_voxel(shape, density, seed)


def faces(shape, density, seed):
    """The six faces of the volume, and nothing inside."""
    mask = np.ones(shape, bool)
    mask[1:-1, 1:-1, 1:-1] = False
    return mask


def combs(shape, density, seed):
    """Teeth along z that meet only in the last plane: each tooth is its own component until then."""
    mask = np.zeros(shape, bool)
    mask[:, ::2, ::2] = True
    mask[-1] = True
    return mask


def spiral(shape, density, seed):
    """One winding path in each plane, linked to the next plane in turn at its two ends."""
    _, ny, nx = shape
    path = _spiral_path(ny, nx)
    mask = np.zeros(shape, bool)
    mask[::2, [y for y, _ in path], [x for _, x in path]] = True
    mask[1::4, *path[-1]] = True
    mask[3::4, *path[0]] = True
    return mask


def _spiral_path(ny, nx):
    y, x, dy, dx = 0, 0, 0, 1
    path, seen = [(0, 0)], {(0, 0)}

    def blocked(y, x):
        return not (0 <= y < ny and 0 <= x < nx) or (y, x) in seen

    for _ in range(ny * nx):
        ahead, beyond = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
        if blocked(*ahead) or beyond in seen:
            dy, dx = dx, -dy
            ahead, beyond = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
            if blocked(*ahead) or beyond in seen:
                break
        y, x = ahead
        path.append(ahead)
        seen.add(ahead)
    return path


STRUCTURED = (blobs, checkerboard, full, empty, single_voxel, single_hole, faces, combs, spiral)
# Noise percolates near 0.31 (6 neighbours), 0.14 (18) and 0.10 (26); the ends have few voxels set or few unset.
_DENSITIES = [0.001, 0.03, 0.1, 0.14, 0.31, 0.5, 0.7, 0.9, 0.97, 0.999]


def mask_from_seed(seed, max_voxels=70**3):
    rng = np.random.default_rng(seed)
    kind = STRUCTURED[rng.integers(len(STRUCTURED))] if rng.random() < 0.5 else noise
    return kind(random_shape(rng, max_voxels), rng.choice(_DENSITIES), seed)


def masks(max_voxels=70**3):
    """3-D bool arrays of every kind and density."""
    return SEEDS.map(lambda seed: mask_from_seed(seed, max_voxels))


def integers(shape, dtype, lowest, highest, seed):
    """Whole numbers in lowest..highest, drawn evenly."""
    return np.random.default_rng(seed).integers(lowest, highest, shape, dtype, endpoint=True)


def volume_from_seed(seed, dtypes=INTEGER_DTYPES, max_voxels=70**3):
    """Few or many distinct values, at the ends of the dtype's range or within."""
    rng = np.random.default_rng(seed)
    dtype = dtypes[rng.integers(len(dtypes))]
    info = np.iinfo(dtype)
    lowest = int(rng.choice([info.min, max(-1024, info.min), 0, info.max - 3]))
    highest = min(lowest + int(rng.choice([0, 1, 4, 300, 70_000, 1 << 32])), int(info.max))
    return integers(random_shape(rng, max_voxels), dtype, lowest, highest, seed)


def volumes(dtypes=INTEGER_DTYPES, max_voxels=70**3):
    """3-D integer arrays of any of the dtypes."""
    return SEEDS.map(lambda seed: volume_from_seed(seed, dtypes, max_voxels))


def matching_mask(array, seed):
    """A random mask of the array's shape, of any density."""
    rng = np.random.default_rng(seed)
    return noise(array.shape, rng.choice([0, *_DENSITIES, 1]), seed)
