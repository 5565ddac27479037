"""Running a call on emulated kernels in every order of threads and under preemption."""

import contextlib
import os
from collections.abc import Callable, Iterator

import numpy as np

# Three orders without preemption, then five seeds of random order with it.
SCHEDULES = [(order, 1, 0) for order in ("forward", "reverse", "random")] + [
    ("random", seed, 3) for seed in range(2, 7)
]


@contextlib.contextmanager
def schedule(order: str, seed: int, preempt: int) -> Iterator[None]:
    """Let kernels that are launched meanwhile resume their threads in this way."""
    settings = {"CUEMU_ORDER": order, "CUEMU_SEED": str(seed), "CUEMU_PREEMPT": str(preempt)}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def check_schedules(call: Callable[[], object], expected: object) -> None:
    """Compare what a call returns (an array, a number, or a tuple of them) under every schedule, to the bit."""
    for settings in SCHEDULES:
        with schedule(*settings):
            found = call()
        pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
        for ours, wanted in pairs:
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(wanted), err_msg=f"schedule {settings}")
