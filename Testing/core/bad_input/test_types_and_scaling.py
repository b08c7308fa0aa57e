"""Cases 10 to 12 and 19: types, offsets, scaling and byte orders."""

import math
import struct

import numpy as np
import pytest
from foreign_files import gzipped, nifti2_bytes, nifti_bytes, some_voxels


@pytest.mark.parametrize(
    ("code", "word"),
    [(9999, "unknown datatype code 9999"), (-1, "unknown datatype code -1"), (0, "no declared"),
     (1, "binary"), (32, "complex64"), (1792, "complex128"), (2048, "complex256"),
     (128, "RGB24"), (2304, "RGBA32"), (1536, "float128")],
)  # fmt: skip
def test_case_10_types_that_are_not_read_are_named(refuse, code, word):
    """Case 10: the message names the type."""
    assert word in refuse(nifti_bytes(some_voxels(), datatype=code))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
def test_case_10_types_that_are_read(read, dtype):
    """Case 10, twin: every other type is kept as it is stored."""
    volume = read(nifti_bytes(some_voxels(dtype=dtype)))
    assert volume.voxels.dtype == np.dtype(dtype)
    assert np.array_equal(volume.voxels[0], some_voxels(dtype=dtype))


@pytest.mark.parametrize("offset", [1e30, math.nan, math.inf, -352.0, 0.0, 348.0, 352.5, 473.0])
def test_case_11_voxels_that_begin_where_they_cannot(refuse, offset):
    """Case 11: SimpleITK accepts 1e30 and -352."""
    sentence = refuse(nifti_bytes(some_voxels(), vox_offset=offset))
    assert "vox_offset" in sentence or "claims 120 bytes" in sentence
    assert refuse(gzipped(nifti_bytes(some_voxels(), vox_offset=offset)), "scan.nii.gz")


def test_case_11_an_offset_behind_extensions(read):
    """Case 11, twin: extensions of the header may lie before the voxels."""
    content = nifti_bytes(some_voxels(), vox_offset=368.0)
    volume = read(content[:352] + bytes(16) + content[352:])
    assert np.array_equal(volume.voxels[0], some_voxels())


@pytest.mark.parametrize("slope", [math.nan, 0.0, math.inf, -math.inf])
def test_case_12_a_slope_that_scales_nothing_is_taken_as_one(read, slope):
    """Case 12: treated as 1, and said. Twin: a slope of 2 scales."""
    volume = read(nifti_bytes(slope=slope, inter=5.0))
    assert np.array_equal(volume.voxels[0], some_voxels())
    assert volume.voxels.dtype == np.int16
    assert volume.notes == (f"The header's intensity slope is {slope:g}; it was taken as 1.",)
    twin = read(nifti_bytes(slope=2.0, inter=5.0))
    assert np.array_equal(twin.voxels[0], some_voxels() * 2.0 + 5.0)
    assert twin.notes == ()


def test_case_12_an_intercept_that_is_no_number_is_taken_as_zero(read):
    """Case 12, its neighbor."""
    volume = read(nifti_bytes(slope=2.0, inter=math.nan))
    assert np.array_equal(volume.voxels[0], some_voxels() * 2.0)
    assert "taken as 0" in volume.notes[0]


SROW = (-0.5, 0.1, 0, 9, 0.1, 0.5, 0, 8, 0, 0, 2, 7)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
def test_case_19_byte_orders_and_versions_are_the_same(read, dtype):
    """Case 19: big-endian and NIfTI-2 give the voxels and the place of little-endian NIfTI-1."""
    voxels = some_voxels(dtype=dtype)
    expected = np.vstack([np.reshape(SROW, (3, 4)), [0, 0, 0, 1]])
    for content in (
        nifti_bytes(voxels, srow=SROW),
        nifti_bytes(voxels, srow=SROW, order=">"),
        nifti2_bytes(voxels, srow=SROW),
        nifti2_bytes(voxels, srow=SROW, order=">"),
    ):
        volume = read(content)
        assert np.array_equal(volume.voxels[0], voxels)
        assert volume.voxels.dtype.isnative
        np.testing.assert_allclose(volume.affine, expected, atol=1e-6)


def test_case_19_analyze_is_refused(refuse):
    """Case 19: Analyze 7.5 does not tell left from right."""
    assert "Analyze 7.5" in refuse(nifti_bytes(magic=b"\0\0\0\0"))
    content = bytearray(nifti2_bytes(some_voxels()))
    struct.pack_into("<8s", content, 4, b"n+2\0\n\n\x1a\n")
    assert "damaged NIfTI-2 signature" in refuse(bytes(content))
