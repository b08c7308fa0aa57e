"""Cases 24 and 25: what is no file with a volume in it, and names that trip programs."""

import os
import sys
import threading
import time

import numpy as np
import pytest
from foreign_files import gzipped, metaimage_bytes, mgh_bytes, nifti_bytes, some_voxels

from SegmentationAILib.core.errors import FileFormatError
from SegmentationAILib.core.files import read_volume, write_volume
from SegmentationAILib.core.volume import Volume

from phantoms import oblique_affine

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="made by POSIX calls")


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.mha", "scan.mgz", "scan.nrrd"])
@pytest.mark.parametrize(
    "content", [b"", b"hello world " * 50, b"\0" * 5000, b"\x1f\x8b", b"\x1f\x8b\x08\0garbage" * 9]
)
def test_case_24_empty_files_and_text_under_the_name_of_a_volume(refuse, name, content):
    """Case 24: refused under every ending."""
    refuse(content, name)


@pytest.mark.parametrize(
    ("name", "content"),
    [("scan.nii", nifti_bytes()), ("scan.nii.gz", gzipped(nifti_bytes())),
     ("scan.mha", metaimage_bytes()), ("scan.mgz", gzipped(mgh_bytes()))],
)  # fmt: skip
def test_case_24_the_twins_are_read(read, name, content):
    """Case 24, twin: the same endings with a volume in them."""
    assert np.array_equal(read(content, name).voxels[0], some_voxels())


@POSIX
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.mha", "scan.mgz"])
@pytest.mark.parametrize(
    "make",
    [lambda p: p.mkdir(), os.mkfifo, lambda p: p.symlink_to(p), lambda p: p.symlink_to("/dev/zero"),
     lambda p: p.symlink_to("nowhere"), lambda p: None],
    ids=["folder", "fifo", "loop", "device", "dangling", "missing"],
)  # fmt: skip
def test_case_24_what_is_no_regular_file(refuse, tmp_path, name, make):
    """Case 24: refused within 2 s; a FIFO without a writer is not waited for."""
    make(tmp_path / name)
    begin = time.monotonic()
    refuse(None, name)
    assert time.monotonic() - begin < 2


@POSIX
def test_case_24_a_link_to_a_volume_is_followed(tmp_path):
    """Case 24, twin: links that lead to a file are as good as the file."""
    (tmp_path / "real.nii").write_bytes(nifti_bytes())
    (tmp_path / "link.nii").symlink_to("real.nii")
    assert np.array_equal(read_volume(tmp_path / "link.nii").voxels[0], some_voxels())


@POSIX
def test_case_24_a_file_that_vanishes_or_changes_is_refused_or_read_whole(tmp_path):
    """Case 24: removed, emptied and put back while it is read many times."""
    path = tmp_path / "scan.nii"
    content = nifti_bytes(some_voxels((40, 30, 20)))
    path.write_bytes(content)
    stop = threading.Event()

    def meddle() -> None:
        while not stop.is_set():
            path.unlink(missing_ok=True)
            path.write_bytes(content[: len(content) // 2])
            path.write_bytes(content)
            time.sleep(1e-4)

    meddler = threading.Thread(target=meddle)
    meddler.start()
    outcomes = set()
    try:
        for _ in range(300):
            try:
                volume = read_volume(path)
            except FileFormatError:
                outcomes.add("refused")
            else:
                assert np.array_equal(volume.voxels[0], some_voxels((40, 30, 20)))
                outcomes.add("read")
    finally:
        stop.set()
        meddler.join()
    assert "read" in outcomes


NAMES = [
    "with spaces.nii.gz",
    "größe-脳-мозг.nii.gz",
    "quotes 'single' \"double\" `back`.nii",
    "a;rm -rf $HOME & echo %PATH%.nii",
    "-leading-dash.mha",
    "--help.mgz",
    "new\nline.nii",
    "x" * 240 + ".nii.gz",
    "dots..in..name.nii",
]


@POSIX
@pytest.mark.parametrize("name", NAMES)
def test_case_25_unusual_names_are_names_like_any_other(tmp_path, name):
    """Case 25: written and read, voxel for voxel; nothing else appears in the folder."""
    volume = Volume(some_voxels()[None], oblique_affine())
    write_volume(volume, tmp_path / name)
    assert [found.name for found in tmp_path.iterdir()] == [name]
    assert np.array_equal(read_volume(tmp_path / name).voxels, volume.voxels)
    assert np.array_equal(read_volume(str(tmp_path / name)).voxels, volume.voxels)


def test_case_25_a_path_of_more_than_300_characters(tmp_path):
    """Case 25: deep folders."""
    folder = tmp_path.joinpath(*["a folder with a long name"] * 12)
    folder.mkdir(parents=True)
    path = folder / "scan.nii.gz"
    assert len(str(path)) > 300
    volume = Volume(some_voxels()[None], oblique_affine())
    write_volume(volume, path)
    assert np.array_equal(read_volume(path).voxels, volume.voxels)


def test_case_25_a_name_that_is_too_long_for_the_system_is_refused(refuse):
    """Case 25: 300 characters in one name are more than a file system takes."""
    assert "too long" in refuse(None, "x" * 300 + ".nii")


def test_case_25_a_relative_path_with_a_leading_dash(tmp_path, monkeypatch):
    """Case 25: as a person types it."""
    monkeypatch.chdir(tmp_path)
    volume = Volume(some_voxels()[None], oblique_affine())
    write_volume(volume, "-scan.nii")
    assert np.array_equal(read_volume("-scan.nii").voxels, volume.voxels)
