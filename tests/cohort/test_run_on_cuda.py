"""Runs on a GPU, or what stands in for one: the files of the CPU, streams in order, memory used again."""

import io
import threading
import time
import weakref

import numpy as np
import pytest
from cohort.chests import SHAPE, SMALL, chest, write_chest
from PIL import Image

from fastgmm.cohort import _device_place, _scan_files, fit_cohort, label_cohort, measure_cohort, run_cohort
from fastgmm.cohort._device_place import DevicePlace
from fastgmm.cohort._png import write_png
from fastgmm.io import Scan, write_scan
from fastgmm.lung import LungSettings
from fastgmm.lung.phantom import thorax_phantom


@pytest.fixture
def stand_in(cuda):
    if not hasattr(cuda, "_streams"):
        pytest.skip("CuPy has a device here: there is no stand-in to look into")
    with cuda._streams.nothing_under_way():
        yield cuda


@pytest.fixture
def small_groups(monkeypatch):
    """Slices go up a few at a time."""
    monkeypatch.setattr(_device_place, "_GROUP_BYTES", 20_000)


@pytest.fixture
def scans(tmp_path):
    return [write_chest(tmp_path / name, seed=k) for k, name in enumerate(["a.nrrd", "b.nii.gz", "c.mha", "d.nrrd"])]


def late(step, dawdling):
    """The step with up to 30 ms of idling before and after it."""

    def dawdled(*given, **more):
        before, after = dawdling.uniform(0, 0.03, 2)
        time.sleep(before)
        result = step(*given, **more)
        time.sleep(after)
        return result

    return dawdled


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_same_files(tmp_path, paths, run=run_cohort, **options):
    options = {"settings": SMALL, "n_jobs": 3} | options
    expected = run(paths, tmp_path / "cpu", backend="cpp", **options)
    found = run(paths, tmp_path / "gpu", backend="cuda", **options)
    assert [failure.error for failure in found.failures] == [failure.error for failure in expected.failures]
    assert found.rows == expected.rows
    files = {name: files_of(tmp_path / name) for name in ("cpu", "gpu")}
    if files["gpu"] != files["cpu"]:
        run(paths, tmp_path / "again", backend="cpp", **options)
        pytest.fail("\n".join(differences(**files, again=files_of(tmp_path / "again"))))
    return found


def differences(cpu, gpu, again):
    """What differs in which files, and whether another run of the CPU agrees with the first."""
    yield f"only one has {sorted(cpu.keys() ^ gpu.keys())}"
    for name in sorted(name for name in cpu.keys() & gpu.keys() if cpu[name] != gpu[name]):
        like = "cpu" if again[name] == cpu[name] else "gpu" if again[name] == gpu[name] else "neither"
        yield f"{name}: {len(cpu[name])} and {len(gpu[name])} bytes; another run of the CPU is like {like}"
        if name.endswith(".png"):
            ours, theirs = (np.asarray(Image.open(io.BytesIO(files[name])), np.int16) for files in (gpu, cpu))
            where = np.argwhere((ours != theirs).any(axis=2)) if ours.shape == theirs.shape else np.empty((0, 2), int)
            yield f"  pixels of {ours.shape} and {theirs.shape}: {len(where)} differ, from {where[:1]} to {where[-1:]}"


def test_differences_are_told(tmp_path):
    """Those of two pictures, one of which has a wrong pixel."""
    pixels = np.zeros((9, 7, 3), np.uint8)
    for name in ("right", "wrong"):
        write_png(tmp_path / f"{name}.png", pixels)
        pixels[4, 5] = 1
    right, wrong = ({"c.png": (tmp_path / f"{name}.png").read_bytes()} for name in ("right", "wrong"))
    told = "\n".join(differences(cpu=right, gpu=wrong, again=right))
    assert "another run of the CPU is like cpu" in told
    assert "1 differ, from [[4 5]] to [[4 5]]" in told
    assert "like gpu" in "\n".join(differences(cpu=right, gpu=wrong, again=wrong))


