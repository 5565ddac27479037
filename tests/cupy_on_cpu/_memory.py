"""Device memory: rubbish at first, aligned as CuPy's, with guards before and behind that no kernel may change."""

import ctypes
import weakref

import numpy as np

from cupy_on_cpu import _written

ALIGNMENT = 512  # CuPy's
_RUBBISH = 0xCD
_GUARD = np.frombuffer(bytes(range(7, 7 + 128)), np.uint8)
_allocations = weakref.WeakSet()
pinned: list[weakref.ref] = []  # every piece of page-locked memory
pinned_bytes: list[int] = []
counted: list[int] = []  # bytes of every allocation
# In a process under AddressSanitizer kernels may not even read the guards.
_POISON = getattr(ctypes.CDLL(None), "__asan_poison_memory_region", None)
_UNPOISON = getattr(ctypes.CDLL(None), "__asan_unpoison_memory_region", None)


class Allocation:
    """A block of bytes between two guards."""

    def __init__(self, n_bytes: int) -> None:
        raw = _written.new_bytes(n_bytes + ALIGNMENT + 2 * _GUARD.size)
        raw[:] = _RUBBISH
        start = -(raw.ctypes.data + _GUARD.size) % ALIGNMENT + _GUARD.size
        self.data = raw[start : start + n_bytes]
        self._guards = raw[start - _GUARD.size : start], raw[start + n_bytes :][: _GUARD.size]
        for guard in self._guards:
            guard[:] = _GUARD
            _mark(_POISON, guard)
        _allocations.add(self)
        counted.append(n_bytes)

    def __del__(self) -> None:
        for guard in self._guards:
            _mark(_UNPOISON, guard)

    def is_intact(self) -> bool:
        return all(np.array_equal(guard, _GUARD) for guard in self._guards)


def _mark(how, guard: np.ndarray) -> None:
    if how is not None:
        how(ctypes.c_void_p(guard.ctypes.data), ctypes.c_size_t(guard.size))


def check_guards(kernel: str) -> None:
    """Raise if a kernel wrote just before or behind any array."""
    damaged = [allocation for allocation in list(_allocations) if not allocation.is_intact()]
    for allocation in damaged:
        _allocations.discard(allocation)
    if damaged:
        sizes = ", ".join(str(allocation.data.size) for allocation in damaged)
        raise MemoryError(f"kernel {kernel} wrote outside an array of {sizes} bytes")


class MemoryPool:
    """Counts nothing and keeps nothing: memory goes back when the last array that uses it does."""

    def __init__(self, allocator=None) -> None:
        self.limit = 0

    def malloc(self, size: int) -> Allocation:
        return Allocation(size)

    def used_bytes(self) -> int:
        return sum(allocation.data.size for allocation in list(_allocations))

    total_bytes = used_bytes

    def free_bytes(self) -> int:
        return 0

    def free_all_blocks(self, stream=None) -> None:
        pass

    def free_all_free(self) -> None:
        pass

    def n_free_blocks(self) -> int:
        return 0

    def set_limit(self, size=None, fraction=None) -> None:
        self.limit = size or 0

    def get_limit(self) -> int:
        return self.limit


class PinnedMemoryPool(MemoryPool):
    """Page-locked memory, which here is like any other."""


def alloc_pinned_memory(n_bytes: int):
    """Something with a buffer, as CuPy's pinned memory has."""
    memory = np.full(n_bytes, _RUBBISH, np.uint8)
    pinned.append(weakref.ref(memory))
    pinned_bytes.append(n_bytes)
    return memory


class UnownedMemory:
    """Memory of others, which the owner keeps: a piece of the device's, or page-locked, which kernels reach, too."""

    def __init__(self, ptr: int, size: int, owner, device_id: int = -1) -> None:
        pieces = [allocation.data for allocation in list(_allocations)] + _alive()
        inside = [p for p in pieces if p.ctypes.data <= ptr and ptr + size <= p.ctypes.data + p.nbytes]
        assert inside, "a kernel cannot reach this memory"
        first = ptr - inside[0].ctypes.data
        self.owner, self.data = owner, inside[0][first : first + size]


class MemoryPointer:
    """The start of some memory."""

    def __init__(self, mem, offset: int) -> None:
        assert offset == 0
        self.mem = mem


def _alive() -> list[np.ndarray]:
    return [memory for ref in pinned if (memory := ref()) is not None]


def is_pinned(array: np.ndarray) -> bool:
    return any(np.may_share_memory(array, memory) for memory in _alive())


class OutOfMemoryError(MemoryError):
    """The device has no room for an array."""


_pool, _pinned_pool = MemoryPool(), PinnedMemoryPool()


def get_default_memory_pool() -> MemoryPool:
    return _pool


def get_default_pinned_memory_pool() -> PinnedMemoryPool:
    return _pinned_pool
