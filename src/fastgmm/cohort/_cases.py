"""Names for the scans of a run: short, and different from each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

# Longest first, so that ".nii.gz" is taken whole.
EXTENSIONS = (".nii.gz", ".img.gz", ".nrrd", ".nhdr", ".nii", ".mha", ".mhd", ".hdr", ".img", ".dcm")
SEPARATOR = "_"


def case_stem(path: str | os.PathLike[str]) -> str:
    """Return the name of a folder, or of a file without the extension of its format."""
    path = absolute(path)
    for extension in EXTENSIONS:
        if path.name.lower().endswith(extension) and len(path.name) > len(extension) and not path.is_dir():
            return path.name[: -len(extension)]
    return path.name or "scan"


def name_cases(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return one name per scan, all different.

    The stem of the file where that is unique. Where stems repeat, the fewest parent folders that tell the scans of the
    group apart are put in front, nearest first among equally few: `P1/scan/CT.nrrd` and `P2/scan/CT.nrrd` become
    `P1_CT` and `P2_CT`. Files that differ by their extension alone keep it. Letter case does not tell names apart,
    since some file systems ignore it.

    Raises
    ------
    ValueError
        If two paths are the same file.
    """
    absolutes = [absolute(path) for path in paths]
    _refuse_repeats(paths)
    groups: dict[str, list[int]] = {}
    for index, path in enumerate(absolutes):
        groups.setdefault(case_stem(path).casefold(), []).append(index)
    names = {members[0]: case_stem(absolutes[members[0]]) for members in groups.values() if len(members) == 1}
    for members in groups.values():
        if len(members) > 1:
            taken = {name.casefold() for name in names.values()}
            names.update(zip(members, _tell_apart([absolutes[i] for i in members], taken), strict=True))
    return [names[index] for index in range(len(absolutes))]


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return the path from the root without `..`, symbolic links kept."""
    return Path(os.path.abspath(path))


def _refuse_repeats(paths: Sequence[str | os.PathLike[str]]) -> None:
    seen: dict[str, str] = {}
    for path in paths:
        real = os.path.normcase(os.path.realpath(path))
        if real in seen:
            also = "" if seen[real] == os.fspath(path) else f" (also as {seen[real]})"
            raise ValueError(f"{os.fspath(path)}: expected every scan once, got it twice{also}; give it once")
        seen[real] = os.fspath(path)


def _tell_apart(paths: list[Path], taken: set[str]) -> list[str]:
    """Return names for paths of one stem that differ from each other and from the names taken."""
    for keep_extension in (False, True):
        ends = [path.name if keep_extension else case_stem(path) for path in paths]
        for levels in _choices_of_levels(paths):
            names = [SEPARATOR.join([*_parents(path, levels), end]) for path, end in zip(paths, ends, strict=True)]
            folded = {name.casefold() for name in names}
            if len(folded) == len(names) and not folded & taken:
                return names
    listed = ", ".join(str(path) for path in paths)
    raise ValueError(f"no folder name tells these scans apart: {listed}; rename them or run them one by one")


def _choices_of_levels(paths: list[Path]) -> Iterator[tuple[int, ...]]:
    """Yield sets of parent levels (0 = nearest), few before many and near before far; only levels that differ."""
    depth = max(len(path.parts) for path in paths)
    varying = [level for level in range(depth) if len({tuple(_parents(path, [level])) for path in paths}) > 1]
    for count in range(min(len(varying), 3) + 1):
        yield from combinations(varying, count)
    for count in range(4, len(varying) + 1):
        yield tuple(varying[:count])


def _parents(path: Path, levels: Iterable[int]) -> list[str]:
    """Return the folder names at these levels above the file, farthest first."""
    names = path.relative_to(path.anchor).parts[:-1][::-1]
    return [names[level] for level in sorted(levels, reverse=True) if level < len(names)]
