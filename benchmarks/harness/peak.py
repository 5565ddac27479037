"""Runs a Python program and writes down the most memory that its own process held.

    python peak.py FILE (-m MODULE | SCRIPT) [ARGUMENT ...]

A parent cannot ask for it: what `wait4` reports of a child begins with the parent's own peak on Linux.
"""

import resource
import runpy
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the peak of resident memory of this process since its program was started."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main() -> None:
    report, *command = sys.argv[1:]
    is_module = command[0] == "-m"
    sys.argv = command[1:] if is_module else command
    sys.path[0] = "" if is_module else str(Path(command[0]).parent)
    try:
        if is_module:
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(command[0], run_name="__main__")
    finally:
        Path(report).write_text(str(peak_bytes()))


if __name__ == "__main__":
    main()
