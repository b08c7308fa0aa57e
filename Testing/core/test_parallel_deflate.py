"""Deflate on several cores: one ordinary stream, read by the standard library."""

import gzip
import io
import sys
import zlib

import numpy as np
import pytest

from SegmentationAILib.core import parallel_deflate
from SegmentationAILib.core.parallel_deflate import blocks_of, deflate_in_parallel

SIZES = [0, 1, 1000, 1 << 20, (1 << 20) + 1, 5_000_000]


def some_bytes(size):
    """Runs and noise, as labels and scans have."""
    rng = np.random.default_rng(size)
    return np.repeat(rng.integers(0, 30, size // 40 + 1), 40)[:size].astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_the_standard_library_gets_the_bytes_back(size):
    content = some_bytes(size)
    file = io.BytesIO()
    written = deflate_in_parallel(file, blocks_of(content))
    assert written == len(file.getvalue())
    assert gzip.decompress(file.getvalue()) == content.tobytes()
    file = io.BytesIO()
    deflate_in_parallel(file, blocks_of(content), "zlib")
    assert zlib.decompress(file.getvalue()) == content.tobytes()


def test_there_is_one_member_for_readers_that_stop_after_the_first():
    content = some_bytes(5_000_000)
    file = io.BytesIO()
    deflate_in_parallel(file, blocks_of(content))
    engine = zlib.decompressobj(wbits=31)
    assert engine.decompress(file.getvalue()) == content.tobytes()
    assert engine.eof
    assert engine.unused_data == b""


def test_bytes_and_arrays_of_any_size_can_be_mixed():
    blocks = [b"header", np.arange(7, dtype=">i4"), b"", np.zeros(3, np.float64)]
    file = io.BytesIO()
    deflate_in_parallel(file, blocks)
    expected = b"header" + np.arange(7, dtype=">i4").tobytes() + bytes(24)
    assert gzip.decompress(file.getvalue()) == expected


def test_the_same_content_gives_the_same_bytes():
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        deflate_in_parallel(file, blocks_of(some_bytes(3_000_000)))
    assert files[0].getvalue() == files[1].getvalue()


def test_case_66_without_isal_the_content_is_the_same(monkeypatch):
    content = some_bytes(3_000_000)
    monkeypatch.setattr(parallel_deflate, "engine", zlib)
    monkeypatch.setattr(parallel_deflate, "LEVEL", 1)
    file = io.BytesIO()
    deflate_in_parallel(file, blocks_of(content))
    assert gzip.decompress(file.getvalue()) == content.tobytes()


def some_labels():
    """Forty balls of as many labels, in the order of a file: 100 voxels a row."""
    rng = np.random.default_rng(0)
    axes = np.ogrid[:60, :100, :100]
    labels = np.zeros((60, 100, 100), np.uint8)
    for value in range(1, 41):
        center, radius = rng.uniform(0, (60, 100, 100)), rng.uniform(5, 15)
        inside = sum((axis - at) ** 2 for axis, at in zip(axes, center, strict=True)) < radius**2
        labels[inside] = value
    return labels.reshape(-1)


def written_small(content):
    file = io.BytesIO()
    deflate_in_parallel(file, blocks_of(content), effort="small")
    assert gzip.decompress(file.getvalue()) == content.tobytes()
    return len(file.getvalue())


def written_quick(content):
    file = io.BytesIO()
    deflate_in_parallel(file, blocks_of(content))
    return len(file.getvalue())


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32])
def test_labels_become_smaller_where_that_is_asked_for(dtype):
    content = some_labels().astype(dtype)
    assert written_small(content) < 0.9 * written_quick(content)


def test_scans_are_written_the_same_either_way():
    content = np.random.default_rng(0).normal(40, 15, 1_500_000).astype(np.int16)
    assert written_small(content) == written_quick(content)


def test_without_zlib_ng_labels_are_larger_and_the_same(monkeypatch):
    content = some_labels()
    monkeypatch.setattr(parallel_deflate, "label_engine", None)
    assert written_small(content) == written_quick(content)


@pytest.mark.parametrize("size", SIZES)
def test_the_small_form_gives_any_size_back(size):
    written_small(some_bytes(size))


def test_an_error_while_writing_ends_the_work():
    class Full(io.BytesIO):
        def write(self, content):
            if self.tell() > 100:
                raise OSError(28, "No space left on device")
            return super().write(content)

    with pytest.raises(OSError, match="No space"):
        deflate_in_parallel(Full(), blocks_of(some_bytes(5_000_000)))


def test_memory_stays_bounded_however_long_the_content():
    """Blocks are taken from their source only as the file grows: never all at once."""
    taken, ahead = [0], [0]
    written_blocks = io.BytesIO()

    def blocks():
        for _ in range(64):
            taken[0] += 1
            ahead[0] = max(ahead[0], taken[0] - written_blocks.tell() // 1000)
            yield np.random.default_rng(taken[0]).integers(0, 256, 1000).astype(np.uint8)

    deflate_in_parallel(written_blocks, blocks())
    assert ahead[0] <= parallel_deflate.MOST_THREADS + 3
    assert sys.getsizeof(written_blocks.getvalue()) > 60_000
