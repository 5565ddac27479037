"""Scan files made in tests, written without the code under test."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

GEOMETRY = {
    "space": "left-posterior-superior",
    "space directions": "(0.75,0,0) (0,0.5,0) (0,0,2.5)",
    "space origin": "(-10.25,20.5,-300)",
    "kinds": "domain domain domain",
}


def chest_like(shape: tuple[int, int, int] = (5, 6, 7), seed: int = 0) -> np.ndarray:
    """Return random int16 HU from -1024 to 3071."""
    volume = np.random.default_rng(seed).integers(-1024, 3072, shape).astype(np.int16)
    volume.flat[0] = -1024
    return volume


def nrrd_bytes(volume: np.ndarray, payload: bytes | None = None, **fields: Any) -> bytes:
    """Return an NRRD file; a field given as None is left out, an underscore in its name is a space."""
    names = {"int16": "short", "uint8": "unsigned char", "float32": "float", "float64": "double"}
    header = {
        "type": names.get(volume.dtype.name, volume.dtype.name),
        "dimension": volume.ndim,
        "sizes": " ".join(map(str, volume.shape[::-1])),
        "endian": "big" if volume.dtype.str.startswith(">") else "little",
        "encoding": "gzip",
        **GEOMETRY,
        **{name.replace("_", " "): value for name, value in fields.items()},
    }
    lines = ["NRRD0005", *(f"{name}: {value}" for name, value in header.items() if value is not None), "", ""]
    if payload is None:
        payload = gzip.compress(volume.tobytes(), 1) if header["encoding"] == "gzip" else volume.tobytes()
    return "\n".join(lines).encode() + payload


def write_nrrd(path: Path, volume: np.ndarray, payload: bytes | None = None, **fields: Any) -> Path:
    """Write an NRRD file and return its path."""
    path.write_bytes(nrrd_bytes(volume, payload, **fields))
    return path
