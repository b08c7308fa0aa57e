"""Bounded, verified inflating of what standard tools have deflated."""

import gzip
import zlib

import numpy as np
import pytest

from SegmentationAILib.core import gzip_stream
from SegmentationAILib.core.errors import FileFormatError
from SegmentationAILib.core.gzip_stream import InflatedSource, speed_note

CONTENT = np.random.default_rng(1).integers(0, 20, 1_200_000).astype(np.uint8).tobytes()
DEFLATED = gzip.compress(CONTENT, 1)


@pytest.fixture(params=["isal", "zlib"])
def an_engine(request, monkeypatch):
    if request.param == "zlib":
        monkeypatch.setattr(gzip_stream, "_engines", zlib)
    return request.param


def inflated(path, content: bytes, count: int, tail_limit: int = 0, **arguments) -> bytes:
    path.write_bytes(content)
    with path.open("rb", buffering=0) as file:
        source = InflatedSource(file, path.name, **arguments)
        head = source.read_exactly(10)
        rest = np.empty(count - 10, np.uint8)
        source.fill(rest)
        tail = source.finish(tail_limit)
    return head + rest.tobytes() + tail


def test_all_members_are_read_as_one(tmp_path, an_engine):
    parts = CONTENT[:100_000], CONTENT[100_000:100_001], CONTENT[100_001:]
    joined = b"".join(gzip.compress(part, 1) for part in parts) + gzip.compress(b"") + b"\0" * 700
    assert inflated(tmp_path / "a", joined, len(CONTENT)) == CONTENT


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 1000])
def test_a_cut_stream_is_refused_even_when_all_bytes_were_there(tmp_path, an_engine, cut):
    with pytest.raises(FileFormatError, match="cut off"):
        inflated(tmp_path / "a", DEFLATED[:-cut], len(CONTENT))


@pytest.mark.parametrize("at", [-1, -5, 300_000, 3])
def test_a_flipped_bit_is_refused(tmp_path, an_engine, at):
    damaged = bytearray(DEFLATED)
    damaged[at] ^= 16 if at == 3 else 1
    with pytest.raises(FileFormatError, match=r"damaged|cut off"):
        inflated(tmp_path / "a", bytes(damaged), len(CONTENT))


@pytest.mark.parametrize(
    "behind", [b"x", b"\x1f", gzip.compress(b"more"), gzip.compress(b"") * 2000]
)
def test_bytes_behind_the_content_are_refused(tmp_path, an_engine, behind):
    with pytest.raises(FileFormatError, match=r"whole or not at all|cut off"):
        inflated(tmp_path / "a", DEFLATED + behind, len(CONTENT))


def test_a_tail_is_returned_up_to_its_limit_and_refused_beyond(tmp_path, an_engine):
    content = gzip.compress(CONTENT + b"t" * 100_000, 1)
    assert inflated(tmp_path / "a", content, len(CONTENT), 100_000)[-100_001:-99_999] == (
        CONTENT[-1:] + b"t"
    )
    with pytest.raises(FileFormatError, match="more bytes than its header"):
        inflated(tmp_path / "a", content, len(CONTENT), 99_999)


def test_no_more_than_the_stored_bytes_are_read(tmp_path, an_engine):
    deflated = zlib.compress(CONTENT, 1)
    arguments = {"container": "zlib", "stored_bytes": len(deflated)}
    assert inflated(tmp_path / "a", deflated + b"tail", len(CONTENT), **arguments) == CONTENT
    arguments["stored_bytes"] -= 1
    with pytest.raises(FileFormatError, match="cut off"):
        inflated(tmp_path / "a", deflated + b"tail", len(CONTENT), **arguments)


def test_working_without_isal_is_said(an_engine):
    assert bool(speed_note()) == (an_engine == "zlib")
