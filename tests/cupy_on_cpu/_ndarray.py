"""The array: a NumPy array that only CuPy's ways lead to."""

import operator

import numpy as np

from cupy_on_cpu import _streams, _written
from cupy_on_cpu._memory import Allocation, is_pinned

_SCALARS = (bool, int, float, complex, np.generic)


class _Flags:
    """CuPy's flags: fewer than NumPy's."""

    def __init__(self, host: np.ndarray) -> None:
        self.c_contiguous, self.f_contiguous = host.flags.c_contiguous, host.flags.f_contiguous
        self.owndata = host.base is None or isinstance(host.base, np.ndarray)
        self.forc = self.c_contiguous or self.f_contiguous


class _Pointer:
    """`ndarray.data`."""

    def __init__(self, host: np.ndarray, allocation) -> None:
        self.ptr, self.mem, self.device_id = host.ctypes.data, allocation, _streams.current_device()


def host_of(value):
    """The NumPy array in an array, any scalar as it is; NumPy arrays do not mix with CuPy's."""
    if isinstance(value, ndarray):
        _streams.read(value._host)
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, tuple | list):
        return type(value)(host_of(part) for part in value)
    return value


def hosts_of(options: dict) -> dict:
    """Keyword arguments with NumPy's arrays; what is in `out` is not read."""
    return {name: bare(value) if name == "out" else host_of(value) for name, value in options.items()}


def bare(value):
    """The NumPy array in an array that is going to be written, or those of a tuple."""
    if isinstance(value, tuple):
        return tuple(map(bare, value))
    return value._host if isinstance(value, ndarray) else value


def layout(host: np.ndarray, order: str) -> str:
    """The order, C or F, of a new array: "K" and "A" keep that of columns one after the other."""
    if order in "KA":
        return "F" if host.flags.fnc else "C"
    return order


def wrap(result, allocation=None):
    """An array of what NumPy returned; reductions and elements are arrays of no dimensions."""
    if isinstance(result, tuple):
        return tuple(wrap(part, allocation) for part in result)
    if isinstance(result, np.ndarray | np.generic):
        array = np.asarray(result)
        _streams.create(array)
        return ndarray._of(array, allocation)
    return result


