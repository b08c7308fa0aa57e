"""Case 23: MetaImage headers with which the usual reader returns garbage or overruns."""

import time
import zlib

import numpy as np
import pytest
from foreign_files import metaimage_bytes, some_voxels

VOXELS = some_voxels((17, 13, 11))


def test_case_23_a_compressed_size_that_is_absent_or_short(read, refuse):
    """Case 23: SimpleITK returns a full image. Twin: the size that it has."""
    whole = metaimage_bytes(VOXELS, compressed=True)
    stored = len(zlib.compress(VOXELS.tobytes(order="F")))
    assert np.array_equal(read(whole, "scan.mha").voxels[0], VOXELS)
    absent = metaimage_bytes(VOXELS, compressed=True, CompressedDataSize=None)
    assert "CompressedDataSize is 'absent'" in refuse(absent, "scan.mha")
    for size, word in ((stored - 1, "cut off"), (1, "claims"), (stored + 1, "cut off"),
                       (0, "CompressedDataSize"), (-5, "CompressedDataSize"),
                       (10**30, "CompressedDataSize")):  # fmt: skip
        content = metaimage_bytes(VOXELS, compressed=True, CompressedDataSize=size)
        assert word in refuse(content, "scan.mha")


def test_case_23_data_that_is_cut_or_damaged(read, refuse):
    """Case 23: a stream that ends early or fails its checksum, and raw data that ends early."""
    for compressed in (True, False):
        whole = metaimage_bytes(VOXELS, compressed=compressed)
        assert np.array_equal(read(whole, "scan.mha").voxels[0], VOXELS)
        assert "cut off" in refuse(whole[:-1], "scan.mha")
    damaged = bytearray(metaimage_bytes(VOXELS, compressed=True))
    damaged[-1] ^= 1
    assert "damaged" in refuse(bytes(damaged), "scan.mha")


def test_case_23_eleven_dimensions(read, refuse):
    """Case 23: twin: four dimensions, of which the last becomes channels."""
    content = metaimage_bytes(NDims=11, DimSize=" ".join("2" * 11))
    assert "NDims is '11'" in refuse(content, "scan.mha")
    series = some_voxels((5, 4, 3, 2))
    matrix = " ".join(str(int(v)) for v in np.eye(4).ravel())
    volume = read(
        metaimage_bytes(
            series, TransformMatrix=matrix, Offset="0 0 0 0", ElementSpacing="1 1 1 1",
            CenterOfRotation="0 0 0 0",
        ),
        "scan.mha",
    )  # fmt: skip
    assert np.array_equal(volume.voxels, np.moveaxis(series, -1, 0))


HOSTILE = [
    b"NDims = 2147483647\nDimSize = " + b"9" * 60 + b"\n",
    b"ObjectType = Image\nNDims = 3\nDimSize = 1 1 1\nElementNumberOfChannels = -2147483648\n",
    b"ObjectType = Image\nNDims = 3\nDimSize = " + b"1 " * 30,
    b"ObjectType = Image\nNDims = 3\nTransformMatrix = " + b"1 " * 30 + b"\n",
    b"ObjectType = Image\nNDims = 3\nOffset = " + b"1e999 " * 3 + b"\n",
    b"ObjectType = " + b"A" * 80,
    b"NDims=" + b"3" * 87,
]


@pytest.mark.parametrize("start", HOSTILE)
@pytest.mark.parametrize("end", [b"", b"\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"])
def test_case_23_small_headers_that_overrun_the_usual_reader(refuse, start, end):
    """Case 23: ITK issue 6853: 93 bytes suffice there for a write out of bounds.

    Our own parser is not the one with these defects, so no child has to die for it.
    """
    begin = time.monotonic()
    refuse((start + end)[:150], "scan.mha")
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize("key", ["CenterOfRotation", "Offset", "Position", "ElementSize"])
def test_case_23_a_vector_that_is_too_short_is_refused_even_where_it_is_not_used(read, refuse, key):
    """Case 23: ITK takes what is missing from the next line, and places the voxels by defaults.

    Twin: the same line with a number for each axis.
    """
    matrix = "1 0 0 0 1 0 0 0 1"
    place = {"ElementSpacing": "1 1 2.5", "TransformMatrix": matrix}
    assert f"its {key} is '7'" in refuse(metaimage_bytes(**{key: "7", **place}), "scan.mha")
    twin = read(metaimage_bytes(**{key: "7 8 9", **place}), "scan.mha")
    assert twin.spacing == (1, 1, 2.5)
    assert np.array_equal(twin.voxels[0], some_voxels())


def test_case_23_a_header_may_not_name_other_files(refuse, tmp_path):
    """Case 23 and 20: the voxels lie in the file itself; nothing that it names is opened."""
    (tmp_path / "secret.raw").write_bytes(bytes(4096))
    for target in ("secret.raw", "/etc/passwd", "../x", "http://example.org/x", "LIST", "scan.mha"):
        content = metaimage_bytes(ElementDataFile=target, data=b"")
        assert "LOCAL was expected" in refuse(content, "scan.mha")
