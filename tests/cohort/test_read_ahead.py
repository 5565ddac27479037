import threading
import weakref

import pytest

from fastgmm.cohort._read_ahead import read_ahead


@pytest.mark.parametrize("ahead", [0, 1, 3, 9])
def test_every_item_comes_in_order_and_errors_come_with_their_item(ahead):
    def read(item):
        if item == 2:
            raise OSError("bad")
        return item * 10

    seen = []
    for item, take in read_ahead([1, 2, 3, 4], read, ahead=ahead):
        try:
            seen.append((item, take()))
        except OSError as error:
            seen.append((item, str(error)))
    assert seen == [(1, 10), (2, "bad"), (3, 30), (4, 40)]


def test_the_next_item_is_read_while_this_one_is_used():
    read_items = {k: threading.Event() for k in range(3)}

    def read(item):
        read_items[item].set()
        return item

    for item, take in read_ahead(range(3), read):
        take()
        if item < 2:
            assert read_items[item + 1].wait(5)


def test_never_more_than_one_item_waits():
    begun = []
    for item, take in read_ahead(list(range(6)), lambda item: begun.append(item) or item):
        take()
        threading.Event().wait(0.02)
        assert len(begun) <= item + 2
    assert begun == list(range(6))


def test_as_many_items_are_read_at_once_as_asked_for():
    both = threading.Barrier(2)

    def read(item):
        if item < 4:
            both.wait(5)
        return item

    assert [take() for _, take in read_ahead(range(4), read, ahead=2)] == [0, 1, 2, 3]


def test_the_thread_ends_when_the_loop_is_left():
    before = threading.active_count()
    items = read_ahead(list(range(100)), lambda item: item)
    _, take = next(items)
    take()
    items.close()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(5)
    assert threading.active_count() <= before


def test_an_error_that_waits_keeps_no_volume_alive():
    class Volume:
        pass

    kept = []

    def read(item):
        volume = Volume()
        kept.append(weakref.ref(volume))
        try:
            raise KeyError(item)
        except KeyError as error:
            raise OSError("bad") from error

    for _, take in read_ahead([1, 2], read):
        with pytest.raises(OSError, match="bad"):
            take()
        assert kept[-1]() is None


def test_what_is_no_exception_comes_too():
    def read(item):
        raise SystemExit(item)

    for item, take in read_ahead([3, 4], read):
        with pytest.raises(SystemExit) as caught:
            take()
        assert caught.value.code == item
