"""Case 43: safetensors whose header lies, with their harmless twin."""

import time

import numpy as np
import pytest
from network_files import (
    header_of,
    safetensors_bytes,
    tiny_weights,
    whole_safetensors,
)

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.weights import read_weights

SECONDS_TO_REFUSE = 2.0


def bent(**changes):
    """The tiny network's file with one entry of its header changed."""
    header = header_of(tiny_weights())
    header["model.2.bias"] = {**header["model.2.bias"], **changes}
    return safetensors_bytes(header, payload())


def payload(weights=None):
    return b"".join(a.tobytes() for a in (weights or tiny_weights()).values())


def with_nan():
    weights = tiny_weights()
    weights["model.2.bias"][1] = np.nan
    return whole_safetensors(weights)


def doubled_key():
    row = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    return safetensors_bytes(f'{{"a":{row},"a":{row}}}', bytes(4))


def million_entries():
    row = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return safetensors_bytes("{" + ",".join(f'"{n}":{row}' for n in range(1_000_000)) + "}", b"")


def many_entries():
    row = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return safetensors_bytes("{" + ",".join(f'"{n}":{row}' for n in range(30_000)) + "}", b"")


WHOLE = whole_safetensors(tiny_weights())
END = header_of(tiny_weights())["model.2.bias"]["data_offsets"][1]
LYING_HEADERS = {
    "header longer than the file": (b"\xff\xff\xff\x7f\x00\x00\x00\x00" + WHOLE[8:], "announces"),
    "header of 2^63 bytes": (b"\x00" * 7 + b"\x80" + WHOLE[8:], "neither"),
    "overlap": (bent(data_offsets=[END - 16, END - 4]), "overlaps"),
    "gap": (safetensors_bytes({"a": {"dtype": "U8", "shape": [2], "data_offsets": [2, 4]}},
                              bytes(4)), "gap"),
    "shape of more bytes": (bent(shape=[4]), "needs 16"),
    "type of more bytes": (bent(dtype="F64"), "needs 24"),
    "shape whose product overflows": (bent(shape=[2**40, 2**40, 2**40]), "needs"),
    "negative": (bent(shape=[-3]), "counts"),
    "a bool as count": (bent(shape=[True, 3]), "counts"),
    "offsets in the wrong order": (bent(data_offsets=[END, END - 12]), "begin and an end"),
    "beyond the end": (bent(data_offsets=[END, END + 12]), "gap"),
    "unknown type": (bent(dtype="C64"), "unknown type"),
    "an extra field": (bent(extra=1), "data_offsets"),
    "bytes after the last tensor": (WHOLE + b"x", "but the file has"),
    "cut": (WHOLE[:-1], "but the file has"),
    "doubled key": (doubled_key(), "twice"),
    "a million entries": (million_entries(), "header of"),
    "many entries": (many_entries(), "30000 tensors"),
    "no entry": (safetensors_bytes({}, b""), "0 tensors"),
    "not a table": (safetensors_bytes("{}" + " " * 8 + "[", b""), "JSON"),
    "NaN weights": (with_nan(), r"'model\.2\.bias'"),
}  # fmt: skip


@pytest.mark.parametrize("name", LYING_HEADERS)
def test_case_43_a_lying_header_is_refused_within_two_seconds(tmp_path, name):
    data, said = LYING_HEADERS[name]
    (tmp_path / "net.safetensors").write_bytes(data)
    # seconds of this process: a busy machine is no fault of the reader
    start = time.process_time()
    with pytest.raises(WeightsError, match=said):
        read_weights(tmp_path / "net.safetensors")
    assert time.process_time() - start < SECONDS_TO_REFUSE


def test_case_43_twin_the_same_file_unbent_is_read(tmp_path):
    (tmp_path / "net.safetensors").write_bytes(bent())
    found = read_weights(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(found["model.2.bias"], tiny_weights()["model.2.bias"])
