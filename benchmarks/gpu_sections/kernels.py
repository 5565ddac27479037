"""Each kernel of the pipeline and its rivals on the same device arrays, answers checked first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgmm import volume as fg
from fastgmm.lung import TissueModel
from gpu_sections.inputs import thorax
from gpu_sections.rows import Row, attempt, predicted, timed_ms

AIR_HU = -155


class Arrays(NamedTuple):
    """The same inputs on the host and on the device."""

    volume: Any
    air: fg.PackedMask
    opened: fg.PackedMask
    lungs: fg.PackedMask
    table: Any
    labels: Any


def host_arrays(shape: tuple[int, int, int]) -> Arrays:
    """Make the inputs by the CPU's kernels, which are the judge here."""
    volume = thorax(shape)
    air = fg.threshold_below(volume, AIR_HU)
    opened = fg.binary_opening(air, 3)
    lungs = fg.filter_components(opened, two_lungs)
    table = TissueModel.published().table
    return Arrays(volume, air, opened, lungs, table, fg.apply_table(volume, table, lungs))


def two_lungs(components: Any) -> Any:
    """Choose the two largest components that touch no border in the plane."""
    inner = (components["c_y0"] + components["c_y1"] + components["c_x0"] + components["c_x1"]) == 0
    sizes = np.where(inner, components["n_voxels"], 0)
    chosen = np.zeros(components.size, np.bool_)
    chosen[np.argsort(-sizes, kind="stable")[:2]] = True
    return chosen & inner


def on_device(arrays: Arrays) -> Arrays:
    """Upload."""
    import cupy

    def up(value: Any) -> Any:
        if isinstance(value, fg.PackedMask):
            return fg.PackedMask(cupy.asarray(np.ascontiguousarray(value.words)), value.shape)
        return cupy.asarray(value)

    return Arrays(*map(up, arrays))


def closing(mask: Any) -> Any:
    """Close as the published method does."""
    return fg.binary_closing_ball(fg.binary_closing_ball(mask, 30), 20)


CALLS: dict[str, tuple[Callable[[Arrays], Any], Callable[[int], float]]] = {
    # what is called, and the bytes that must move for n voxels
    "threshold and pack": (lambda a: fg.threshold_below(a.volume, AIR_HU), lambda n: 2 * n + n / 8),
    "opening": (lambda a: fg.binary_opening(a.air, 3), lambda n: n / 4),
    "components and selection": (lambda a: fg.filter_components(a.opened, two_lungs), lambda n: n / 4),
    "closing 30 + 20": (lambda a: closing(a.lungs), lambda n: n / 2),
    "histogram": (lambda a: fg.histogram(a.volume, a.lungs, phases=4), lambda n: 2 * n + n / 8),
    "labels": (lambda a: fg.apply_table(a.volume, a.table, a.lungs), lambda n: 3 * n + n / 8),
    "median": (lambda a: fg.median_filter(a.labels, 4), lambda n: 2 * n),
}


def plain(value: Any) -> Any:
    """Return a result as NumPy arrays that can be compared."""
    words = getattr(value, "words", value)
    if hasattr(value, "counts"):
        return np.concatenate([np.ravel(value.values), np.ravel(value.counts)])
    return words.get() if hasattr(words, "get") else np.asarray(words)


def kernels(shape: tuple[int, int, int]) -> list[Row]:
    """Time every kernel; equal to the CPU's in each voxel."""
    host = host_arrays(shape)
    device, rows = on_device(host), []
    for name, (call, n_bytes) in CALLS.items():

        def measure(call=call):
            assert np.array_equal(plain(call(device)), plain(call(host))), "differs from the CPU"
            return timed_ms(lambda: call(device)), "equal to cpp"

        row = Row("kernels", name, n_bytes=n_bytes(host.volume.size), predicted_ms=predicted(name, shape))
        rows.append(attempt(row, measure))
    return rows


def rivals(shape: tuple[int, int, int]) -> list[Row]:
    """Time what others offer for the same arrays, as bytes where they have no bits."""
    host = host_arrays(shape)
    device = on_device(host)
    air, opened, lungs = (mask.to_array() for mask in (device.air, device.opened, device.lungs))
    opened_array, components = host.opened.to_array(), fg.label_components(host.opened)[0]
    median = fg.median_filter(host.labels, 4)
    moves: list[tuple[str, str, Callable[[], Any], Any]] = [
        (
            "opening",
            "cupyx.scipy.ndimage",
            lambda: _ndimage().binary_opening(air, iterations=3),
            opened_array,
        ),
        ("components", "cupyx.scipy.ndimage", lambda: _ndimage().label(opened)[0], components),
        (
            "median",
            "cupyx.scipy.ndimage",
            lambda: _ndimage().median_filter(device.labels, 4),
            median,
        ),
        ("components", "cuCIM", lambda: _cucim().label(opened, connectivity=1), components),
        ("opening", "cuCIM", lambda: _cucim_opening(air), opened_array),
        ("histogram", "CuPy bincount", lambda: _bincount(device.volume, lungs), _dense(host)),
        ("labels", "CuPy take", lambda: _take(device, lungs), host.labels),
        ("histogram", "PyTorch bincount", lambda: _torch_bincount(device.volume, lungs), _dense(host)),
    ]
    rows = []
    for name, who, call, expected in moves:

        def measure(call=call, expected=expected):
            equal = np.array_equal(plain(call()), expected)
            return timed_ms(call, 3), "equal to fastgmm" if equal else "DIFFERS from fastgmm"

        rows.append(attempt(Row("rivals", name, who), measure))
    return rows


def _ndimage() -> Any:
    from cupyx.scipy import ndimage

    return ndimage


def _cucim() -> Any:
    from cucim.skimage import measure

    return measure


def _cucim_opening(mask: Any) -> Any:
    from cucim.skimage.morphology import ball, binary_dilation, binary_erosion

    cross, opened = ball(1), mask
    for step in (binary_erosion, binary_dilation):
        for _ in range(3):
            opened = step(opened, cross)
    return opened


def _bincount(volume: Any, inside: Any) -> Any:
    import cupy

    return cupy.bincount(volume[inside].astype(np.int32) + 32768, minlength=65536)


def _take(device: Arrays, inside: Any) -> Any:
    return device.table.take(device.volume.astype(np.int32) + 32768) * inside.view(np.uint8)


def _torch_bincount(volume: Any, inside: Any) -> Any:
    import cupy
    import torch

    voxels, chosen = (torch.as_tensor(array, device="cuda") for array in (volume, inside))
    return cupy.asarray(torch.bincount(voxels[chosen].to(torch.int32) + 32768, minlength=65536))


def _dense(host: Arrays) -> Any:
    counted = fg.histogram(host.volume, host.lungs)
    dense = np.zeros(65536, np.int64)
    dense[counted.values + 32768] = counted.counts
    return dense
