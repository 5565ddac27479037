"""Files appear complete or not at all, and never where an input is: on real full disks and closed folders."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from dicom_folders import hu_volume, write_series
from scan_files import chest_like, write_nrrd

from fastgmm.errors import ScanError
from fastgmm.io import Scan, read_scan, write_labels, write_scan
from fastgmm.io._atomic import write_whole

EXTENSIONS = [".nrrd", ".nii", ".nii.gz", ".mha"]


def made_scan(tmp_path: Path) -> Scan:
    return Scan(path=tmp_path / "made", volume=chest_like(), spacing_mm=(2, 1, 1))


def write_noise_in_a_process(folder: Path, extension: str, before: str = "") -> str:
    """Write 200 kB of random voxels in a process of its own and return the error it ends with."""
    program = f"""
        import numpy as np
        from fastgmm.errors import ScanError
        from fastgmm.io import Scan, write_scan
        {before}
        volume = np.random.default_rng(0).integers(-32768, 32767, (10, 100, 100)).astype(np.int16)
        try:
            write_scan({str(folder / "ct")!r} + {extension!r}, Scan(path="made", volume=volume, spacing_mm=(1, 1, 1)))
        except ScanError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_limit_on_file_size_leaves_nothing_behind(tmp_path: Path, extension: str):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))"
    text = write_noise_in_a_process(tmp_path, extension, limit)
    assert text.startswith(f"{tmp_path / ('ct' + extension)}: could not be written: File too large; choose a folder")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_full_disk_leaves_nothing_behind_and_keeps_the_old_file(tmp_path: Path, extension: str):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        (disk / f"ct{extension}").write_bytes(b"old")
        text = write_noise_in_a_process(disk, extension)
        assert text.startswith(f"{disk / ('ct' + extension)}: could not be written: No space left on device; choose")
        assert [(path.name, path.read_bytes()) for path in disk.iterdir()] == [(f"ct{extension}", b"old")]
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_folder_that_is_missing_or_a_file(tmp_path: Path, extension: str):
    (tmp_path / "file").touch()
    for folder, reason in (("missing", "No such file or directory"), ("file", "Not a directory")):
        path = tmp_path / folder / f"ct{extension}"
        with pytest.raises(ScanError, match=f"could not be written: {reason}; choose a folder that exists") as error:
            write_scan(path, made_scan(tmp_path))
        assert str(error.value).startswith(f"{path}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root and Windows write to read-only folders")
def test_folder_that_must_not_be_written_to(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(ScanError, match="could not be written: Permission denied; choose a folder that exists"):
        write_scan(tmp_path / "ct.nrrd", made_scan(tmp_path))
    tmp_path.chmod(0o700)


def test_path_that_is_a_folder(tmp_path: Path):
    (tmp_path / "ct.nrrd").mkdir()
    with pytest.raises(ScanError, match=r"ct\.nrrd: could not be written: .*directory"):
        write_scan(tmp_path / "ct.nrrd", made_scan(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["ct.nrrd"]


@pytest.mark.parametrize("name", ["ct.png", "ct", "ct.nhdr", "ct.mhd", "ct.gz"])
def test_other_extensions_are_refused_with_the_choice(tmp_path: Path, name: str):
    with pytest.raises(
        ScanError, match=rf"a name that ends in \.nrrd, \.nii, \.nii\.gz, \.mha, got '{name}'; choose one"
    ):
        write_scan(tmp_path / name, made_scan(tmp_path))
    assert not list(tmp_path.iterdir())


def test_interruption_leaves_nothing_behind(tmp_path: Path):
    def interrupted():
        yield b"half a file"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "ct.nrrd", interrupted())
    assert not list(tmp_path.iterdir())


def test_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "ct.nrrd"
    path.write_bytes(b"old")
    seen = []

    def pieces():
        for piece in (b"n", b"e", b"w"):
            seen.append(path.read_bytes())
            yield piece

    write_whole(path, pieces())
    assert seen == [b"old"] * 3
    assert path.read_bytes() == b"new"


def test_inputs_are_never_written_to(tmp_path: Path):
    volume = chest_like()
    ct = write_nrrd(tmp_path / "ct.nrrd", volume)
    (tmp_path / "voxels.nrrd").write_bytes(volume.tobytes())
    detached = write_nrrd(tmp_path / "ct.nhdr", volume, b"", encoding="raw", data_file="voxels.nrrd")
    (tmp_path / "link.nrrd").symlink_to(ct)
    os.link(ct, tmp_path / "hard link.nrrd")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for source, target in (
        (ct, "ct.nrrd"),
        (ct, "link.nrrd"),
        (ct, "hard link.nrrd"),
        (detached, "voxels.nrrd"),
        (tmp_path / "link.nrrd", "ct.nrrd"),
    ):
        scan = read_scan(source)
        for write in (
            lambda path, scan=scan: write_scan(path, scan),
            lambda path, scan=scan: write_labels(path, np.zeros(volume.shape, np.uint8), scan),
        ):
            with pytest.raises(ScanError, match=r"a file to write to, got one of the scan's own files; choose another"):
                write(tmp_path / target)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_scan_that_was_made_and_not_read_may_be_written_again(tmp_path: Path):
    scan = Scan(path=tmp_path / "ct.nrrd", volume=chest_like(), spacing_mm=(2, 1, 1))
    write_scan(scan.path, scan)
    write_scan(scan.path, scan)
    assert np.array_equal(read_scan(scan.path).volume, scan.volume)


def test_slices_of_a_series_are_never_written_to(tmp_path: Path):
    paths = write_series(tmp_path, hu_volume())
    slice_path = paths[0].rename(tmp_path / "slice.nrrd")
    before = slice_path.read_bytes()
    with pytest.raises(ScanError, match="one of the scan's own files"):
        write_scan(slice_path, read_scan(tmp_path))
    assert slice_path.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
def test_files_have_the_permissions_that_the_user_wants(tmp_path: Path):
    mask = os.umask(0o027)
    try:
        write_scan(tmp_path / "ct.nrrd", made_scan(tmp_path))
    finally:
        os.umask(mask)
    assert (tmp_path / "ct.nrrd").stat().st_mode & 0o777 == 0o640
