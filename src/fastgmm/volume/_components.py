"""Connected components of masks: their numbers, their measures, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np

from fastgmm._checks import check_int, check_mask, check_out, describe, is_array
from fastgmm._packed_mask import PackedMask
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray, BoolArray, Connectivity
from fastgmm.backends import get_backend
from fastgmm.volume._masks import MaskT, check_mask_out, deliver

_AXES = ("z", "y", "x")


def label_components(
    mask: BoolArray | PackedMask,
    connectivity: Connectivity = 6,
    *,
    out: AnyArray | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> tuple[AnyArray, int]:
    """Give every voxel of a mask the number of its connected component.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    connectivity : {6, 18, 26}
        Neighbours of a voxel: across faces, also edges, also corners.
    out : ndarray of shape (nz, ny, nx), dtype int32 or int64, optional
        Written and returned instead of a new array; C-contiguous, apart from the mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    labels : ndarray of shape (nz, ny, nx), dtype int32 (int64 above 2**31 - 1 components)
        0 outside the mask, else 1 to n, in the order of the components' first voxels in z, y, x order.
    n : int
        The number of components.

    Raises
    ------
    TypeError
        If the mask is not a mask.
    ValueError
        If `connectivity` is not one of the three, or `out` cannot be written to.

    Notes
    -----
    Equal to ``scipy.ndimage.label``. `component_table` and `keep_components` do without the label volume.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import label_components
    >>> labels, n = label_components(np.array([[[1, 0, 1], [1, 0, 0]]], bool))
    >>> labels.tolist(), n
    ([[[1, 0, 2], [1, 0, 0]]], 2)
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    connectivity = _check_connectivity(connectivity)
    if out is not None:
        check_out(out, packed.shape, [np.int32, np.int64], mask)
    labels, n = kernels.label_components(packed, connectivity, resolve_n_jobs(n_jobs))
    if out is None:
        return labels, n
    if n > np.iinfo(out.dtype).max:
        raise ValueError(f"out must be int64 to hold {n} components, got {out.dtype}")
    out[...] = labels
    return out, n


