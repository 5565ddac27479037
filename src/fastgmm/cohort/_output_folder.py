"""The folder a run writes to: files appear in it whole and under their final names, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from fastgmm.errors import ScanError

_STAGING_PREFIX = ".fastgmm-"


class OutputFolder:
    """A context in which files are written to a hidden folder inside `path` and moved to their names when complete.

    The folder is made on entry, with its parents, and found writable by making the hidden one. On exit, whatever the
    cause, the hidden folder goes, and so do the folders made on entry if they are still empty.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : Path
    staging : Path
        The hidden folder, on the same file system.

    Raises
    ------
    ScanError
        On entry, if the folder cannot be made or written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._made: list[Path] = []

    def __enter__(self) -> OutputFolder:
        try:
            for folder in [*reversed(self.path.parents), self.path]:
                if not folder.exists():
                    folder.mkdir()
                    self._made.append(folder)
            self.staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=self.path))
        except OSError as error:
            self._remove_made()
            raise ScanError(
                f"{self.path}: expected a folder that can be written to, got {error.strerror}; choose another -o"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)
        self._remove_made()

    def publish(self, staged: list[Path]) -> list[Path]:
        """Move complete files from the hidden folder to their names, replacing older ones; return where they are."""
        final = [self.path / file.name for file in staged]
        for source, target in zip(staged, final, strict=True):
            os.replace(source, target)
        return final

    def _remove_made(self) -> None:
        for folder in reversed(self._made):
            try:
                folder.rmdir()
            except OSError:
                break
