import numpy as np
import pytest

from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.painted_regions import PaintedRestorer
from SegmentationAILib.core.patches import LogitsSlab


def identity(shape):
    return axis_map(
        tuple(AxisPlan(axis, False, n, 0, n, (0, n), n, 0, n) for axis, n in enumerate(shape))
    )


def nested():
    """Logits of three regions, each within the one before, but for one voxel of the last alone."""
    logits = np.full((3, 6, 5, 4), -1.0, np.float32)
    logits[0, 1:6] = 1.0
    logits[1, 2:5] = 0.5
    logits[2, 3] = 0.25
    logits[2, 0, 0, 0] = 2.0
    return logits


def painted(values):
    restorer = PaintedRestorer(identity((6, 5, 4)), values)
    logits = nested()
    restorer.add(LogitsSlab(0, 0, 4, logits[:, :4]))
    restorer.add(LogitsSlab(0, 4, 6, logits[:, 4:]))
    return restorer.labels()


def test_the_last_region_that_holds_wins():
    labels = painted((1, 2, 3))
    assert labels[:, 1, 1].tolist() == [0, 1, 2, 3, 2, 1]
    assert labels[0, 0, 0] == 3


def test_values_are_those_of_the_order_that_was_asked_for():
    """nnU-Net's ``regions_class_order`` need not rise."""
    assert painted((2, 3, 1))[:, 1, 1].tolist() == [0, 2, 3, 1, 3, 2]


def test_missing_slabs_and_other_channels_are_refused():
    restorer = PaintedRestorer(identity((6, 5, 4)), (1, 2, 3))
    with pytest.raises(ValueError, match="2 channels for 3 label values"):
        restorer.add(LogitsSlab(0, 0, 6, nested()[:2]))
    with pytest.raises(ValueError, match="slabs ended"):
        restorer.labels()
