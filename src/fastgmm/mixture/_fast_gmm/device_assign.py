"""What a fitted mixture says about rows that are on a GPU, or go there."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgmm._arrays import array_module, is_device_array
from fastgmm._threads import resolve_n_jobs
from fastgmm._types import AnyArray
from fastgmm.backends import arrays_for, backend_for, get_backend
from fastgmm.mixture._counts import shifted
from fastgmm.mixture._covariance import to_kernel
from fastgmm.mixture._fast_gmm.array_api import as_numpy
from fastgmm.mixture._fast_gmm.device import check_beside
from fastgmm.mixture._fast_gmm.labels import EXACT, MAX_TABLE, label_integers
from fastgmm.mixture._fast_gmm.training_rows import has_missing
from fastgmm.mixture._missing import assign_missing


def assign_on_device(model: Any, X: AnyArray, what: str, out: AnyArray | None) -> AnyArray:
    """Return labels, log densities or responsibilities of checked rows, on the device if the rows are there."""
    if X.dtype.kind == "f":
        return _assign_floats(model, X, what, out)
    if what == "labels" and X.shape[1] == 1 and is_device_array(X):
        return _label_column(model, X, out)
    low, high = int(X.min()), int(X.max())
    if X.shape[1] > 1 or high - low >= min(MAX_TABLE, len(X)) or max(-low, high) > EXACT:
        return _assign_floats(model, X.astype(np.float64), what, out)
    xp = array_module(X)
    table = _assign_floats(model, xp.arange(low, high + 1, dtype=np.float64)[:, np.newaxis], what, None)
    places, out = shifted(X[:, 0], low), _checked_out(out, X)
    if is_device_array(X):
        found: AnyArray = xp.take(table, places, axis=0, out=out)
        return found
    return np.take(table, places, axis=0, out=out, mode="clip")


def _label_column(model: Any, X: AnyArray, out: AnyArray | None) -> AnyArray:
    """Return the labels of a column of integers, from a table of the values they span where one would do."""
    xp, given = array_module(X), _checked_out(out, X)
    labels: AnyArray = xp.empty(len(X), np.int64) if given is None else given
    labels_of = lambda rows: _assign_floats(model, xp.asarray(rows), "labels", None)  # noqa: E731
    kernels = get_backend(backend_for(model.backend, X))
    if not label_integers(X[:, 0], labels, len(model.means_), labels_of, kernels, 1):
        _assign_floats(model, X.astype(np.float64), "labels", labels)
    return labels


def _assign_floats(model: Any, X: AnyArray, what: str, out: AnyArray | None) -> AnyArray:
    weights, means, factors = map(as_numpy, (model.weights_, model.means_, model.precisions_cholesky_))
    mixture = to_kernel(weights, means, factors, model.covariance_type)
    shape = (len(X), len(weights)) if what == "responsibilities" else (len(X),)
    given = _checked_out(out, X)
    backend, n_jobs = backend_for(model.backend, X), resolve_n_jobs(model.n_jobs)
    kernels = get_backend(backend)
    (rows,) = arrays_for(kernels, X)
    is_uploaded = rows is not X
    result: Any = None if is_uploaded else given
    if result is None:
        result = array_module(rows).empty(shape, np.int64 if what == "labels" else X.dtype)
    wanted = {name: result if name == what else None for name in ("labels", "log_density", "responsibilities")}
    if model.allow_nan and has_missing(X, backend):
        assign_missing(X, mixture, kernels, n_jobs, **wanted)
    else:
        kernels.em_assign(rows, mixture, **wanted, n_jobs=n_jobs)
    assigned: AnyArray = result.get(out=given) if is_uploaded else result
    return assigned


def _checked_out(out: AnyArray | None, X: AnyArray) -> AnyArray | None:
    """Return `out` if labels of X can be written to it, or None."""
    n = len(X)
    check_beside(out, "out", X)
    fits = out is None or (
        isinstance(out, np.ndarray | type(X))
        and out.dtype == np.int64
        and out.shape == (n,)
        and out.flags.c_contiguous
        and (is_device_array(out) or out.flags.writeable)
    )
    if not fits:
        found = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        found += ", not writeable" if isinstance(out, np.ndarray) and not out.flags.writeable else ""
        raise ValueError(f"out must be a contiguous int64 array of shape ({n},), got {found}")
    return out
