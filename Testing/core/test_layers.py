import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.core.layers import LayerRestorer
from SegmentationAILib.core.patches import LogitsSlab

SHAPE = (12, 14, 10)
LABELS = (Label(1, "inner"), Label(2, "outer"), Label(3, "elsewhere"))


def a_mapping():
    return axis_map(
        (
            AxisPlan(
                1, True, length=25, start=0, stop=25, covered=(0, 25), scaled=12, offset=0, size=12
            ),
            AxisPlan(
                0, False, length=14, start=0, stop=14, covered=(0, 14), scaled=14, offset=0, size=14
            ),
            AxisPlan(
                2, False, length=17, start=0, stop=17, covered=(0, 17), scaled=10, offset=0, size=10
            ),
        )
    )


def ball_logits(center, radius):
    distance = np.linalg.norm(np.indices(SHAPE) - np.reshape(center, (3, 1, 1, 1)), axis=0)
    return radius - distance


def the_logits():
    """A ball within a larger one, and a third beside both."""
    balls = [((4, 4, 4), 1.8), ((4, 4, 4), 3.6), ((9, 10, 6), 2.2)]
    return np.stack([ball_logits(*ball) for ball in balls]).astype(np.float32)


def expected_mask(logits, mapping, least_logit):
    where = np.meshgrid(*mapping.coordinates, indexing="ij")
    values = map_coordinates(logits.astype(float), where, order=1, mode="nearest")
    return values.transpose(np.argsort(mapping.source_axis)) > least_logit


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_masks_equal_thresholded_interpolation_and_overlapping_ones_get_layers(threshold):
    mapping, logits = a_mapping(), the_logits()
    restorer = LayerRestorer(mapping, LABELS, [threshold] * 3)
    for start in range(0, 12, 5):
        restorer.add(LogitsSlab(0, start, min(12, start + 5), logits[:, start : start + 5]))
    layers, table = restorer.layers()
    assert [label.layer for label in table] == [0, 1, 0]
    for label, channel in zip(table, logits, strict=True):
        expected = expected_mask(channel, mapping, np.log(threshold / (1 - threshold)))
        np.testing.assert_array_equal(layers[label.layer] == label.value, expected)
        assert expected.any()


def test_a_channel_that_is_not_wanted_leaves_nothing():
    restorer = LayerRestorer(a_mapping(), (None, LABELS[1], None))
    restorer.add(LogitsSlab(0, 0, 12, the_logits()))
    layers, table = restorer.layers()
    assert len(layers) == 1
    assert table == (LABELS[1],)
    assert np.unique(layers[0]).tolist() == [0, 2]


def test_two_labels_of_one_value_never_share_a_layer():
    restorer = LayerRestorer(a_mapping(), (Label(1, "left"), None, Label(1, "right")))
    restorer.add(LogitsSlab(0, 0, 12, the_logits()))
    _, table = restorer.layers()
    assert [label.layer for label in table] == [0, 1]


@pytest.mark.parametrize("thresholds", [[0.5], [0.5, 0.5, 1.0], [0.0, 0.5, 0.5]])
def test_thresholds_that_are_no_probabilities_are_refused(thresholds):
    with pytest.raises(ValueError, match="threshold"):
        LayerRestorer(a_mapping(), LABELS, thresholds)
