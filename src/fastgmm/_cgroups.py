"""The cgroups that limit this process."""

from __future__ import annotations

from pathlib import Path

ROOT, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cgroups(root: Path, membership: Path, controller: str) -> list[Path]:
    """Return the folders that may hold a controller's limits: of versions 2 and 1, from the process's group upwards."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    groups = {root: None, root / controller: None}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or controller in controllers.split(","):
            top = root / controllers
            own = top / path.strip("/")
            groups |= dict.fromkeys(folder for folder in (own, *own.parents) if folder.is_relative_to(top))
    return list(groups)
