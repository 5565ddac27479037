"""What the set voxels of a mask hide from one side."""

from __future__ import annotations

import numpy as np

from fastgmm._arrays import is_device_array
from fastgmm._types import AnyArray


def shadow(words: AnyArray, axis: int) -> AnyArray:
    """Return the voxels with a set one at a lower index along an axis (0 or 1), or at their own.

    words : uint64 of shape (nz, ny, n_words). On the GPU, where CuPy accumulates sums only, in steps of doubled length.
    """
    if not is_device_array(words):
        return np.bitwise_or.accumulate(words, axis=axis)
    reach = 1
    while reach < words.shape[axis]:
        further = words.copy()
        if axis == 0:
            further[reach:] |= words[:-reach]
        else:
            further[:, reach:] |= words[:, :-reach]
        words, reach = further, 2 * reach
    return words
