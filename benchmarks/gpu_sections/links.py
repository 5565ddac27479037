"""What the device's memory and its link to the machine can do: the floor of everything else."""

from __future__ import annotations

import numpy as np

from gpu_sections.rows import Row, attempt, predicted, timed_ms


def links(shape: tuple[int, int, int]) -> list[Row]:
    """Copy a volume within the device, up and down."""
    import cupy

    n_bytes = 2 * int(np.prod(shape))
    host = np.frombuffer(cupy.cuda.alloc_pinned_memory(n_bytes), np.int16, n_bytes // 2)
    host[:] = np.arange(host.size) % 1000
    stream = cupy.cuda.get_current_stream()
    device, other = cupy.empty(host.size, np.int16), cupy.empty(host.size, np.int16)

    def copies(work, source, target):
        def measure():
            work()
            stream.synchronize()
            pairs = [side.get() if hasattr(side, "get") else side for side in (source, target)]
            assert np.array_equal(*pairs)
            return timed_ms(work), "copy equal"

        return measure

    name = "upload of a volume"
    up = Row("links", name, "CuPy", n_bytes=n_bytes, predicted_ms=predicted(name, shape))
    rows = [attempt(up, copies(lambda: device.set(host, stream=stream), host, device))]
    within = Row("links", "copy within the device", "CuPy", n_bytes=2 * n_bytes)
    rows.append(attempt(within, copies(lambda: cupy.copyto(other, device), device, other)))
    down = Row("links", "download of a volume", "CuPy", n_bytes=n_bytes)
    back = lambda: device.get(stream=stream, out=host, blocking=False)  # noqa: E731
    return [*rows, attempt(down, copies(back, device, host))]
