"""The fuzz targets for a moment each, on the inputs kept and on new ones; and that they can find a fault."""

import numpy as np
import pytest
from fuzz.engine import Coverage, fuzz, mutated, read_corpus
from fuzz.file_targets import originals
from fuzz.source import Source
from fuzz.targets import TARGETS

from fastgmm import _core, io, volume
from fastgmm.backends import get_backend

N_NEW = 12


@pytest.fixture(autouse=True)
def _simd_level():
    before = _core.simd_level()
    yield
    _core.set_simd_level(before)


def inputs(name: str) -> list[bytes]:
    """Those kept, whole files for readers, and some that are new but the same in every run."""
    kept = read_corpus(name) + originals().get(name, [])
    rng = np.random.default_rng(0)
    return kept + [mutated(rng, kept) for _ in range(N_NEW)]


def run_all(name: str) -> None:
    for content in inputs(name):
        TARGETS[name](Source(content))


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name):
    run_all(name)


def _changed(result):
    """The result with its first number or voxel changed."""
    if isinstance(result, tuple):
        return type(result)(*map(_changed, result)) if hasattr(result, "_fields") else tuple(map(_changed, result))
    if isinstance(result, list):
        return [_changed(part) for part in result]
    if isinstance(result, volume.PackedMask):
        return volume.PackedMask.from_array(_changed(result.to_array()))
    if isinstance(result, np.ndarray) and result.size:
        changed = result.copy()
        if changed.dtype.names:
            changed["n_voxels"] += 1
        else:
            changed.flat[0] = ~changed.flat[0] if changed.dtype.kind == "b" else changed.flat[0] + 1
        return changed
    return result


BROKEN = {
    "opening": (volume, "binary_opening"),
    "balls": (volume, "binary_closing_ball"),
    "components": (volume, "component_table"),
    "selection": (volume, "keep_components"),
    "look_up": (volume, "apply_table"),
    "median": (volume, "median_filter"),
    "flood": (volume, "geodesic_flood"),
    "region": (volume, "grow_region"),
    "em_counts": (get_backend("cpp"), "em_histogram"),
    "em_rows": (get_backend("cpp"), "em_step"),
    "kmeans": (get_backend("cpp"), "kmeans_step"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_result_is_found(monkeypatch, name):
    module, function = BROKEN[name]
    right = getattr(module, function)
    monkeypatch.setattr(module, function, lambda *given, **options: _changed(right(*given, **options)))
    with pytest.raises(AssertionError):
        run_all(name)


@pytest.mark.parametrize("name", ["nrrd", "nifti", "metaimage"])
def test_an_error_of_another_kind_is_found(monkeypatch, name):
    module = {"nrrd": io._nrrd, "nifti": io._nifti, "metaimage": io._metaimage}[name]
    monkeypatch.setattr(module, "read_voxels", lambda *given, **options: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run_all(name)


def test_inputs_that_reach_new_lines_are_kept_and_lead_to_the_fault(tmp_path):
    def target(source):
        for n, wanted in enumerate(b"gmm"):
            if source.integer(0, 255) != wanted:
                return n
        raise RuntimeError("reached")

    present = tmp_path / "present"
    with pytest.raises(RuntimeError, match="reached"):
        fuzz(target, [b"aaaa"], go_on=lambda: True, seed=0, present=present, traced="test_fuzz.py")
    with pytest.raises(RuntimeError, match="reached"):
        target(Source(present.read_bytes()))


def test_every_string_of_bytes_is_a_case():
    coverage = Coverage("")
    for content in (b"", b"\xff" * 300, bytes(range(256))):
        for target in TARGETS.values():
            coverage.run(target, content)
