"""What every public function does with the masks it takes and returns."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np

from fastgmm._checks import check_apart, check_out, check_same_memory, describe, on_device
from fastgmm._packed_mask import PackedMask
from fastgmm._types import BoolArray, Shape3

MaskT = TypeVar("MaskT", BoolArray, PackedMask)


def check_mask_out(out: Any, like: Any, shape: Shape3, *inputs: Any) -> None:
    """Raise unless `out` is None or a mask of the kind of `like` and of the shape, apart from the inputs."""
    if out is None:
        return
    if isinstance(like, PackedMask) != isinstance(out, PackedMask):
        kind = "a PackedMask" if isinstance(like, PackedMask) else "a bool array"
        raise TypeError(f"out must be {kind} as the mask is, got {describe(out)}")
    check_same_memory(out, "out", like)
    if not isinstance(out, PackedMask):
        check_out(out, shape, [np.bool_], *inputs)
    elif out.shape != shape:
        raise ValueError(f"out must have shape {shape}, got {out.shape}")
    elif not on_device(out) and not out.words.flags.writeable:
        raise ValueError("out must be writeable; give one made by PackedMask.empty")
    else:
        check_apart(out.words, *inputs)


def deliver(result: PackedMask, like: MaskT, out: MaskT | None) -> MaskT:
    """Return the result as the kind of mask that `like` is, in `out` if given."""
    target: Any = out
    if not isinstance(like, PackedMask):
        target = result.to_array(target)
    elif target is None:
        target = result
    else:
        target.words[...] = result.words
    return cast(MaskT, target)
