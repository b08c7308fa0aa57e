"""Voxels in the order of a file: every value in its place, from any layout in memory."""

from itertools import product

import numpy as np
import pytest

from SegmentationAILib.core.voxel_order import file_blocks, from_file_order

SHAPE = (37, 66, 70)  # more than two tiles along every axis that changes places, and none whole


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_each_voxel_lies_where_the_format_says(channels, interleaved, layout):
    rng = np.random.default_rng(2)
    voxels = rng.integers(-9000, 9000, (channels, *SHAPE)).astype(np.int16)
    given = np.asarray(voxels, order="F" if layout == "F" else "C")
    if layout == "strided":
        given = np.repeat(voxels, 2, axis=2)[:, :, ::2]
    blocks = file_blocks(given, np.dtype(">i2"), interleaved)
    stored = np.frombuffer(bytearray().join(b.tobytes() for b in blocks), ">i2")
    # By the definition of the order, not by another transposition.
    i_size, j_size, k_size = SHAPE
    for c, i, j, k in product(range(channels), (0, 31, 32, 36), (0, 33, 65), (0, 31, 32, 64, 69)):
        at = i + i_size * (j + j_size * k)
        place = c + channels * at if interleaved else at + c * i_size * j_size * k_size
        assert stored[place] == voxels[c, i, j, k]
    again = from_file_order(stored, SHAPE, channels, interleaved)
    assert again.dtype == np.int16
    np.testing.assert_array_equal(again, voxels)


def test_a_volume_in_file_order_is_not_copied():
    voxels = np.zeros((1, *SHAPE), np.int16, order="F")
    for block in file_blocks(voxels, np.dtype("<i2")):
        assert np.shares_memory(block, voxels)
