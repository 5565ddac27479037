"""Faults of order between streams, devices and the host: the stand-in for CuPy must find each."""

import numpy as np
import pytest
from cupy_on_cpu import _streams

GIVEN = np.arange(64, dtype=np.int32)


@pytest.fixture
def stand_in(cuda):
    if not hasattr(cuda, "_streams"):
        pytest.skip("CuPy has a device here: there is no stand-in to test")
    with _streams.nothing_under_way():
        yield cuda


def streams(cupy, n):
    return [cupy.cuda.Stream(non_blocking=True) for _ in range(n)]


def pinned(cupy, n_items=64):
    return np.frombuffer(cupy.cuda.alloc_pinned_memory(4 * n_items), np.int32, n_items)


def round_trip(cupy, *, upload_event=True, result_event=True, host_waits=True, refill_early=False):
    """Upload, double, download, each on a stream of its own; faults by leaving waits out."""
    up, work, down = streams(cupy, 3)
    host, back = pinned(cupy), pinned(cupy)
    host[:] = GIVEN
    with up:
        device = cupy.empty(64, np.int32)
        device.set(host, stream=up)
        uploaded = up.record()
    if refill_early:
        host[:] = 7
    with work:
        if upload_event:
            work.wait_event(uploaded)
        doubled = device * 2
        computed = work.record()
    if result_event:
        down.wait_event(computed)
    doubled.get(stream=down, out=back, blocking=False)
    if host_waits:
        down.synchronize()
    found = back.copy()
    down.synchronize()
    return found


def test_a_round_trip_in_order_is_right(stand_in):
    np.testing.assert_array_equal(round_trip(stand_in), 2 * GIVEN)


@pytest.mark.parametrize("fault", ["upload_event", "result_event"])
def test_a_missing_event_is_an_error(stand_in, fault):
    with pytest.raises(_streams.StreamOrderError, match=r"reads memory that .* wrote, and no event lies between"):
        round_trip(stand_in, **{fault: False})


def test_what_the_host_does_not_wait_for_has_not_arrived(stand_in):
    assert not np.array_equal(round_trip(stand_in, host_waits=False), 2 * GIVEN)


def test_pinned_memory_refilled_during_its_upload_is_an_error_or_goes_up_wrong(stand_in):
    assert not np.array_equal(round_trip(stand_in, refill_early=True), 2 * GIVEN)
    (up,) = streams(stand_in, 1)
    host = pinned(stand_in)
    host[:] = GIVEN
    with up:
        device = stand_in.empty(64, np.int32)
        device.set(host, stream=up)
        device += 1
    host[:] = 7
    with pytest.raises(_streams.StreamOrderError, match="memory changed on the host while a copy"):
        up.synchronize()


def test_a_buffer_used_again_too_early_is_an_error(stand_in):
    up, work = streams(stand_in, 2)
    with up:
        device = stand_in.zeros(64, np.int32)
        work.wait_event(up.record())
    with work:
        device.sum()
    with pytest.raises(_streams.StreamOrderError, match=r"writes memory that stream .* read"):
        device.set(pinned(stand_in), stream=up)


def test_disjoint_parts_are_no_fault(stand_in):
    up, work = streams(stand_in, 2)
    with up:
        device = stand_in.zeros(64, np.int32)
        work.wait_event(up.record())
    device[32:].set(pinned(stand_in, 32), stream=up)
    with work:
        assert int(device[:32].sum()) == 0


def test_memory_freed_while_another_stream_uses_it_is_an_error(stand_in):
    up, work = streams(stand_in, 2)
    with up:
        device = stand_in.zeros(64, np.int32)
        work.wait_event(up.record())
    with work:
        copied = device + 1
    del device
    with pytest.raises(_streams.StreamOrderError, match="an array of 256 bytes was freed while stream"):
        work.synchronize()
    assert int(copied.get()[0]) == 1


def test_an_array_of_another_device_is_an_error(stand_in):
    with stand_in.cuda.Device(1):
        device = stand_in.zeros(64, np.int32)
        assert int(device.sum()) == 0
    with pytest.raises(ValueError, match="the array is on device 1, the current device is 0"):
        device.sum()


def test_the_default_stream_waits_for_streams_that_block(stand_in):
    with stand_in.cuda.Stream():
        device = stand_in.zeros(64, np.int32)
    assert int((device + 1).sum()) == 64


def test_what_is_computed_sees_what_went_up_before(stand_in):
    device = stand_in.asarray(GIVEN)
    for found in (-device, device[stand_in.asarray(GIVEN) > 70 - 64], device.reshape(8, 8).T.ravel(), abs(device)):
        assert int(found.sum()) in (GIVEN.sum(), -GIVEN.sum(), GIVEN[7:].sum())
