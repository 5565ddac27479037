"""Functions on arrays, by NumPy's on the arrays within."""

import numpy as np

from cupy_on_cpu import _streams, _written
from cupy_on_cpu._ndarray import bare, host_of, hosts_of, layout, ndarray, wrap

_SAME_AS_NUMPY = [
    "absolute",
    "add",
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "array_equal",
    "bincount",
    "bitwise_and",
    "bitwise_count",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "broadcast_to",
    "clip",
    "concatenate",
    "cumsum",
    "diff",
    "divide",
    "equal",
    "exp",
    "expand_dims",
    "flatnonzero",
    "greater",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "lexsort",
    "log",
    "logical_and",
    "logical_not",
    "logical_or",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "nonzero",
    "not_equal",
    "prod",
    "ravel",
    "repeat",
    "reshape",
    "rint",
    "searchsorted",
    "sort",
    "sqrt",
    "stack",
    "subtract",
    "sum",
    "take",
    "transpose",
    "unique",
    "where",
]


def _from_numpy(name: str):
    def function(*arguments, **options):
        hosts = hosts_of(options)
        result = getattr(np, name)(*map(host_of, arguments), **hosts)
        if isinstance(options.get("out"), ndarray):
            _streams.write(options["out"]._host)
            return options["out"]
        return wrap(result)

    function.__name__ = name
    return function


globals().update({name: _from_numpy(name) for name in _SAME_AS_NUMPY})


def empty(shape, dtype=float, order="C") -> ndarray:
    return ndarray(shape, dtype, order=order)


def full(shape, value, dtype=None) -> ndarray:
    array = ndarray(shape, np.asarray(host_of(value)).dtype if dtype is None else dtype)
    array.fill(value)
    return array


def zeros(shape, dtype=float, order="C") -> ndarray:
    return full(shape, 0, dtype)


def ones(shape, dtype=float) -> ndarray:
    return full(shape, 1, dtype)


def empty_like(array, dtype=None) -> ndarray:
    return ndarray(array.shape, dtype or array.dtype, order=layout(array._host, "K"))


def zeros_like(array, dtype=None) -> ndarray:
    new = empty_like(array, dtype)
    new.fill(0)
    return new


def copyto(target, source, casting="same_kind", where=None) -> None:
    options = {} if where is None else {"where": host_of(where)}
    np.copyto(bare(target), host_of(source), casting=casting, **options)
    _streams.use(target._host, None, is_write=True)
    _written.mark(target._host, np.broadcast_to(options.get("where", True), target.shape))


def arange(*arguments, dtype=None) -> ndarray:
    return asarray(np.arange(*arguments, dtype=dtype))


def asarray(value, dtype=None, order=None, blocking=False) -> ndarray:
    """Upload what is not on the device yet."""
    if isinstance(value, ndarray):
        return value.astype(dtype or value.dtype, order=order or "K", copy=False)
    return array(value, dtype, order=order or "K")


def array(value, dtype=None, copy=True, order="K") -> ndarray:
    if isinstance(value, ndarray):
        return value.astype(dtype or value.dtype, order=order)
    host = np.asarray(value, dtype)
    new = ndarray(host.shape, host.dtype, order=layout(host, order))
    new.set(np.array(host))
    return new


def ascontiguousarray(value, dtype=None) -> ndarray:
    return asarray(value, dtype, order="C")


def asnumpy(value, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
    return value.get(stream, order, out, blocking) if isinstance(value, ndarray) else np.asarray(value)


def get_array_module(*arguments):
    import cupy_on_cpu

    return cupy_on_cpu if any(isinstance(argument, ndarray) for argument in arguments) else np


MOST_PACKED_BITS = 2**31 - 1  # CuPy's kernel counts in int


def packbits(bits, axis=None, bitorder="big") -> ndarray:
    if axis is not None:
        raise NotImplementedError("axis is not supported yet")
    if bits.size > MOST_PACKED_BITS:
        raise OverflowError(f"{bits.size} bits are more than {MOST_PACKED_BITS}")
    return wrap(np.packbits(host_of(bits), bitorder=bitorder))


def unpackbits(packed, axis=None, bitorder="big") -> ndarray:
    if axis is not None:
        raise NotImplementedError("axis is not supported yet")
    return wrap(np.unpackbits(host_of(packed), bitorder=bitorder))


def may_share_memory(first, second, max_work=None) -> bool:
    return np.may_share_memory(bare(first), bare(second))


shares_memory = may_share_memory

__all__ = [
    "arange",
    "array",
    "asarray",
    "ascontiguousarray",
    "asnumpy",
    "copyto",
    "empty",
    "empty_like",
    "full",
    "get_array_module",
    "may_share_memory",
    "ones",
    "packbits",
    "shares_memory",
    "unpackbits",
    "zeros",
    "zeros_like",
    *_SAME_AS_NUMPY,
]
