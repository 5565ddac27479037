import gzip

import numpy as np
import pytest
from cohort.chests import SMALL, chest, write_chest

from fastgmm.cohort import run_cohort
from fastgmm.cohort._arrival import AirSink
from fastgmm.io import VolumeSink, read_scan
from fastgmm.lung import segment_lungs
from fastgmm.volume import threshold_below


class Recorder(VolumeSink):
    def __init__(self):
        self.told = []

    def arrived(self, volume, n_slices):
        self.told.append((n_slices, volume[:n_slices].copy()))


@pytest.mark.parametrize("name", ["a.nrrd", "a.nii.gz", "a.nii", "a.mha"])
def test_slices_are_told_in_order_and_hold_their_values(tmp_path, name):
    volume = np.tile(chest(), (3, 8, 6))
    path = write_chest(tmp_path / name, volume=volume)
    sink = Recorder()
    scan = read_scan(path, sink=sink)
    counts = [n for n, _ in sink.told]
    assert counts == sorted(set(counts))
    assert counts[-1] == len(volume)
    assert len(counts) > 1
    for n, slices in sink.told:
        np.testing.assert_array_equal(slices, volume[:n])
    np.testing.assert_array_equal(scan.volume, volume)


@pytest.mark.parametrize("shape", [(1, 5, 70), (40, 300, 300), (3, 1500, 1500)])
def test_air_found_on_the_way_is_that_of_the_whole_volume(shape):
    volume = np.random.default_rng(0).integers(-1000, 300, shape).astype(np.int16)
    sink = AirSink(-155, "auto")
    for n in range(1, len(volume) + 1):
        assert sink.air is None
        sink.arrived(volume, n)
    assert sink.air == threshold_below(volume, -155)


def test_a_scan_cut_short_gives_no_air(tmp_path):
    path = write_chest(tmp_path / "a.nrrd")
    header, data = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(header + b"\n\n" + gzip.compress(gzip.decompress(data)[:-100]))
    sink = AirSink(-155, "auto")
    with pytest.raises(OSError, match="bytes of voxels"):
        read_scan(path, sink=sink)
    assert sink.air is None


@pytest.mark.parametrize("settings", [SMALL, None])
def test_lungs_do_not_depend_on_who_found_the_air(settings):
    volume, spacing = chest(), (2.0, 0.8, 0.7)
    air = threshold_below(volume, -155)
    before = air.copy()
    try:
        expected = segment_lungs(volume, spacing, settings)
    except ValueError as error:
        with pytest.raises(type(error)):
            segment_lungs(volume, spacing, settings, air=air)
    else:
        assert segment_lungs(volume, spacing, settings, air=air).mask == expected.mask
    assert air == before
    with pytest.raises(ValueError, match="air must have the volume's shape"):
        segment_lungs(volume, spacing, settings, air=threshold_below(volume[1:], -155))


def test_scans_of_many_sizes_share_memory_and_keep_their_own_values(tmp_path):
    volumes = [np.tile(chest(k), (1 + k % 2, 1, 1)) for k in range(5)]
    paths = [write_chest(tmp_path / f"s{k}.nrrd", volume=volume) for k, volume in enumerate(volumes)]
    together = run_cohort(paths, tmp_path / "together", settings=SMALL)
    assert together.failures == []
    for path in paths:
        run_cohort([path], tmp_path / "alone", settings=SMALL, overwrite=True)
    for path in (tmp_path / "alone").iterdir():
        if path.name not in ("measures.csv", "model.json"):
            assert path.read_bytes() == (tmp_path / "together" / path.name).read_bytes()
