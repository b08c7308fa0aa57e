"""Comparing two segmentations: boxes whose overlap is known by counting."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.compare import agreements, compare_segmentations
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.volume_node import node_from_volume

from phantoms import grid_around

GRID = grid_around((12.0, -7.0, 20.0), (17, 15, 13), spacing=(0.5, 2.0, 3.0))
VOXEL_ML = 0.003


def labelmap(boxes):
    voxels = np.zeros(GRID.shape, np.uint8, order="F")
    labels = []
    for value, (name, box) in enumerate(boxes.items(), start=2):
        if box is not None:
            voxels[tuple(slice(*axis) for axis in box)] = value
        labels.append(Label(value, name))
    return Labelmap((voxels,), tuple(labels), GRID.affine)


FIRST = {"Liver": ((0, 4), (0, 5), (0, 6)), "Gone": ((8, 10), (0, 1), (0, 1)), "Empty": None}
SECOND = {"New": ((8, 9), (0, 1), (0, 1)), "liver": ((2, 6), (0, 5), (0, 6)), "Empty": None}


def test_dice_and_volumes_are_those_of_counted_boxes():
    found = {row.name: row for row in agreements(labelmap(FIRST), labelmap(SECOND))}
    assert list(found) == ["Liver", "Gone", "Empty", "New"]
    liver = found["Liver"]
    assert liver.dice == pytest.approx(0.5)
    assert liver.first_ml == pytest.approx(120 * VOXEL_ML)
    assert liver.only_first_ml == pytest.approx(60 * VOXEL_ML)
    assert liver.only_second_ml == pytest.approx(60 * VOXEL_ML)
    assert (found["Gone"].dice, found["Gone"].second_ml) == (0.0, None)
    assert (found["New"].dice, found["New"].first_ml) == (0.0, None)
    assert (found["Empty"].dice, found["Empty"].first_ml) == (None, 0.0)


def test_the_differences_are_shown_where_they_are():
    scene = headless_slicer().scene
    volume_node = node_from_volume(
        Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine), scene, "CT"
    )
    nodes = [
        node_from_labelmap(labelmap(boxes), scene, volume_node, name)
        for boxes, name in ((FIRST, "A"), (SECOND, "B"))
    ]
    found, node = compare_segmentations(*nodes, volume_node, scene)
    assert [row.dice for row in found] == [0.5, 0.0, None, 0.0]
    shown = labelmap_from_node(node, volume_node)
    lost, gained = np.zeros(GRID.shape, bool), np.zeros(GRID.shape, bool)
    lost[0:2, 0:5, 0:6] = lost[8:10, 0:1, 0:1] = True
    gained[4:6, 0:5, 0:6] = gained[8:9, 0:1, 0:1] = True
    np.testing.assert_array_equal(shown.mask(shown.labels[0]), lost)
    np.testing.assert_array_equal(shown.mask(shown.labels[1]), gained)
    assert [label.name for label in shown.labels] == ["Lost", "Gained"]
    assert node.GetName() == "A to B"


def test_two_segments_of_one_name_are_refused():
    twice = Labelmap(labelmap(FIRST).layers, (Label(2, "Liver"), Label(3, "liver")), GRID.affine)
    with pytest.raises(SegmentationAIError, match="'liver'"):
        agreements(twice, labelmap(SECOND))


def test_the_worst_place_is_the_middle_of_what_differs_on_the_worst_slice():
    """The liver differs on six slices alike, "Gone" on its one voxel column."""
    found = {row.name: row for row in agreements(labelmap(FIRST), labelmap(SECOND))}
    # Lost are i = 0, 1 and gained i = 4, 5, both with j = 0 to 4; the first slice is taken.
    middle = GRID.affine @ (2.5, 2.0, 0.0, 1.0)
    np.testing.assert_allclose(found["Liver"].worst_ras, middle[:3])
    np.testing.assert_allclose(found["Gone"].worst_ras, (GRID.affine @ (8.5, 0, 0, 1))[:3])
    assert found["Empty"].worst_ras is None
