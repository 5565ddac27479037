"""Memory as warm, usual and cold groups have it, and the bandwidth of this machine.

Warm: freed memory stays with the process (glibc's `mallopt`), so that no package pays for the first touch of its
results, whether or not it can write into an array it is given. Usual: the allocator as it comes, so that a package that
allocates large arrays pays for their first touch at every call, as in a user's script. Cold: freed memory goes back to
the system, fastgmm keeps no scratch, and the caches hold something else.
"""

import ctypes
import gc
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

N_THREADS = 2
# mallopt's names for: when to trim, from which size and how often to map. glibc only.
_TRIM, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_EVICTION_NUMBERS = 1 << 23  # twice the last-level cache of this class of machines
_PROBE_BYTES = 1 << 28
_N_PROBES = 15


def _mallopt(option: int, value: int) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(option, value)


def keep_freed_memory() -> None:
    """From now on freed memory is used again and never given back."""
    _mallopt(_MMAP_MAX, 0)
    _mallopt(_TRIM, -1)


def return_freed_memory() -> None:
    """Back to the allocator's usual settings: large blocks are mapped afresh."""
    _mallopt(_MMAP_THRESHOLD, 128 << 10)
    _mallopt(_MMAP_MAX, 65536)
    _mallopt(_TRIM, 128 << 10)


def make_cold() -> None:
    """Give back scratch and freed memory, and fill the caches with something else."""
    import fastgmm  # not above: the rivals' whole programs import this module too

    fastgmm.release_memory()
    gc.collect()
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    _eviction().sum()


@cache
def _eviction() -> np.ndarray:
    return np.ones(_EVICTION_NUMBERS, np.int64)


@cache
def bandwidth() -> dict[str, float]:
    """Bytes per second that two threads read, copy (both ways counted) and fill: of several ways the best median."""
    n = _PROBE_BYTES // 8
    source, target = np.ones(n, np.uint64), np.ones(n, np.uint64)
    halves = [slice(n * i // N_THREADS, n * (i + 1) // N_THREADS) for i in range(N_THREADS)]
    libc = ctypes.CDLL(None)

    def at(array, part):
        return ctypes.c_void_p(array[part].ctypes.data)

    def n_bytes(part):
        return ctypes.c_size_t(8 * (part.stop - part.start))

    ways = [
        ("read", 1, lambda part: np.bitwise_or.reduce(source[part])),
        ("read", 1, lambda part: np.add.reduce(source[part])),
        ("copy", 2, lambda part: np.copyto(target[part], source[part])),
        ("copy", 2, lambda part: libc.memcpy(at(target, part), at(source, part), n_bytes(part))),
        ("fill", 1, lambda part: target[part].fill(3)),
        ("fill", 1, lambda part: libc.memset(at(target, part), 3, n_bytes(part))),
    ]
    found: dict[str, float] = {}
    with ThreadPoolExecutor(N_THREADS) as pool:
        for name, passes, call in ways:
            times = []
            for _ in range(_N_PROBES):
                start = time.perf_counter()
                list(pool.map(call, halves))
                times.append(time.perf_counter() - start)
            found[name] = max(found.get(name, 0.0), passes * _PROBE_BYTES / statistics.median(times))
    return found


def floor_s(read_bytes: float, written_bytes: float) -> float:
    """Seconds to read so many bytes once and to write so many once."""
    speed = bandwidth()
    return read_bytes / speed["read"] + written_bytes / speed["fill"]
