"""Frames: the same arrays come back, and what is damaged is refused before it is allocated."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SegmentationAILib.worker.frame import Frame, chunks_of_frame, frame_of_bytes
from SegmentationAILib.worker.protocol import WorkerError

COUNTED = np.arange(2 * 3 * 5, dtype=np.int16).reshape(2, 3, 5)


def bytes_of(frame: Frame) -> bytes:
    return b"".join(chunks_of_frame(frame))


@pytest.mark.parametrize(
    "array",
    [
        COUNTED,
        np.asfortranarray(COUNTED),
        COUNTED[:, ::-1, 1:4],
        COUNTED.astype(">i2"),
        COUNTED.astype("<f8") / 3,
        COUNTED.astype(np.uint8)[None],
    ],
    ids=["plain", "fortran", "strided", "big-endian", "float64", "uint8"],
)
def test_arrays_come_back_as_they_were_sent(array):
    frame = frame_of_bytes(bytes_of(Frame({"name": "Leber ü"}, {"a": array, "b": COUNTED})))
    assert frame.header == {"name": "Leber ü"}
    np.testing.assert_array_equal(frame.arrays["a"], array)
    np.testing.assert_array_equal(frame.arrays["b"], COUNTED)
    assert frame.arrays["a"].dtype == array.dtype.newbyteorder("<")
    assert frame.arrays["a"].flags.f_contiguous == array.flags.f_contiguous


def test_an_array_lies_in_the_frame_as_raw_little_endian_bytes():
    assert (
        bytes_of(Frame({}, {"a": COUNTED.astype(">i2")})).find(COUNTED.astype("<i2").tobytes()) % 64
        == 0
    )


def test_arrays_of_objects_do_not_travel():
    with pytest.raises(ValueError, match="do not travel"):
        bytes_of(Frame({}, {"a": np.array([{}, {}])}))


def claiming(**changes) -> bytes:
    row = {"name": "a", "dtype": "<i2", "shape": [2, 3, 5], "order": "C", **changes}
    text = json.dumps({"arrays": [row]}).encode()
    text += b" " * (-(16 + len(text)) % 64)
    data = COUNTED.tobytes()
    return struct.pack("<8sQ", b"SEGAIFRM", len(text)) + text + data + b"\0" * (-len(data) % 64)


def test_the_twin_of_the_claims_below_is_accepted():
    np.testing.assert_array_equal(frame_of_bytes(claiming()).arrays["a"], COUNTED)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [30000, 30000, 30000]},
        {"shape": [2**62, 2**62, 2**62]},
        {"shape": [2, 3, 4]},
        {"shape": [2, 3, -5]},
        {"shape": [2, 3, 0]},
        {"shape": [2, 3, 5.0]},
        {"shape": [True, 3, 10]},
        {"shape": []},
        {"shape": "30"},
        {"shape": None},
        {"dtype": "|O8"},
        {"dtype": "O"},
        {"dtype": ">i2"},
        {"dtype": ["<i2"]},
        {"order": "K"},
        {"name": 7},
    ],
)
def test_a_frame_that_claims_what_it_does_not_hold_is_refused(changes):
    with pytest.raises(WorkerError, match="damaged"):
        frame_of_bytes(claiming(**changes))


def test_a_frame_is_refused_when_it_is_cut_off_or_goes_on():
    whole = claiming()
    for damaged in (whole[:-1], whole[:100], whole[:7], b"", whole + b"\0" * 64):
        with pytest.raises(WorkerError):
            frame_of_bytes(damaged)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 300), st.binary(min_size=1, max_size=8))
def test_a_frame_with_any_bytes_changed_is_read_or_refused(place, change):
    damaged = bytearray(claiming())
    damaged[place : place + len(change)] = change
    try:
        frame = frame_of_bytes(damaged)
    except WorkerError:
        return
    assert sum(array.nbytes for array in frame.arrays.values()) <= len(damaged)
