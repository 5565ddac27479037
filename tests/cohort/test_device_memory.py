"""Blocks of a run on a GPU: who gets one, and when it may be handed out again."""

import gc

import numpy as np
import pytest

from fastgmm.cohort._device_memory import Blocks
from fastgmm.cohort._device_place import DevicePlace

SHAPE = (4, 5, 6)


@pytest.fixture
def place(cuda):
    if hasattr(cuda, "_streams"):
        with cuda._streams.nothing_under_way():
            yield DevicePlace()
    else:
        yield DevicePlace()


@pytest.mark.parametrize("kind", ["volumes", "pinned_volumes"])
@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[1:3],
        lambda array: array[1:][1:].reshape(-1),
        lambda array: array.view(np.uint8)[..., ::2],
        lambda array: array.transpose(2, 1, 0),
    ],
)
def test_a_view_keeps_its_block(place, kind, view):
    blocks = getattr(place, kind)
    with place.device, place.compute:
        array = blocks.take(SHAPE, np.int16, place.compute.wait_event)
        array.fill(7)
        part = view(array)
        del array
        other = blocks.take(SHAPE, np.int16, place.compute.wait_event)
        other.fill(0)
        seen = part.get() if hasattr(part, "get") else part
        assert set(np.unique(seen)) == {7}
        n_bytes = blocks.n_bytes
        del part, other, seen
        again = [blocks.take(SHAPE, np.int16, place.compute.wait_event) for _ in range(2)]
        assert blocks.n_bytes == n_bytes
        del again


def test_a_mapped_view_keeps_the_page_locked_block(place):
    with place.device, place.compute:
        part = place.mapped(place.pinned_labels.take(SHAPE, np.uint8, lambda event: event.synchronize()))[1:]
        assert place.pinned_labels._fitting(120) is None
        del part
        assert place.pinned_labels._fitting(120) is not None


def test_a_block_may_go_back_while_another_is_looked_for():
    """As when garbage is collected in the middle of it."""

    class Lender(list):
        def pop(self, index):
            block = super().pop(index)
            array.clear()
            gc.collect()
            return block

    show = lambda block, loan, shape, dtype: [block, loan]  # noqa: E731
    blocks = Blocks(lambda n: np.empty(n, np.uint8), show, list)
    first, array = (blocks.take(SHAPE, np.uint8, print) for _ in range(2))
    first.clear()
    blocks._free = Lender(blocks._free)
    taken = blocks.take(SHAPE, np.uint8, print)
    assert taken[0].size == 120
    assert len(blocks._free) == 1


class Moment:
    """An event that is over once somebody has waited for it."""

    done = False

    def synchronize(self):
        self.done = True


def test_a_ring_grows_before_anyone_waits_and_gives_up_other_sizes():
    show, given_up = lambda block, loan, shape, dtype: [block.size, loan], []
    blocks = Blocks(
        lambda n: np.empty(n, np.uint8), show, lambda: [Moment()], ring=2, discard=lambda: given_up.append(1)
    )
    blocks.take((100,), np.uint8, print)
    waited = []
    held = blocks.take((100,), np.uint8, waited.append)
    assert (blocks.n_blocks, waited) == (2, [])
    again = blocks.take((90,), np.uint8, waited.append)
    assert (blocks.n_blocks, len(waited), again[0], given_up) == (2, 1, 100, [])
    again.clear()
    large = blocks.take((300,), np.uint8, waited.append)
    assert (blocks.n_blocks, blocks.n_bytes, len(waited), given_up) == (2, 400, 1, [1])
    del held, large
    blocks.drop_free()
    assert (blocks.n_blocks, blocks.n_bytes) == (0, 0)
