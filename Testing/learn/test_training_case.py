"""Prepared cases: arrays that do not belong together are told to the programmer."""

import numpy as np
import pytest

from SegmentationAILib.learn.training_case import PreparedCase

INPUT = np.zeros((2, 5, 4, 3), np.float32)
CHANNELS = np.zeros((5, 4, 3), np.uint8)


@pytest.mark.parametrize(
    "arrays",
    [
        {"array": INPUT[0]},
        {"array": INPUT.astype(np.float64)},
        {"channels": CHANNELS[:4]},
        {"channels": CHANNELS.astype(np.int16)},
        {"weights": np.ones((5, 4, 2), np.float32)},
        {"weights": np.ones((5, 4, 3))},
        {"padding": (0.0,)},
    ],
)
def test_arrays_on_two_grids_or_of_other_types_are_no_case(arrays):
    right = {"array": INPUT, "channels": CHANNELS, "weights": None, "padding": (0.0, 1.0)}
    assert PreparedCase("a", **right).channels.shape == (5, 4, 3)
    with pytest.raises(ValueError, match=r"beside|needed|paddings"):
        PreparedCase("a", **{**right, **arrays})
