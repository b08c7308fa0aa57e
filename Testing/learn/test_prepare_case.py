"""Prepared cases: the input is what segmenting gives, the labels lie on the same grid."""

from dataclasses import replace

import numpy as np
import pytest
from training_sets import a_plan, moved, sphere_case

from SegmentationAILib.core.errors import GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.pipeline import segment
from SegmentationAILib.learn.prepare_case import channels_of_labels, prepared_case
from SegmentationAILib.learn.training_case import IGNORED
from SegmentationAILib.networks.card import Architecture, Channel, Intensity
from SegmentationAILib.networks.segmenter import recipe_of

LABELS = (Label(1, "Shell"), Label(3, "Core"))


def sphere_plan(**changes):
    plan = a_plan(
        labels=LABELS,
        channels=(Channel("mri"),),
        architecture=Architecture("dynunet", (("in_channels", 1), ("out_channels", 3))),
        orientation="LPS",
        spacing_mm=(1.1, 1.2, 1.9),
        conventions="",
    )
    return replace(plan, **changes)


def input_seen_when_segmenting(volume, plan):
    """What a network of the plan's card is called with, the whole grid at once."""
    seen = []

    def network(patch, /):
        seen.append(patch.copy())
        return np.zeros((1, 3, *patch.shape[2:]), np.float32)

    segment(volume, network, replace(recipe_of(plan.card()), patch_shape=None))
    return seen[0][0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"conventions": "nnunet", "spacing_mm": (1.1, 1.2, 0.7)},
        {"intensity": Intensity("clip", (("high", 250.0), ("low", -60.0)))},
        {"spacing_mm": (0.9, 1.3, 2.5), "orientation": "RAS"},
    ],
    ids=["ours", "nnunet", "clip", "same spacing"],
)
def test_the_input_is_bit_for_bit_what_segmenting_gives_the_network(changes):
    plan = sphere_plan(**changes)
    volume, labelmap = sphere_case(4)
    case = prepared_case("a", volume, labelmap, plan)
    expected = input_seen_when_segmenting(volume, plan)
    assert case.array.shape == expected.shape
    assert case.array.tobytes() == expected.tobytes()


@pytest.mark.parametrize("conventions", ["", "nnunet"])
def test_labels_lie_on_the_bright_voxels_of_the_input(conventions):
    """The phantom is 300 in the sphere and 400 in its core on -50: a threshold finds the labels."""
    plan = sphere_plan(conventions=conventions, intensity=Intensity("none"))
    case = prepared_case("a", *sphere_case(4, radius_mm=9.0), plan)
    assert set(np.unique(case.channels)) == {0, 1, 2}
    bright, labeled = case.array[0] > 125.0, case.channels > 0
    assert 2 * (bright & labeled).sum() / (bright.sum() + labeled.sum()) > 0.85
    middles = [np.argwhere(one).mean(axis=0) for one in (bright, labeled, case.channels == 2)]
    assert np.ptp(middles, axis=0).max() < 0.5


def test_values_become_channels_and_unknown_ones_are_named():
    values = np.array([[[0, 1, 3, 300]]], np.uint16)
    labels = (Label(3, "c"), Label(300, "x"), Label(1, "a"))
    labelmap = Labelmap((values,), (), np.eye(4))
    assert channels_of_labels(labelmap, labels, "a").ravel().tolist() == [0, 3, 1, 2]
    with pytest.raises(SegmentationAIError, match=r"a has the label values \[300\]"):
        channels_of_labels(labelmap, labels[:1] + labels[2:], "a")
    huge = Labelmap((np.array([[[0, 1, 4_000_000_000]]], np.uint32),), (), np.eye(4))
    with pytest.raises(SegmentationAIError, match="4000000000"):
        channels_of_labels(huge, labels, "a")


def test_a_labelmap_that_lies_elsewhere_is_refused():
    volume, labelmap = sphere_case(4)
    elsewhere = moved(labelmap.grid, origin_mm=(0.5, 0, 0))
    with pytest.raises(GeometryError, match="lie up to"):
        prepared_case(
            "a", volume, Labelmap(labelmap.layers, LABELS, elsewhere.affine), sphere_plan()
        )


def test_what_the_crop_leaves_out_is_in_no_case():
    """nnU-Net's crop: zeros around the patient go, and with them their labels."""
    volume, labelmap = sphere_case(4)
    voxels = volume.voxels.copy()
    voxels[:, :6] = 0
    plan = sphere_plan(conventions="nnunet", spacing_mm=(0.9, 1.3, 2.5))
    case = prepared_case("a", replace(volume, voxels=voxels), labelmap, plan)
    assert case.channels.shape == (16, 18, 12)
    assert not (case.channels == IGNORED).any()
