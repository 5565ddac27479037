"""The same work by the packages people use: each function as its package's users would write it, and exact."""

from importlib.util import find_spec


def installed(calls: dict[str, tuple[str, object]]) -> dict[str, object]:
    """Return the calls whose package is there, from name to (module, call)."""
    return {who: call for who, (module, call) in calls.items() if find_spec(module) is not None}