@pytest.mark.usefixtures("cuda", "small_groups")
class TestFiles:
    @pytest.mark.parametrize("n_jobs", [1, 3])
    def test_a_run_writes_the_files_of_the_cpu(self, tmp_path, scans, n_jobs):
        result = check_same_files(tmp_path, scans, n_jobs=n_jobs)
        assert len(result.rows) == 4

    def test_a_run_that_fits_writes_the_files_of_the_cpu(self, tmp_path, scans):
        check_same_files(tmp_path, scans, fit=True, allow_unordered=True)

    def test_the_default_preset_writes_the_files_of_the_cpu(self, tmp_path):
        thorax = thorax_phantom((40, 64, 72))
        path = tmp_path / "t.nrrd"
        write_scan(path, Scan(path=path, volume=thorax.volume, spacing_mm=thorax.spacing_mm))
        result = check_same_files(tmp_path, [path], settings=LungSettings())
        assert len(result.rows) == 1

    @pytest.mark.parametrize("n_jobs", [1, 3])
    def test_no_step_may_be_late(self, tmp_path, scans, n_jobs, monkeypatch):
        """Readers, writers and what makes the pictures dawdle, in another way each time."""
        dawdling, sink = np.random.default_rng(n_jobs), _device_place._UploadSink
        steps = [(_scan_files, name) for name in ("choose_planes", "draw_overlay", "write_png", "write_labels")]
        steps += [(_scan_files, "smooth_labels"), (_scan_files, "measure"), (DevicePlace, "fetch"), (sink, "arrived")]
        for owner, name in steps:
            monkeypatch.setattr(owner, name, late(getattr(owner, name), dawdling))
        check_same_files(tmp_path, scans[:3], n_jobs=n_jobs)

    def test_labels_alone(self, tmp_path, scans):
        check_same_files(tmp_path, scans[:2], run=label_cohort)

    def test_one_bad_scan_never_stops_the_others(self, tmp_path, scans):
        text, cut = tmp_path / "text.nrrd", tmp_path / "cut.nrrd"
        text.write_text("no scan")
        cut.write_bytes(scans[0].read_bytes()[:-500])
        empty = write_chest(tmp_path / "empty.nrrd", volume=np.full((24, 60, 76), 40, np.int16))
        result = check_same_files(tmp_path, [text, scans[0], cut, scans[1], empty, scans[2]])
        assert (len(result.rows), len(result.failures)) == (3, 3)

    def test_lungs_made_elsewhere(self, tmp_path, scans):
        run_cohort(scans[:2], tmp_path / "made", settings=SMALL)
        for name, ext in (("a", "nrrd"), ("b", "nii.gz")):
            (tmp_path / "made" / f"{name}_lungs.{ext}").rename(tmp_path / f"{name}_given.{ext}")
        check_same_files(tmp_path, scans[:1], lungs=str(tmp_path / "{case}_given.nrrd"))

    def test_fits_and_measures_are_those_of_the_cpu(self, tmp_path, scans):
        run_cohort(scans, tmp_path / "cpu", settings=SMALL)
        options = {"settings": SMALL, "allow_unordered": True}
        fits = [fit_cohort(scans, backend=backend, **options) for backend in ("cpp", "cuda")]
        assert fits[0].model == fits[1].model
        for kind in ("labels", "lungs"):
            given = {kind: tmp_path / "cpu"}
            rows = [measure_cohort(scans, **given, backend=backend).rows for backend in ("cpp", "cuda")]
            assert rows[0] == rows[1]


class RingWatch:
    """Sizes of the page-locked volumes as they are allocated, and how many exist at a time.

    wait_for : int
        How many the consumer waits for when it receives its first scan.
    """

    def __init__(self, monkeypatch, wait_for=0):
        self.sizes, self.most_at_once = [], 0
        self._blocks, self._enough = [], threading.Semaphore(0)
        begin, receive = DevicePlace.__init__, DevicePlace.receive

        def watched(place):
            begin(place)
            allocate = place.pinned_volumes._allocate
            place.pinned_volumes._allocate = lambda n_bytes: self._note(allocate(n_bytes))

        def held(place, arrival):
            nonlocal wait_for
            for _ in range(wait_for):
                assert self._enough.acquire(timeout=60), f"only {self.sizes} were allocated"
            wait_for = 0
            return receive(place, arrival)

        monkeypatch.setattr(DevicePlace, "__init__", watched)
        monkeypatch.setattr(DevicePlace, "receive", held)

    def _note(self, block):
        self.sizes.append(block.size)
        self._blocks.append(weakref.ref(block))
        self.most_at_once = max(self.most_at_once, sum(ref() is not None for ref in self._blocks))
        self._enough.release()
        return block


