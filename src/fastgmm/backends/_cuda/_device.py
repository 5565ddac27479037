"""Whether there is a device, the kernels compiled for it, and their launch."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from fastgmm.backends._device_source import device_source

OPTIONS = ("-std=c++17", "-diag-suppress=177")  # 177: a constant of a header that this kernel does not use
# What a kernel gets without asking; more is asked for by the launch.
_DEFAULT_SHARED_BYTES = 48 * 1024


class Variant(NamedTuple):
    """One compilation of a file under `csrc`: its defines, and options beside `OPTIONS`."""

    path: str
    defines: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The text to compile."""
        return device_source(self.path, dict(self.defines))


class Kernel(NamedTuple):
    """A kernel on one device, with the block size of its launch bound."""

    function: Any
    threads: int

    def __call__(
        self, n_blocks: int | tuple[int, int] | tuple[int, int, int], *args: Any, shared_bytes: int = 0
    ) -> None:
        """Launch on the current stream: an int is a `long long`, a float a `double`, None a null pointer."""
        grid = n_blocks if isinstance(n_blocks, tuple) else (n_blocks,)
        if 0 in grid:
            return
        if shared_bytes > max(_DEFAULT_SHARED_BYTES, self.function.max_dynamic_shared_size_bytes):
            self.function.max_dynamic_shared_size_bytes = shared_bytes
        self.function(grid, (self.threads,), tuple(_parameter(arg) for arg in args), shared_mem=shared_bytes)


def kernel(variant: Variant, name: str) -> Kernel:
    """Return a kernel for the current device, compiled when first asked for."""
    import cupy

    return _kernel(variant, name, cupy.cuda.runtime.getDevice())


def compile_all(variants: tuple[Variant, ...]) -> None:
    """Compile for the current device what the variants name, so that later calls need not wait."""
    for variant in variants:
        _module(variant).compile()


def blocks_for(n_items: int, per_block: int, blocks_per_processor: int = 16) -> int:
    """Return how many blocks to launch for a loop over items that takes any number of them."""
    return max(min(-(-n_items // per_block), n_processors() * blocks_per_processor), 1)


def require_device() -> None:
    """Raise ImportError that says why if no kernel can run here."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        raise ImportError("CuPy is not installed" if error.name == "cupy" else str(error)) from error
    runtime = cupy.cuda.runtime
    try:
        n_devices = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise ImportError(_why_no_device(runtime, str(error))) from error
    if not n_devices:
        raise ImportError("there is no CUDA device (CUDA_VISIBLE_DEVICES may hide it)")
    try:
        cupy.cuda.nvrtc.getVersion()
    except RuntimeError as error:
        raise ImportError(f"CuPy cannot load NVRTC, which compiles the kernels: {error}") from error


def _why_no_device(runtime: Any, message: str) -> str:
    """Tell a missing driver, an old one and a missing device apart."""
    driver = runtime.driverGetVersion()
    if driver == 0:
        return "there is no NVIDIA driver"
    needed = runtime.runtimeGetVersion()
    if "InsufficientDriver" in message:
        return f"the NVIDIA driver is for CUDA {_dotted(driver)}, CuPy needs one for CUDA {_dotted(needed)}"
    if "NoDevice" in message:
        return "there is no CUDA device (CUDA_VISIBLE_DEVICES may hide it)"
    return message


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


@functools.cache
def _module(variant: Variant) -> Any:
    import cupy

    return cupy.RawModule(code=variant.source, options=OPTIONS + variant.options)


@functools.cache
def _kernel(variant: Variant, name: str, device: int) -> Kernel:
    function = _module(variant).get_function(name)
    return Kernel(function, function.max_threads_per_block)


def n_processors() -> int:
    """Return how many multiprocessors the current device has."""
    import cupy

    return int(cupy.cuda.Device().attributes["MultiProcessorCount"])


def _parameter(value: Any) -> Any:
    if value is None:
        return np.uintp(0)
    if isinstance(value, float):
        return np.float64(value)
    return np.int64(value) if isinstance(value, int) else value
