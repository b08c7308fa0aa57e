"""Cases 1 to 6 of the list of bad input: the bytes of a file, cut, flipped, inflated, joined."""

import gzip
import json
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
from foreign_files import gzipped, nifti_bytes, some_voxels

VOXELS = some_voxels((17, 13, 11))


def is_right(volume) -> bool:
    return np.array_equal(volume.voxels[0], VOXELS)


@pytest.mark.parametrize("missing", [1, 100, 2 * VOXELS.size])
def test_case_1_a_truncated_nii(read, refuse, missing):
    """Case 1: data short; SimpleITK returns success. Twin: the whole file."""
    content = nifti_bytes(VOXELS)
    assert "cut off" in refuse(content[:-missing])
    assert is_right(read(content))


def test_case_1_padding_is_no_damage(read, refuse):
    """Case 1, the other way: zeros up to a full block are accepted, other bytes are not."""
    content = nifti_bytes(VOXELS)
    assert is_right(read(content + b"\0" * 512))
    assert "more bytes than its header" in refuse(content + b"\0" * 511 + b"x")


@pytest.mark.parametrize("missing", [1, 8, 9, 200])
def test_case_2_a_truncated_nii_gz(read, refuse, missing):
    """Case 2: SimpleITK leaves the tail uninitialised. Twin: the whole file."""
    content = gzipped(nifti_bytes(VOXELS))
    assert "cut off" in refuse(content[:-missing], "scan.nii.gz")
    assert is_right(read(content, "scan.nii.gz"))


@pytest.mark.parametrize("at", [-1, -4, -5, -8])
def test_case_3_a_bad_checksum_or_length(refuse, at):
    """Case 3: the CRC or the length behind the stream is wrong; nibabel accepts both."""
    content = bytearray(gzipped(nifti_bytes(VOXELS)))
    content[at] ^= 1
    assert "damaged" in refuse(bytes(content), "scan.nii.gz")


def test_case_4_each_of_many_flipped_bits(read, refuse):
    """Case 4: one flipped bit anywhere in the deflate stream is refused, never data."""
    whole = gzipped(nifti_bytes(VOXELS))
    assert is_right(read(whole, "scan.nii.gz"))
    for at in np.random.default_rng(4).integers(10 * 8, (len(whole) - 8) * 8, 100):
        content = bytearray(whole)
        content[at // 8] ^= 1 << (at % 8)
        assert refuse(bytes(content), "scan.nii.gz")


PEAK = """
import json, re, sys
from pathlib import Path
from SegmentationAILib.core import admission
from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import read_volume
admission.memory_budget_bytes = lambda: int(sys.argv[2])
try:
    shape = read_volume(sys.argv[1]).voxels.shape
except SegmentationAIError as error:
    shape = str(error)
# Unlike ru_maxrss, this does not count what the process was forked from.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps([shape, int(peak) * 1024]))
"""


def read_elsewhere(path, budget: int):
    """Read in a process of its own; return shape or refusal, and its peak memory in bytes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(budget)],
        capture_output=True, check=True, env=environment, timeout=30,
    )  # fmt: skip
    return json.loads(done.stdout)


def bomb(dim, inflated_mib: int) -> bytes:
    """A gzip file that inflates a thousandfold; its end is never reached, and is not made."""
    engine = zlib.compressobj(9, wbits=31)
    header = nifti_bytes(np.zeros((1, 1, 1), np.float32), dim=dim, data=b"")
    start = engine.compress(header) + engine.flush(zlib.Z_FULL_FLUSH)
    zeros = engine.compress(bytes(1 << 20)) + engine.flush(zlib.Z_FULL_FLUSH)
    return start + zeros * inflated_mib


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is asked of Linux")
@pytest.mark.parametrize(
    ("dim", "sentence"),
    [
        ((3, 1024, 1024, 1024, 1, 1, 1, 1), "4 GiB, and 0.293 GiB may be used"),
        ((3, 8, 8, 8, 1, 1, 1, 1), "more bytes than its header tells of"),
    ],
)
def test_case_5_a_bomb_costs_what_it_declares(tmp_path, dim, sentence):
    """Case 5: 4 MB that are 4 GB, refused in under 200 MB, declared or hidden."""
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(bomb(dim, 4096))
    assert path.stat().st_size < 5e6
    said, peak = read_elsewhere(path, 300 << 20)
    assert sentence in said
    assert peak < 200e6


def test_case_5_zeros_that_are_declared_and_fit_are_read(read):
    """Case 5, twin: an empty labelmap inflates a thousandfold too."""
    zeros = np.zeros((512, 512, 8), np.uint8)
    content = gzipped(nifti_bytes(zeros))
    assert len(content) < zeros.size / 500
    assert np.array_equal(read(content, "scan.nii.gz").voxels[0], zeros)


def test_case_5_a_size_that_no_inflating_can_reach_is_refused_at_once(refuse):
    """Case 5: 1032 to 1 is the most that deflate can do; nothing is allocated beyond."""
    content = gzipped(nifti_bytes(VOXELS, dim=(3, 400, 400, 400, 1, 1, 1, 1)))
    assert "claims 128000000 bytes" in refuse(content, "scan.nii.gz")


def test_case_6_members_are_read_whole_or_refused(read, refuse):
    """Case 6: concatenated members hold one volume, or more than one, which is refused."""
    content = nifti_bytes(VOXELS)
    parts = content[:100], content[100:2000], content[2000:]
    assert is_right(read(b"".join(gzipped(part) for part in parts), "scan.nii.gz"))
    two = gzipped(content) + gzipped(content)
    assert "more bytes than its header" in refuse(two, "scan.nii.gz")
    assert "not part of it" in refuse(gzipped(content) + b"tail", "scan.nii.gz")


def test_case_6_a_nested_file_is_refused(refuse):
    """Case 6: gzip in gzip is no volume."""
    nested = gzip.compress(gzipped(nifti_bytes(VOXELS)))
    assert "no NIfTI" in refuse(nested, "scan.nii.gz")