@pytest.mark.usefixtures("small_groups")
class TestMemory:
    @pytest.mark.parametrize("fit", [False, True])
    def test_short_memory_leaves_volumes_on_the_host(self, tmp_path, scans, stand_in, monkeypatch, fit):
        monkeypatch.setattr(stand_in.cuda.runtime, "memGetInfo", lambda: (100_000, 1 << 33))
        mapped = []
        monkeypatch.setattr(DevicePlace, "mapped", lambda place, host: mapped.append(host.shape) or real(place, host))
        check_same_files(tmp_path, scans, fit=fit, allow_unordered=True)
        assert len(mapped) >= 4 * 3

    def test_a_device_that_is_full_after_all_leaves_volumes_on_the_host(self, tmp_path, scans, stand_in, monkeypatch):
        """Memory was free when it was asked for, and then it was not."""
        full = stand_in.cuda.memory.OutOfMemoryError
        empty, large = stand_in.empty, chest().size

        def limited(shape, *given, **more):
            if isinstance(shape, int) and shape >= large:
                raise full(f"no {shape} bytes")
            return empty(shape, *given, **more)

        monkeypatch.setattr(stand_in, "empty", limited)
        check_same_files(tmp_path, scans[:2])

    @pytest.mark.parametrize("is_short", [False, True])
    def test_a_ring_of_three_page_locked_volumes(self, tmp_path, stand_in, monkeypatch, is_short):
        """The first scan is not computed before the threads have memory for all that they may read ahead."""
        if is_short:
            monkeypatch.setattr(stand_in.cuda.runtime, "memGetInfo", lambda: (100_000, 1 << 33))
        ring = RingWatch(monkeypatch, wait_for=3)
        paths = [write_chest(tmp_path / f"s{k}.nrrd", seed=k) for k in range(7)]
        result = run_cohort(paths, tmp_path / "out", settings=SMALL, backend="cuda", n_jobs=3, preview=False)
        assert len(result.rows) == 7
        assert ring.sizes == [2 * chest().size] * 3

    @pytest.mark.parametrize("is_short", [False, True])
    def test_scans_of_different_shapes_share_the_ring(self, tmp_path, stand_in, monkeypatch, is_short):
        """Each shape takes less than half the memory of the one before; the small ones have no lungs."""
        if is_short:
            monkeypatch.setattr(stand_in.cuda.runtime, "memGetInfo", lambda: (100_000, 1 << 33))
        ring = RingWatch(monkeypatch)
        shapes = [SHAPE, (16, 40, 50), (10, 30, 36), (6, 24, 24), (4, 16, 20), SHAPE]
        paths = [write_chest(tmp_path / f"s{k}.nrrd", seed=k, shape=shape) for k, shape in enumerate(shapes)]
        result = check_same_files(tmp_path, paths, preview=False)
        assert len(result.rows) >= 2
        assert len(ring.sizes) > 3
        assert ring.most_at_once <= 3

    def test_short_memory_does_not_keep_the_cohort(self, tmp_path, stand_in, monkeypatch):
        monkeypatch.setattr(stand_in.cuda.runtime, "memGetInfo", lambda: (100_000, 1 << 33))
        ring = RingWatch(monkeypatch)
        paths = [write_chest(tmp_path / f"s{k}.nrrd", seed=k) for k in range(6)]
        options = {"settings": SMALL, "fit": True, "allow_unordered": True, "preview": False}
        run_cohort(paths, tmp_path / "out", backend="cuda", n_jobs=3, **options)
        assert len(ring.sizes) <= 3

    def test_buffers_are_allocated_once(self, tmp_path, stand_in):
        paths = [write_chest(tmp_path / f"s{k}.nrrd", seed=k) for k in range(8)]
        n_voxels, made = chest().size, []
        for n in (4, 8):
            stand_in._memory.counted.clear()
            before = len(stand_in._memory.pinned)
            run_cohort(paths[:n], tmp_path / f"out{n}", settings=SMALL, backend="cuda", n_jobs=3)
            volumes = [n_bytes for n_bytes in stand_in._memory.counted if n_bytes == 2 * n_voxels]
            made.append((len(volumes), len(stand_in._memory.pinned) - before))
        assert made[0][0] <= 4
        assert made[1][0] <= 4
        assert made[1][1] <= 3 + 6

    def test_a_roomy_device_keeps_the_cohort(self, tmp_path, scans, stand_in, monkeypatch):
        reads = []
        real_sink = DevicePlace.sink
        monkeypatch.setattr(DevicePlace, "sink", lambda *given, **more: reads.append(1) or real_sink(*given, **more))
        check_same_files(tmp_path, scans, fit=True, allow_unordered=True)
        assert len(reads) == 4
        reads.clear()
        monkeypatch.setattr(stand_in.cuda.runtime, "memGetInfo", lambda: (chest().size * 8, 1 << 33))
        check_same_files(tmp_path, scans, fit=True, allow_unordered=True, overwrite=True)
        assert len(reads) == 8

    def test_the_run_takes_the_current_device(self, tmp_path, scans, stand_in):
        with stand_in.cuda.Device(1):
            check_same_files(tmp_path, scans[:2])


real = DevicePlace.mapped


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("fault", ["upload", "download"])
def test_a_missing_wait_is_found(tmp_path, scans, stand_in, monkeypatch, fault):
    """The run with one of its waits taken out."""
    waits = {"upload": ("compute", "receive"), "download": ("download", "fetch")}
    stream, method = waits[fault]
    whole = getattr(DevicePlace, method)

    def without(place, argument):
        kept = getattr(place, stream)
        kept.wait_event = lambda event: None
        try:
            return whole(place, argument)
        finally:
            del kept.wait_event

    monkeypatch.setattr(DevicePlace, method, without)
    result = run_cohort(scans[:1], tmp_path / "out", settings=SMALL, backend="cuda")
    assert "no event lies between" in result.failures[0].error
