"""Machine operations on words and on vectors of 64 voxels that Numba has no functions for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastgmm._types import AnyArray, UInt8Array
from fastgmm.backends._numba.compiled import compiled

ZERO, ONE, SIDE = np.uint64(0), np.uint64(1), np.uint64(63)
ONES = np.uint64(2**64 - 1)
_BITS_64 = ir.VectorType(ir.IntType(1), 64)


def _count_ones(_: Any, word: Any) -> Any:
    """Return the number of bits that are set in a uint64."""
    return types.int64(types.uint64), lambda context, builder, signature, given: builder.ctpop(given[0])


def _lowest_one(_: Any, word: Any) -> Any:
    """Return the place of the lowest bit that is set in a uint64, which must have one."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _below_64(_: Any, voxels: Any, first: Any, limit: Any) -> Any:
    """Return one bit for each of 64 voxels from index `first`: whether it is below the limit."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = signature.args[0]
        _, values = _load_64(context, builder, kind, given)
        few = ir.Constant(ir.VectorType(values.type.element, 1), ir.Undefined)
        single = builder.insert_element(few, given[2], ir.Constant(ir.IntType(32), 0))
        same = builder.shuffle_vector(single, single, ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64))
        compare = builder.icmp_signed if kind.dtype.signed else builder.icmp_unsigned
        return builder.bitcast(compare("<", values, same), ir.IntType(64))

    return types.uint64(voxels, types.int64, voxels.dtype), generate


def _keep_64(_: Any, labels: Any, first: Any, word: Any) -> Any:
    """Set those of 64 uint8 labels from index `first` to 0 whose bit in the word is not set."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place, values = _load_64(context, builder, signature.args[0], given)
        kept = builder.sext(builder.bitcast(given[2], _BITS_64), values.type)
        builder.store(builder.and_(values, kept), place, align=1)
        return context.get_dummy_value()

    return types.void(labels, types.int64, types.uint64), generate


def _load_64(context: Any, builder: Any, kind: Any, given: Any) -> tuple[Any, Any]:
    """Return where 64 items of a contiguous array begin, and the items as a vector."""
    data = context.make_array(kind)(context, builder, given[0]).data
    vector = ir.VectorType(ir.IntType(kind.dtype.bitwidth), 64)
    place = builder.bitcast(builder.gep(data, [given[1]]), vector.as_pointer())
    return place, builder.load(place, align=kind.dtype.bitwidth // 8)


count_ones = cast(Callable[[Any], int], intrinsic(_count_ones))
lowest_one = cast(Callable[[Any], int], intrinsic(_lowest_one))
below_64 = cast(Callable[[AnyArray, int, Any], Any], intrinsic(_below_64))
keep_64 = cast(Callable[[UInt8Array, int, Any], None], intrinsic(_keep_64))


@compiled
def low_ones(n: int) -> Any:
    """Return a word whose lowest n bits are set, 64 at most."""
    return ONES if n >= 64 else (ONE << np.uint64(n)) - ONE


@compiled
def step_right(word: Any, before: Any) -> Any:
    """Return the word with bit x set where bit x - 1 of the row is; `before` is the word to the left."""
    return word << ONE | before >> SIDE
