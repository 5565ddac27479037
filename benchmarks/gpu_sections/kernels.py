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
    box: fg.PackedMask  # of the lungs
    table: Any
    labels: Any


def host_arrays(shape: tuple[int, int, int]) -> Arrays:
    """Make the inputs by the CPU's kernels, which are the judge here."""
    volume = thorax(shape)
    air = fg.threshold_below(volume, AIR_HU)
    opened = fg.binary_opening(air, 3)
    lungs = fg.filter_components(opened, two_lungs)
    table = TissueModel.published().table
    return Arrays(volume, air, opened, lungs, box_of(lungs), table, fg.apply_table(volume, table, lungs))


def two_lungs(components: Any) -> Any:
    """Choose the two largest components that touch no border in the plane."""
    inner = (components["c_y0"] + components["c_y1"] + components["c_x0"] + components["c_x1"]) == 0
    sizes = np.where(inner, components["n_voxels"], 0)
    chosen = np.zeros(components.size, np.bool_)
    chosen[np.argsort(-sizes, kind="stable")[:2]] = True
    return chosen & inner


def box_of(mask: fg.PackedMask) -> fg.PackedMask:
    """Return the box around a mask, of whole words along x."""
    table = fg.component_table(mask)
    z0, y0, x0 = (int(table[name].min()) for name in ("z0", "y0", "x0"))
    z1, y1, x1 = (int(table[name].max()) for name in ("z1", "y1", "x1"))
    words = np.ascontiguousarray(mask.words[z0:z1, y0:y1, x0 // 64 : -(-x1 // 64)])
    return fg.PackedMask(words, (z1 - z0, y1 - y0, min(-(-x1 // 64) * 64, mask.shape[2]) - x0 // 64 * 64))


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


CALLS: dict[str, tuple[Callable[[Arrays], Any], Callable[[Arrays], float]]] = {
    # what is called, and the bytes that must move
    "threshold and pack": (lambda a: fg.threshold_below(a.volume, AIR_HU), lambda a: 2.125 * a.volume.size),
    "opening": (lambda a: fg.binary_opening(a.air, 3), lambda a: a.volume.size / 4),
    "components and selection": (lambda a: fg.filter_components(a.opened, two_lungs), lambda a: a.volume.size / 4),
    "closing 30 + 20": (lambda a: closing(a.lungs), lambda a: a.volume.size / 2),
    "closing 30 + 20 in the lungs' box": (lambda a: closing(a.box), lambda a: 4 * a.box.words.nbytes),
    "flood of the air from the lungs": (
        lambda a: fg.geodesic_flood(a.air, [a.lungs])[0],
        lambda a: a.volume.size / 4,
    ),
    "region grown from the lungs": (
        lambda a: fg.grow_region(a.volume, a.lungs, (-600, -400, AIR_HU), a.volume.size)[0],
        lambda a: 2.125 * a.volume.size,
    ),
    "histogram": (lambda a: fg.histogram(a.volume, a.lungs, phases=4), lambda a: 2.125 * a.volume.size),
    "labels": (lambda a: fg.apply_table(a.volume, a.table, a.lungs), lambda a: 3.125 * a.volume.size),
    "median": (lambda a: fg.median_filter(a.labels, 4), lambda a: 2 * a.volume.size),
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

        row = Row("kernels", name, n_bytes=n_bytes(host), predicted_ms=predicted(name, shape))
        rows.append(attempt(row, measure))
    return rows


def rivals(shape: tuple[int, int, int]) -> list[Row]:
    """Time what others offer for the same arrays, as bytes where they have no bits."""
    host = host_arrays(shape)
    device = on_device(host)
    air, opened, lungs = (mask.to_array() for mask in (device.air, device.opened, device.lungs))
    opened_array, components = host.opened.to_array(), fg.label_components(host.opened)[0]
    median = fg.median_filter(host.labels, 4)
    cupyx, cucim = "cupyx.scipy.ndimage", "cuCIM"
    moves: list[tuple[str, str, Callable[[], Any], Any]] = [
        ("opening", cupyx, lambda: _ndimage().binary_opening(air, iterations=3, brute_force=True), opened_array),
        ("opening", cucim, lambda: _cucim_opening(air), opened_array),
        ("components", cupyx, lambda: _ndimage().label(opened)[0], components),
        ("components", cucim, lambda: _cucim().label(opened, connectivity=1), components),
        ("closing 30 + 20", f"{cupyx}, distances", lambda: _closing(lungs), closing(host.lungs).to_array()),
        ("histogram", "CuPy bincount", lambda: _bincount(device.volume, lungs), _dense(host)),
        ("histogram", "PyTorch bincount", lambda: _torch_bincount(device.volume, lungs), _dense(host)),
        ("labels", "CuPy take", lambda: _take(device, lungs), host.labels),
        ("median", cupyx, lambda: _ndimage().median_filter(device.labels, 4), median),
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
            opened = step(opened, cross, mode="min")  # what lies outside is not set
    return opened


def _closing(mask: Any) -> Any:
    """Close by thresholds of exact distances, in a frame that the ball cannot leave."""
    import cupy

    for radius in (30, 20):
        reach = (radius * radius + radius + 0.5) ** 0.5
        frame = cupy.pad(mask, radius + 1)
        dilated = _ndimage().distance_transform_edt(~frame) < reach
        closed = _ndimage().distance_transform_edt(dilated) > reach
        mask = closed[(slice(radius + 1, -radius - 1),) * 3]
    return mask


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
