"""A fitted mixture as a JSON file: no code in it, exact numbers, a schema version."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fastgmm._types import AnyArray
from fastgmm.mixture._covariance import COVARIANCE_TYPES, covariance_shape

SCHEMA = "fastgmm-mixture-1"
_ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
_NUMBERS = ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_", "backend_")
_DTYPES = ("float32", "float64")
_Model = TypeVar("_Model")


def write_model(path: str | os.PathLike[str], model: Any) -> None:
    """Write parameters and fitted attributes; a `random_state` that is not a number or None is left out."""
    params = {name: _plain(value) for name, value in model.get_params(deep=False).items()}
    if not isinstance(params["random_state"], int):
        params["random_state"] = None
    numbers = {name: _plain(getattr(model, name)) for name in _NUMBERS}
    # JSON has no infinity: the bound of a mixture that no step has seen is written as null.
    numbers["lower_bound_"] = numbers["lower_bound_"] if math.isfinite(numbers["lower_bound_"]) else None
    content = {
        "schema": SCHEMA,
        "params": params,
        "dtype": np.asarray(model.means_).dtype.name,
        "arrays": {name: np.asarray(getattr(model, name)).tolist() for name in _ARRAYS},
        "numbers": numbers,
        "feature_names_in_": getattr(model, "feature_names_in_", np.empty(0)).tolist(),
    }
    Path(path).write_text(json.dumps(content, indent=1, default=_plain, allow_nan=False) + "\n", encoding="utf-8")


def read_model(path: str | os.PathLike[str], kind: type[_Model]) -> _Model:
    """Return the model that a file describes."""
    text = Path(path).read_bytes()
    try:
        content = json.loads(text)
        schema = content["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_a_model(path, error) from error
    if schema != SCHEMA:
        raise ValueError(
            f"{os.fspath(path)}: expected schema {SCHEMA!r}, got {schema!r}; write it again with FastGMM.to_json, or "
            "read it with the version of fastgmm that wrote it"
        )
    try:
        return _model_of(content, kind)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _not_a_model(path, error) from error


def _not_a_model(path: str | os.PathLike[str], error: Exception) -> ValueError:
    found = f"no {error}" if isinstance(error, KeyError) else str(error)
    return ValueError(f"{os.fspath(path)}: expected a JSON file written by FastGMM.to_json, got {found}")


def _model_of(content: dict[str, Any], kind: type[_Model]) -> _Model:
    model: Any = kind(**{name: _with_arrays(value) for name, value in content["params"].items()})
    model._validate_params()
    dtype = content["dtype"]
    if dtype not in _DTYPES:
        raise ValueError(f"dtype {dtype!r}, not one of {_DTYPES}")
    arrays = {name: np.array(content["arrays"][name], dtype) for name in _ARRAYS}
    _check_arrays(arrays, model.covariance_type, model.n_components)
    for name, array in arrays.items():
        setattr(model, name, array)
    numbers = {name: content["numbers"][name] for name in _NUMBERS}
    if numbers["n_features_in_"] != arrays["means_"].shape[1]:
        raise ValueError(f"n_features_in_ {numbers['n_features_in_']} for means of shape {arrays['means_'].shape}")
    numbers["lower_bound_"] = -math.inf if numbers["lower_bound_"] is None else float(numbers["lower_bound_"])
    for name, value in numbers.items():
        setattr(model, name, value)
    if content["feature_names_in_"]:
        model.feature_names_in_ = np.array(content["feature_names_in_"], object)
    model.starts_ = []
    fitted: _Model = model
    return fitted


def _check_arrays(arrays: dict[str, AnyArray], covariance_type: str, n_components: int) -> None:
    means = arrays["means_"]
    if means.ndim != 2 or len(means) != n_components or covariance_type not in COVARIANCE_TYPES:
        raise ValueError(f"means_ of shape {means.shape} for {n_components} components, {covariance_type!r}")
    shape = covariance_shape(covariance_type, *means.shape)
    for name, array in arrays.items():
        wanted = {"weights_": (n_components,), "means_": means.shape}.get(name, shape)
        if array.shape != wanted or not np.all(np.isfinite(array)):
            raise ValueError(f"{name} of shape {array.shape}, not finite numbers of shape {wanted}")


def _plain(value: Any) -> Any:
    """Return numbers and arrays of NumPy as JSON can hold them."""
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "values": value.tolist()}
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value["dtype"] not in _DTYPES:
        raise ValueError(f"dtype {value['dtype']!r}, not one of {_DTYPES}")
    return np.array(value["values"], value["dtype"])