def component_table(
    mask: BoolArray | PackedMask,
    connectivity: Connectivity = 6,
    *,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> AnyArray:
    """Measure the connected components of a mask without a label volume.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    connectivity : {6, 18, 26}
        Neighbours of a voxel: across faces, also edges, also corners.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    structured ndarray of shape (n,), every field int64
        Per component, in the order of `label_components`: ``label``; ``n_voxels``; its box ``z0 y0 x0 z1 y1 x1`` in
        voxel indices, the ends exclusive; and ``c_z0 c_z1 c_y0 c_y1 c_x0 c_x1``, how many of its voxels lie on the
        first and on the last plane of each axis.

    Raises
    ------
    TypeError
        If the mask is not a mask.
    ValueError
        If `connectivity` is not one of the three.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import component_table
    >>> table = component_table(np.array([[[1, 0, 1], [1, 0, 0]]], bool))
    >>> table["n_voxels"].tolist(), table["x0"].tolist(), table["c_x1"].tolist()
    ([2, 1], [0, 2], [0, 1])
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    return kernels.component_table(packed, _check_connectivity(connectivity), resolve_n_jobs(n_jobs))


def filter_components(
    mask: MaskT,
    choose: Callable[[AnyArray], BoolArray],
    connectivity: Connectivity = 6,
    *,
    out: MaskT | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> MaskT:
    """Keep the connected components that a function of their table chooses.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    choose : callable
        Given the table of `component_table`, returns a bool array of shape (n,): True to keep a component. Called
        once.
    connectivity : {6, 18, 26}
        Neighbours of a voxel: across faces, also edges, also corners.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape

    Raises
    ------
    TypeError
        If the mask is not a mask, or `choose` not a function that returns a bool array.
    ValueError
        If `connectivity` is not one of the three, the choice has another length, or `out` cannot be written to.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import filter_components
    >>> mask = np.array([[[1, 0, 1], [1, 0, 0]]], bool)
    >>> filter_components(mask, lambda table: table["x0"] > 0).astype(int).tolist()
    [[[0, 0, 1], [0, 0, 0]]]
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    connectivity = _check_connectivity(connectivity)
    checked_choose = _checked(choose)
    check_mask_out(out, mask, packed.shape, mask)

    return deliver(kernels.filter_components(packed, connectivity, checked_choose, resolve_n_jobs(n_jobs)), mask, out)


def separate_components(
    mask: BoolArray | PackedMask,
    choose: Callable[[AnyArray], BoolArray],
    connectivity: Connectivity = 6,
    *,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> list[PackedMask]:
    """Return each of the connected components that a function of their table chooses as a mask of its own.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    choose : callable
        Given the table of `component_table`, returns a bool array of shape (n,): True for a component that is wanted.
        Called once.
    connectivity : {6, 18, 26}
        Neighbours of a voxel: across faces, also edges, also corners.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    list of PackedMask of the same shape
        In the order of the table.

    Raises
    ------
    TypeError
        If the mask is not a mask, or `choose` not a function that returns a bool array.
    ValueError
        If `connectivity` is not one of the three, or the choice has another length.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import separate_components
    >>> mask = np.array([[[1, 0, 1], [1, 0, 0]]], bool)
    >>> [part.count() for part in separate_components(mask, lambda table: table["n_voxels"] > 0)]
    [2, 1]
    """
    kernels = get_backend(backend, mask)
    packed = check_mask(mask)
    connectivity = _check_connectivity(connectivity)
    return kernels.separate_components(packed, connectivity, _checked(choose), resolve_n_jobs(n_jobs))


def keep_components(
    mask: MaskT,
    *,
    min_voxels: int = 0,
    drop_touching: Iterable[str] = (),
    largest: int | None = None,
    connectivity: Connectivity = 6,
    out: MaskT | None = None,
    backend: str = "auto",
    n_jobs: int | None = None,
) -> MaskT:
    """Keep the connected components that pass all of some rules.

    Parameters
    ----------
    mask : ndarray of bool or PackedMask of shape (nz, ny, nx)
        Not modified.
    min_voxels : int, at least 0
        Smallest number of voxels of a component that is kept.
    drop_touching : any of "z", "y", "x"
        Drop components with a voxel on the first or the last plane of these axes.
    largest : int, at least 1, optional
        Of the components that pass the other rules keep so many of the largest; of equal ones, those that come first
        in z, y, x order.
    connectivity : {6, 18, 26}
        Neighbours of a voxel: across faces, also edges, also corners.
    out : same kind and shape as the mask, optional
        Written and returned instead of a new mask.
    backend : {"auto", "cpp", "numba", "reference", "cuda"}
        Implementation to use. The result is the same.
    n_jobs : int, optional
        Threads; -1 for all processors. The result is the same.

    Returns
    -------
    mask of the same kind and shape

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a number is out of range, an axis is not one of the three, or `out` cannot be written to.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm.volume import keep_components
    >>> mask = np.array([[[1, 0, 1, 0, 1, 1]]], bool)
    >>> keep_components(mask, drop_touching="x").astype(int).tolist()
    [[[0, 0, 1, 0, 0, 0]]]
    >>> keep_components(mask, largest=2).astype(int).tolist()
    [[[1, 0, 0, 0, 1, 1]]]
    """
    min_voxels = check_int(min_voxels, "min_voxels", low=0)
    axes = _check_axes(drop_touching)
    if largest is not None:
        largest = check_int(largest, "largest", low=1)

    def choose(table: AnyArray) -> BoolArray:
        keep: BoolArray = table["n_voxels"] >= min_voxels
        for axis in axes:
            keep &= (table[f"c_{axis}0"] == 0) & (table[f"c_{axis}1"] == 0)
        if largest is not None:
            passed = np.flatnonzero(keep)
            by_size = np.argsort(-table["n_voxels"][passed], kind="stable")
            keep[passed[by_size[largest:]]] = False
        return keep

    return filter_components(mask, choose, connectivity, out=out, backend=backend, n_jobs=n_jobs)


def _checked(choose: Any) -> Callable[[AnyArray], BoolArray]:
    """Return the function with a check of what it returns."""
    if not callable(choose):
        raise TypeError(f"choose must be a function of the component table, got {describe(choose)}")

    def checked(table: AnyArray) -> BoolArray:
        chosen = choose(table)
        if not is_array(chosen) or chosen.dtype != np.bool_:
            raise TypeError(f"choose must return a bool array of shape {table.shape}, got {describe(chosen)}")
        if chosen.shape != table.shape:
            raise ValueError(f"choose must return a bool array of shape {table.shape}, got shape {chosen.shape}")
        return np.ascontiguousarray(chosen)

    return checked


def _check_connectivity(connectivity: Any) -> Connectivity:
    number = check_int(connectivity, "connectivity")
    if number not in (6, 18, 26):
        raise ValueError(f"connectivity must be 6, 18 or 26, got {number}")
    return cast(Connectivity, number)


def _check_axes(axes: Any) -> tuple[str, ...]:
    if not isinstance(axes, Iterable):
        raise TypeError(f'drop_touching must be any of "z", "y", "x", got {axes!r}')
    chosen = tuple(axes)
    for axis in chosen:
        if axis not in _AXES:
            raise ValueError(f'drop_touching must be any of "z", "y", "x", got {axis!r}')
    return chosen
