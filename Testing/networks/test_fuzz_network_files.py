"""Mutated safetensors and zips: refused with our own error or read as the reference reads them."""

import random
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from network_files import (
    flipped,
    header_of,
    safetensors_bytes,
    tiny_weights,
    whole_safetensors,
    zip_of,
)  # fmt: skip

from SegmentationAILib.core.archive import extract
from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.checkpoint import check_pickle
from SegmentationAILib.networks.weights import weights_from_bytes

SEED = 20250101
SECONDS_PER_INPUT = 1.0
WEIGHTS = tiny_weights()
PAYLOAD = b"".join(array.tobytes() for array in WEIGHTS.values())


def bent_header(rng):
    header = header_of(WEIGHTS)
    row = header[rng.choice(list(header))]
    value = rng.choice(
        [0, -1, 1, 2**31, 2**63, 2**70, 1.5, "4", None, [], [1, 2], True, len(PAYLOAD)]
    )
    field = rng.choice(["dtype", "shape", "data_offsets"])
    if field == "dtype" or rng.random() < 0.2:
        row[field] = rng.choice(["F32", "F16", "I64", "BOOL", value])
    else:
        row[field][rng.randrange(len(row[field]))] = value
    return bytearray(safetensors_bytes(header, PAYLOAD))


def mutated_safetensors(rng):
    whole = whole_safetensors(WEIGHTS)
    kind = rng.randrange(3)
    if kind == 0:
        return bent_header(rng)
    return flipped(whole, rng, region=len(whole) - len(PAYLOAD) if kind == 1 else None)


def reads_as_the_library_does(data):
    start = time.monotonic()
    try:
        ours = weights_from_bytes(bytearray(data), "fuzz")
    except WeightsError:
        return False
    finally:
        assert time.monotonic() - start < SECONDS_PER_INPUT
    theirs = safetensors.numpy.load(bytes(data))
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array)
    return True


def fuzz_safetensors(count):
    rng = random.Random(SEED)
    accepted = sum(reads_as_the_library_does(mutated_safetensors(rng)) for _ in range(count))
    # Flips inside the numbers of a tensor are harmless: some inputs must be accepted.
    assert 0 < accepted < count


def test_seven_thousand_mutated_safetensors_crash_nothing():
    assert reads_as_the_library_does(whole_safetensors(WEIGHTS))
    fuzz_safetensors(7_000)


@pytest.mark.slow
def test_seventy_thousand_mutated_safetensors_crash_nothing():
    fuzz_safetensors(70_000)


@pytest.fixture
def a_quick_folder():
    """In memory where there is such a place: a busy disk takes 7 ms to make a file."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def fuzz_archives(folder, count):
    rng = random.Random(SEED)
    files = {"net/card.json": b"{}" * 50, "net/weights.safetensors": bytes(range(200))}
    whole = zip_of(folder / "a.zip", files.items()).read_bytes()
    parent = folder / "parent"
    parent.mkdir()
    accepted = 0
    target = parent / "target"
    target.mkdir()
    for _ in range(count):
        (folder / "a.zip").write_bytes(flipped(whole, rng))
        if any(target.iterdir()):
            shutil.rmtree(target)
            target.mkdir()
        start = time.monotonic()
        try:
            written = extract(folder / "a.zip", target)
        except WeightsError:
            continue
        finally:
            assert time.monotonic() - start < SECONDS_PER_INPUT
            assert list(parent.iterdir()) == [target]
        accepted += 1
        assert all(path.read_bytes() in files.values() for path in written)
    assert 0 < accepted < count


def test_three_thousand_mutated_archives_write_nothing_outside(a_quick_folder):
    fuzz_archives(a_quick_folder, 3_000)


@pytest.mark.slow
def test_thirty_thousand_mutated_archives_write_nothing_outside(a_quick_folder):
    fuzz_archives(a_quick_folder, 30_000)


def test_a_thousand_mutated_pickles_crash_nothing():
    import collections
    import pickle

    rng = random.Random(SEED)
    whole = pickle.dumps(collections.OrderedDict(a=[1, 2.5, "x"] * 20), 2)
    check_pickle(whole, "whole")
    for _ in range(1000):
        try:
            check_pickle(bytes(flipped(whole, rng)), "fuzz")
        except WeightsError:
            continue
