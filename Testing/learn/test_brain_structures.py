import numpy as np
import pytest

from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.learn.brain_structures import (
    CHANNEL_OF_TISSUE,
    CHANNELS,
    STRUCTURES,
    TISSUES,
    tissues_from_label_map,
)


def structures_of(values):
    """FreeSurfer number that is answered for label map values; 0 for background."""
    channels = CHANNEL_OF_TISSUE[tissues_from_label_map(np.array(values))]
    return [0 if c == 0 else STRUCTURES[c - 1].value for c in channels]


def test_left_and_right_are_answered_as_one_structure():
    left = [2, 3, 4, 7, 8, 10, 11, 12, 13, 17, 18, 28]
    right = [41, 42, 43, 46, 47, 49, 50, 51, 52, 53, 54, 60]
    assert structures_of(left) == left
    assert structures_of(right) == left


def test_merged_and_lesion_values_are_answered_by_their_surroundings():
    # inferior horns and plexus: lateral ventricle; accumbens: caudate; lesions: white matter
    assert structures_of([5, 44, 136, 164, 26, 58, 25, 57]) == [4, 4, 4, 4, 11, 11, 2, 2]


def test_tissue_outside_the_brain_is_drawn_but_answered_as_background():
    outside = [502, 506, 507, 508, 509, 511, 512, 514, 515, 516, 530, 85]
    assert structures_of(outside) == [0] * len(outside)
    assert len(set(tissues_from_label_map(np.array(outside)).tolist())) == len(outside)


def test_every_channel_is_drawn_from_some_tissue():
    assert sorted(set(CHANNEL_OF_TISSUE.tolist())) == list(range(CHANNELS))
    assert len({value for tissue in TISSUES for value in tissue.sources}) == sum(
        len(tissue.sources) for tissue in TISSUES
    )


@pytest.mark.parametrize("value", [1, 600, 70_000, -3])
def test_an_unknown_value_is_named_in_the_error(value):
    with pytest.raises(GeometryError, match=str(value)):
        tissues_from_label_map(np.array([0, 2, value]))
