"""Draws the pictures that `test_pictures` looks at, in a process of its own: OpenGL may crash."""

import sys
from pathlib import Path

import numpy as np

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask

RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def two_balls():
    """A red ball in the middle and a green one 18 mm to the patient's right, on gray ground."""
    grid = grid_around(SPHERE_CENTER_RAS)
    voxels = np.zeros(grid.shape, np.uint8, order="F")
    voxels[sphere_mask(grid, radius_mm=10.0)] = 1
    voxels[sphere_mask(grid, np.add(SPHERE_CENTER_RAS, (18, 0, 0)), 5.0)] = 2
    gray = np.random.default_rng(0).uniform(0, 100, grid.shape).astype(np.float32)
    labels = (Label(1, "red", RED), Label(2, "green", GREEN))
    return Volume(gray[None], grid.affine), Labelmap((voxels,), labels, grid.affine)


def draw(folder: Path) -> None:
    """Draw the pictures, twice, so that a second call in one scene is known to work."""
    from SegmentationAILib.scene.bootstrap import headless_slicer
    from SegmentationAILib.scene.pictures import render_pictures
    from SegmentationAILib.scene.segmentation_node import node_from_labelmap
    from SegmentationAILib.scene.volume_node import node_from_volume

    headless = headless_slicer()
    volume, labelmap = two_balls()
    volume_node = node_from_volume(volume, headless.scene, "gray")
    node = node_from_labelmap(labelmap, headless.scene, volume_node, "balls")
    before = headless.scene.GetNumberOfNodes()
    for size in (64, 300):
        render_pictures(volume_node, node, folder, headless.application_logic, size)
    assert headless.scene.GetNumberOfNodes() == before


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
