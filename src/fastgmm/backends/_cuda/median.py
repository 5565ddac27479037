"""The median of labels on the device."""

from __future__ import annotations

from fastgmm._types import Shape3, UInt8Array
from fastgmm.backends._cuda._device import Variant, kernel

_MEDIAN = Variant("cuda/median.cu")
VARIANTS = (_MEDIAN,)
# Of median.cu; bytes for each row of a tile and its surroundings: where it begins, words of planes and sums,
# and its values.
_TILE = (8, 16, 256)
_ROW_BYTES = 8 + 3 * (9 + 8) * 4 + 1


def median_filter(labels: UInt8Array, size: Shape3, out: UInt8Array, n_jobs: int) -> None:
    """Count in bit slices, a block per tile; tiles are flat where the box is high, to fit shared memory."""
    tile = (_TILE[0] if size[0] <= 4 else _TILE[0] // 2, *_TILE[1:])
    n_blocks = 1
    for n, edge in zip(labels.shape, tile, strict=True):
        n_blocks *= -(-n // edge)
    name = "median_filter_4" if tuple(size) == (4, 4, 4) else "median_filter"
    n_rows = (tile[0] + size[0] - 1) * (tile[1] + size[1] - 1)
    filtered = kernel(_MEDIAN, name)
    filtered(n_blocks, labels, *labels.shape, *size, tile[0], out, shared_bytes=n_rows * _ROW_BYTES)