class ndarray:  # noqa: N801
    """`cupy.ndarray`."""

    __module__ = "cupy"
    __hash__ = None

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C") -> None:
        self._device_id = _streams.current_device()
        dtype = np.dtype(dtype)
        if dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {dtype}")
        n_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        self._allocation = Allocation(n_bytes) if memptr is None else memptr.mem
        self._host = np.ndarray(shape, dtype, self._allocation.data[:n_bytes].data, order=order)
        _streams.create(self._host)

    @classmethod
    def _of(cls, host: np.ndarray, allocation=None) -> "ndarray":
        array = cls.__new__(cls)
        array._host, array._allocation = host, allocation
        array._device_id = _streams.current_device()
        return array

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: _Flags(self._host))
    data = property(lambda self: _Pointer(self._host, self._allocation))
    T = property(lambda self: wrap(self._host.T, self._allocation))
    real = property(lambda self: wrap(self._host.real, self._allocation))
    device = property(lambda self: _streams.Device(self._device_id))

    @property
    def __cuda_array_interface__(self):
        return {**self._host.__array_interface__, "version": 3, "stream": 1}

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        hosts = hosts_of(options)
        result = getattr(ufunc, method)(*map(host_of, inputs), **hosts)
        if options.get("out"):
            _streams.write(options["out"][0]._host)
            return options["out"][0]
        return wrap(result)

    def __array_function__(self, function, types, arguments, options):
        import cupy_on_cpu

        return getattr(cupy_on_cpu, function.__name__)(*arguments, **options)

    def get(self, stream=None, order="C", out=None, blocking=True) -> np.ndarray:
        if out is not None and not (isinstance(out, np.ndarray) and out.flags.c_contiguous):
            raise RuntimeError("`out` cannot be specified when copying to non-contiguous ndarray")
        if out is not None and (out.shape, out.dtype) != (self.shape, self.dtype):
            raise ValueError(f"shape or dtype differ: {out.shape} {out.dtype}, {self.shape} {self.dtype}")
        host = np.empty(self.shape, self.dtype, order=order) if out is None else out
        stream = stream or _streams.get_current_stream()
        _streams.copy_later(stream, self._host, host, is_upload=False)
        if blocking:
            stream.synchronize()
        return host

    def set(self, array: np.ndarray, stream=None) -> None:
        if not isinstance(array, np.ndarray):
            raise TypeError(f"Only numpy.ndarray can be set to cupy.ndarray, got {type(array)}")
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(f"shape or dtype differ: {array.shape} {array.dtype}, {self.shape} {self.dtype}")
        if not self.flags.forc:
            raise RuntimeError("Cannot set to non-contiguous array")
        pinned = is_pinned(array)
        _streams.copy_later(
            stream or _streams.get_current_stream(), self._host, array if pinned else array.copy(), is_upload=True
        )

    def copy(self, order="C") -> "ndarray":
        return self.astype(self.dtype, order=order)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True) -> "ndarray":
        is_laid = {"K": True, "A": self.flags.forc, "C": self.flags.c_contiguous, "F": self.flags.f_contiguous}
        if not copy and self.dtype == dtype and is_laid[order]:
            return self
        new = ndarray(self.shape, dtype, order=layout(self._host, order))
        new._host[...] = host_of(self).astype(dtype)
        _streams.write(new._host)
        return new

    def __getitem__(self, index) -> "ndarray":
        where = host_of(index)
        return wrap(_seen(self, lambda host: host[where]), self._allocation)

    def __setitem__(self, index, value) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError(f"Unsupported type {type(value)}")
        where = host_of(index)
        part = self._host[where] if _is_basic(index) else None
        _streams.use(part if isinstance(part, np.ndarray) else self._host, None, is_write=True)
        self._host[where] = host_of(value) if isinstance(value, ndarray) else value
        _written.mark(self._host, where)

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __index__(self) -> int:
        return operator.index(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def item(self, *where):
        return self.get().item(*where)

    def tolist(self):
        return self.get().tolist()

    def fill(self, value) -> None:
        _streams.write(self._host)
        self._host.fill(host_of(value))


def _seen(array: ndarray, look):
    """What a look at an array gives: a view of it, which reads nothing yet, or what is computed once it may be read."""
    result = look(array._host)
    return result if _streams.is_view(result, array._host) else look(host_of(array))


def _is_basic(index) -> bool:
    """Whether an index is made of numbers and slices, so that it names a part."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is ... or isinstance(part, int | np.integer | slice) for part in parts)


def _binary(name: str):
    def method(self, other):
        if not isinstance(other, (ndarray, *_SCALARS)):
            return NotImplemented if not isinstance(other, np.ndarray) else host_of(other)
        return wrap(getattr(host_of(self), name)(host_of(other)))

    return method


def _in_place(name: str):
    def method(self, other):
        getattr(host_of(self), name)(host_of(other))
        _streams.write(self._host)
        return self

    return method


def _forwarded(name: str):
    def method(self, *arguments, **options):
        hosts = hosts_of(options)
        inputs = tuple(map(host_of, arguments))
        result = _seen(self, lambda host: getattr(host, name)(*inputs, **hosts))
        if options.get("out") is not None:
            _streams.write(options["out"]._host)
            return options["out"]
        return wrap(result, self._allocation)

    return method


_ARITHMETIC = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
]
for _name in _ARITHMETIC:
    setattr(ndarray, f"__{_name}__", _binary(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _binary(f"__r{_name}__"))
    setattr(ndarray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in ["lt", "le", "eq", "ne", "gt", "ge"]:
    setattr(ndarray, f"__{_name}__", _binary(f"__{_name}__"))
for _name in [
    "__neg__",
    "__invert__",
    "__abs__",
    "reshape",
    "ravel",
    "view",
    "transpose",
    "squeeze",
    "swapaxes",
    "sum",
    "prod",
    "min",
    "max",
    "any",
    "all",
]:
    setattr(ndarray, _name, _forwarded(_name))
for _name in [
    "mean",
    "var",
    "std",
    "argmin",
    "argmax",
    "cumsum",
    "argsort",
    "sort",
    "nonzero",
    "take",
    "repeat",
    "clip",
    "round",
    "flatten",
    "diagonal",
]:
    setattr(ndarray, _name, _forwarded(_name))
