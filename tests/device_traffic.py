"""What moves between host and device, and how much memory the device holds, while something runs on the stand-in."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from unittest import mock

import pytest


@dataclass
class Traffic:
    """Sizes in bytes of each upload and download, and the most memory held beyond what was held before."""

    uploads: list[int] = field(default_factory=list)
    downloads: list[int] = field(default_factory=list)
    peak: int = 0

    @property
    def largest(self) -> int:
        return max([0, *self.uploads, *self.downloads])


@contextlib.contextmanager
def traffic() -> Iterator[Traffic]:
    """Count transfers and memory."""
    import cupy

    if "on the CPU" not in cupy.__version__:
        pytest.skip("counts what the stand-in does")
    _functions, _memory, _ndarray = (
        import_module(f"cupy_on_cpu.{name}") for name in ("_functions", "_memory", "_ndarray")
    )

    pool, seen = _memory.get_default_memory_pool(), Traffic()
    before = pool.used_bytes()
    upload, download, allocate = _functions.array, _ndarray.ndarray.get, _memory.Allocation.__init__

    def counted_upload(value, *arguments, **options):
        result = upload(value, *arguments, **options)
        if not isinstance(value, _ndarray.ndarray):
            seen.uploads.append(result.nbytes)
        return result

    def counted_download(array, *arguments, **options):
        seen.downloads.append(array.nbytes)
        return download(array, *arguments, **options)

    def counted_allocation(allocation, n_bytes):
        allocate(allocation, n_bytes)
        seen.peak = max(seen.peak, pool.used_bytes() - before)

    with (
        mock.patch.object(_functions, "array", counted_upload),
        mock.patch.object(_ndarray.ndarray, "get", counted_download),
        mock.patch.object(_memory.Allocation, "__init__", counted_allocation),
    ):
        yield seen
