"""Show versions, backends and threads; with scans, their geometry and range of HU."""

from __future__ import annotations

import argparse
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from fastgmm.cli import _options
from fastgmm.cli._tables import print_json

_PACKAGES = ("numpy", "scipy", "scikit-learn", "SimpleITK", "isal", "pydicom", "pillow", "rich", "numba")
# CuPy's wheels are named after the release of CUDA.
_CUPY = ("cupy-cuda12x", "cupy-cuda13x", "cupy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("scans", nargs="*", type=Path, metavar="SCAN", help="scan file or DICOM folder")
    _options.add_reading(parser)
    _options.add_machine(parser)


def run(options: argparse.Namespace) -> int:
    """Print what is asked for."""
    return _show_scans(options) if options.scans else _show_machine(options)


def _show_machine(options: argparse.Namespace) -> int:
    document = {"command": "info", **_versions(), **_machine(options), "backends": _backends()}
    if options.json:
        print_json(document)
        return 0
    for name in ("fastgmm", "python", "system"):
        print(f"{name:12} {document[name]}")
    for name, version in document["packages"].items():
        print(f"{name:12} {version or 'not installed'}")
    for name, reason in document["backends"].items():
        print(f"backend {name:12} {'usable' if reason is None else 'not usable: ' + reason}")
    if document["backend"] is None:
        print("auto takes no backend: nothing but the reference can run, which is for tests")
        return 0
    print(f"auto takes {document['backend']}, SIMD level {document['simd'] or 'none'}, {document['threads']} threads")
    return 0


def _machine(options: argparse.Namespace) -> dict[str, Any]:
    """Return who would compute; nobody where "auto" finds no backend, so that the list below can say why."""
    from fastgmm.errors import BackendUnavailableError

    try:
        return _options.machine(options)
    except BackendUnavailableError:
        if options.backend != "auto":
            raise
        return {"backend": None, "simd": None, "threads": None}


def _versions() -> dict[str, Any]:
    return {
        "fastgmm": _version("fastgmm"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES} | {"cupy": _cupy_version()},
    }


def _cupy_version() -> str | None:
    return next(filter(None, map(_version, _CUPY)), None)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _backends() -> dict[str, str | None]:
    """Return why each backend cannot run, None where it can."""
    from fastgmm.backends import BACKENDS, can_use

    found = {name: can_use(name) for name in BACKENDS}
    return {name: None if usable else reason for name, (usable, reason) in found.items()}


def _show_scans(options: argparse.Namespace) -> int:
    """Describe each scan; one that cannot be read does not stop the others."""
    from fastgmm.cohort._results import error_line

    scans, errors = [], []
    for path in options.scans:
        try:
            scans.append(_describe(path, options))
        except Exception as error:
            errors.append({"path": path, "error": error_line(path, error)})
            print(f"error: {errors[-1]['error']}", file=sys.stderr)
            continue
        if not options.json:
            _print_scan(scans[-1])
    if options.json:
        print_json({"command": "info", "scans": scans, "failures": errors})
    return 1 if errors else 0


def _describe(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    from fastgmm.io import read_scan
    from fastgmm.lung import PRESETS, LungSettings

    # Looking at a scan is how one finds out that its values are not HU.
    scan = read_scan(path, assume_hu=True, series=options.series)
    return {
        "path": path,
        "format": scan.format,
        "shape": scan.volume.shape,
        "spacing_mm": scan.spacing_mm,
        "sizes_voxels": {preset: LungSettings.from_preset(preset).radii_voxels(scan.spacing_mm) for preset in PRESETS},
        "origin_lps_mm": scan.origin_lps_mm,
        "direction": scan.direction.tolist(),
        "hu_min": int(scan.volume.min()),
        "hu_max": int(scan.volume.max()),
        "padding_value": scan.padding_value,
        "kernel": scan.kernel,
        "slice_thickness_mm": scan.slice_thickness_mm,
        "warnings": scan.warnings,
    }


def _print_scan(scan: dict[str, Any]) -> None:
    print(scan["path"])
    print(f"  format      {scan['format']}")
    print(f"  shape       {_triple(scan['shape'])} voxels (z, y, x)")
    print(f"  spacing     {_triple(scan['spacing_mm'])} mm (z, y, x)")
    print(f"  origin      {_triple(scan['origin_lps_mm'])} mm (left, posterior, superior)")
    for axis, column in zip("zyx", zip(*scan["direction"], strict=True), strict=True):
        print(f"  {axis} axis      {_triple(column)}")
    for preset, sizes in scan["sizes_voxels"].items():
        words = ", ".join(f"{step} {' x '.join(map(str, size))}" for step, size in sizes.items())
        print(f"  {preset:11} {words} voxels (balls by radius)")
    print(f"  HU          {scan['hu_min']}..{scan['hu_max']}")
    for name in ("padding_value", "kernel", "slice_thickness_mm"):
        if scan[name] is not None:
            print(f"  {name.replace('_', ' '):11} {scan[name]}")
    for warning in scan["warnings"]:
        print(f"  warning     {warning}")


def _triple(values: Any) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
