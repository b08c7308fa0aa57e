"""The margin of a channel is positive exactly where the channel wins."""

import numpy as np
import pytest

from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.channel_margin import NEVER, ChannelMargin, margin_of
from SegmentationAILib.core.patches import LogitsSlab
from SegmentationAILib.core.restore import restore_labels


def turned_mapping():
    """Network axes run along source axes K, I, J; X is flipped; J is covered in part alone."""
    plans = (
        AxisPlan(2, True, 12, 0, 12, covered=(0, 12), scaled=12, offset=0, size=12),
        AxisPlan(0, False, 5, 0, 5, covered=(0, 5), scaled=5, offset=0, size=5),
        AxisPlan(1, False, 9, 0, 7, covered=(0, 7), scaled=7, offset=0, size=7),
    )
    return axis_map(plans)


def slabs_of(logits, planes=5):
    for start in range(0, logits.shape[1], planes):
        stop = min(start + planes, logits.shape[1])
        yield LogitsSlab(0, start, stop, logits[:, start:stop])


@pytest.mark.parametrize("channel", [0, 1, 2, 3])
def test_the_margin_is_positive_exactly_where_the_labels_are_the_channels(channel):
    mapping = turned_mapping()
    logits = np.random.default_rng(3).normal(size=(4, 12, 5, 7)).astype(np.float32)
    found = ChannelMargin(mapping, channel)
    for slab in slabs_of(logits):
        found.add(slab)
    labels = restore_labels(slabs_of(logits), mapping, (40, 1, 2, 3))
    value = (40, 1, 2, 3)[channel]
    np.testing.assert_array_equal((found.margin() > 0)[:, :7], (labels == value)[:, :7])
    assert (found.margin()[:, 7:] == NEVER).all()


def test_of_labels_that_stand_alone_the_margin_is_the_logit():
    logits = np.array([[[[2.0]]], [[[5.0]]]], np.float32)
    assert margin_of(logits, 0, "sigmoid").item() == 2.0
    assert margin_of(logits, 0, "softmax").item() == -3.0


def test_missing_slabs_are_an_error():
    found = ChannelMargin(turned_mapping(), 0)
    found.add(next(slabs_of(np.zeros((2, 12, 5, 7), np.float32))))
    with pytest.raises(ValueError, match="ended at plane 5"):
        found.margin()
