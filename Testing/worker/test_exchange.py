"""The folder through which host and worker hand frames to each other."""

import os
import subprocess
import sys
import time

import pytest

from SegmentationAILib.worker.exchange import REQUEST, RESULT, Exchange, OwnedExchange
from SegmentationAILib.worker.protocol import WorkerError

KEY = "0123456789abcdef" * 2
CHUNKS = [memoryview(b"abc"), memoryview(b"defg")]


@pytest.fixture
def an_exchange(tmp_path):
    exchange = OwnedExchange(tmp_path)
    yield exchange
    exchange.remove()


def test_bytes_are_taken_once_and_their_name_is_gone(an_exchange):
    an_exchange.put(KEY, REQUEST, CHUNKS)
    (path,) = an_exchange.folder.glob("*.request")
    assert path.stat().st_mode & 0o077 == 0
    assert an_exchange.folder.stat().st_mode & 0o077 == 0
    taken = Exchange(an_exchange.folder).take(KEY, REQUEST, 7)
    assert bytes(taken) == b"abcdefg"
    assert not path.exists()
    with pytest.raises(WorkerError, match="not handed over"):
        an_exchange.take(KEY, REQUEST, 7)


def test_more_bytes_than_allowed_are_not_mapped(an_exchange):
    an_exchange.put(KEY, RESULT, CHUNKS)
    with pytest.raises(WorkerError, match="7 bytes were handed over; 6 are the most"):
        an_exchange.take(KEY, RESULT, 6)
    an_exchange.drop(KEY)
    assert [path.name for path in an_exchange.folder.iterdir()] == ["lock"]


@pytest.mark.parametrize("key", ["../../etc/passwd", "", KEY.upper(), KEY + "/", "/" + KEY[1:]])
def test_no_other_file_can_be_named(an_exchange, key):
    with pytest.raises(WorkerError, match="not one of the exchange"):
        an_exchange.take(key, REQUEST, 100)


def test_the_next_start_removes_what_a_killed_host_left_and_nothing_of_a_living_one(tmp_path):
    living = OwnedExchange(tmp_path)
    living.put(KEY, REQUEST, CHUNKS)
    program = (
        "import os, sys, pathlib\n"
        "from SegmentationAILib.worker.exchange import OwnedExchange\n"
        "exchange = OwnedExchange(pathlib.Path(sys.argv[1]))\n"
        f"exchange.put({KEY!r}, 'request', [memoryview(b'patient')])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    left = [p for p in (tmp_path / "exchange").iterdir() if p != living.folder]
    assert len(left) == 1
    assert (left[0] / f"{KEY}.request").read_bytes() == b"patient"
    next_one = OwnedExchange(tmp_path)
    assert not left[0].exists()
    assert (living.folder / f"{KEY}.request").exists()
    for exchange in (living, next_one):
        exchange.remove()
    assert list((tmp_path / "exchange").iterdir()) == []


def test_a_folder_without_a_lock_is_a_leftover_only_when_it_is_old(tmp_path):
    young, old = tmp_path / "exchange" / "young", tmp_path / "exchange" / "old"
    for folder in (young, old):
        folder.mkdir(parents=True)
    long_ago = time.time() - 3600
    os.utime(old, (long_ago, long_ago))
    OwnedExchange(tmp_path).remove()
    assert young.exists()
    assert not old.exists()
