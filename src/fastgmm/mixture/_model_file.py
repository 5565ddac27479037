"""A fitted mixture as a JSON file: no code in it, exact numbers, a schema version."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

SCHEMA = "fastgmm-mixture-1"
_ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
_NUMBERS = ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_", "backend_")
_Model = TypeVar("_Model")


def write_model(path: str | os.PathLike[str], model: Any) -> None:
    """Write parameters and fitted attributes; a `random_state` that is not a number or None is left out."""
    params = {}
    for name, value in model.get_params(deep=False).items():
        if isinstance(value, np.ndarray):
            value = {"dtype": value.dtype.name, "values": value.tolist()}
        params[name] = None if name == "random_state" and not isinstance(value, int) else value
    content = {
        "schema": SCHEMA,
        "params": params,
        "dtype": model.means_.dtype.name,
        "arrays": {name: getattr(model, name).tolist() for name in _ARRAYS},
        "numbers": {name: getattr(model, name) for name in _NUMBERS},
        "feature_names_in_": getattr(model, "feature_names_in_", np.empty(0)).tolist(),
    }
    Path(path).write_text(json.dumps(content, indent=1, default=float) + "\n", encoding="utf-8")


def read_model(path: str | os.PathLike[str], kind: type[_Model]) -> _Model:
    """Return the model that a file describes."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        schema = content["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)}: expected a JSON file written by FastGMM.to_json, got {error}") from error
    if schema != SCHEMA:
        raise ValueError(
            f"{os.fspath(path)}: expected schema {SCHEMA!r}, got {schema!r}; write it again with FastGMM.to_json, or "
            "read it with the version of fastgmm that wrote it"
        )
    params = {
        name: np.array(value["values"], value["dtype"]) if isinstance(value, dict) else value
        for name, value in content["params"].items()
    }
    model = kind(**params)
    for name in _ARRAYS:
        setattr(model, name, np.array(content["arrays"][name], content["dtype"]))
    for name in _NUMBERS:
        setattr(model, name, content["numbers"][name])
    if content["feature_names_in_"]:
        model.feature_names_in_ = np.array(content["feature_names_in_"], object)  # type: ignore[attr-defined]
    model.starts_ = []  # type: ignore[attr-defined]
    return model
