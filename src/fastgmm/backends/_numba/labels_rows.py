"""Labels from masks, and labels kept within others: the loops."""

from __future__ import annotations

from fastgmm._types import UInt8Array, UInt64Array
from fastgmm.backends._numba.bits import ONE, ZERO, lowest_one
from fastgmm.backends._numba.compiled import compiled
from fastgmm.backends._numba.rows import RowMap, row_start


@compiled
def number_rows(
    words: UInt64Array, row_map: RowMap, nx: int, number: int, labels: UInt8Array, first: int, end: int
) -> None:
    """Write a number under the bits of the rows first .. end - 1."""
    for row in range(first, end):
        start = row_start(row_map, row)
        for w in range(row_map[2]):
            bits, begin = words[start + w], row * nx + 64 * w
            if bits == ~ZERO:
                labels[begin : begin + 64] = number
                continue
            while bits:
                labels[begin + lowest_one(bits)] = number
                bits &= bits - ONE


@compiled
def keep(labels: UInt8Array, out: UInt8Array, begin: int, end: int) -> None:
    """Set out to 0 where labels are, and to labels where it is 0."""
    for i in range(begin, end):
        own, kept = labels[i], out[i]
        out[i] = kept if own and kept else own
