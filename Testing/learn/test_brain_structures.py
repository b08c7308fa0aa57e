import numpy as np
import pytest

from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.learn.brain_structures import (
    CHANNEL_OF_CODE,
    CHANNELS,
    MIRRORED_CHANNEL,
    RIGHT,
    STRUCTURES,
    TISSUES,
    codes_from_label_map,
    tissues_of,
)

LEFT_AND_RIGHT = {2: 41, 3: 42, 4: 43, 5: 44, 7: 46, 8: 47, 10: 49, 11: 50, 12: 51, 13: 52}
LEFT_AND_RIGHT |= {17: 53, 18: 54, 26: 58, 28: 60}


def structures_of(values):
    """FreeSurfer number that is answered for label map values; 0 for background."""
    channels = CHANNEL_OF_CODE[codes_from_label_map(np.array(values))]
    return [0 if c == 0 else STRUCTURES[c - 1].value for c in channels]


def test_the_structures_are_those_of_the_label_maps_own_list(the_data):
    listed = (the_data / "brain-label-maps" / "labels.txt").read_text(encoding="utf-8")
    rows = [line.split(maxsplit=1) for line in listed.splitlines()]
    values = sorted(int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit())
    assert [0, *(structure.value for structure in STRUCTURES)] == values


def test_every_structure_is_answered_on_its_own_side():
    values = [structure.value for structure in STRUCTURES]
    assert structures_of(values) == values


def test_the_other_side_of_a_structure_is_that_of_freesurfer():
    values = [0, *(structure.value for structure in STRUCTURES)]
    mirrored = {value: values[MIRRORED_CHANNEL[c]] for c, value in enumerate(values)}
    for left, right in LEFT_AND_RIGHT.items():
        assert (mirrored[left], mirrored[right]) == (right, left)
    assert [mirrored[value] for value in (0, 14, 15, 16, 24)] == [0, 14, 15, 16, 24]


def test_both_sides_share_a_tissue():
    left, right = (
        codes_from_label_map(np.array(list(side)))
        for side in (LEFT_AND_RIGHT, LEFT_AND_RIGHT.values())
    )
    assert tissues_of(left).tolist() == tissues_of(right).tolist() == left.tolist()
    assert right.tolist() == (left + RIGHT).tolist()


def test_lesions_and_plexus_are_answered_by_their_surroundings():
    assert structures_of([25, 57, 136, 163, 137, 164, 72]) == [2, 41, 4, 43, 5, 44, 24]


def test_tissue_outside_the_brain_is_drawn_but_answered_as_background():
    outside = [502, 506, 507, 508, 509, 511, 512, 514, 515, 516, 530, 85]
    assert structures_of(outside) == [0] * len(outside)
    assert len(set(codes_from_label_map(np.array(outside)).tolist())) == len(outside)


def test_every_channel_is_drawn_from_some_tissue():
    assert sorted(set(CHANNEL_OF_CODE.tolist())) == list(range(CHANNELS))
    values = [value for tissue in TISSUES for value in (*tissue.left, *tissue.right)]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("value", [1, 600, 70_000, -3])
def test_an_unknown_value_is_named_in_the_error(value):
    with pytest.raises(GeometryError, match=str(value)):
        codes_from_label_map(np.array([0, 2, value]))
