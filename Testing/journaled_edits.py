"""Edits that a process makes until it is killed, and what they leave behind, by numpy alone.

Run as a script it edits real segments in a loop, journals every edit, and says so on its standard
output; the first byte of its second argument's file is 1 while the journal is being written.
"""

import mmap
import sys
from pathlib import Path

import numpy as np

from SegmentationAILib.core.volume import Volume

from phantoms import grid_around

GRID = grid_around((12.0, -7.0, 20.0), (72, 60, 40))
NAMES = ("Liver", "Spleen", "Kidney")


def edit(seed, number):
    """Segment, box and whether it is erased: the edit of this number."""
    rng = np.random.default_rng([seed, number])
    start = rng.integers(0, np.array(GRID.shape) - 8)
    stop = np.minimum(start + rng.integers(3, 30, 3), GRID.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return NAMES[rng.integers(len(NAMES))], box, bool(rng.random() < 0.3)


def masks_after(seed, edits):
    """The masks of all segments after so many edits."""
    masks = {name: np.zeros(GRID.shape, bool) for name in NAMES}
    for number in range(edits):
        name, box, erases = edit(seed, number)
        masks[name][box] = not erases
    return masks


def main(folder, phase_file, seed):
    import slicer

    from SegmentationAILib.scene.bootstrap import headless_slicer
    from SegmentationAILib.scene.journal_keeper import JournalKeeper
    from SegmentationAILib.scene.placement import matrix_from_affine
    from SegmentationAILib.scene.ticker import PlainTicker
    from SegmentationAILib.scene.volume_node import node_from_volume
    from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels

    with Path(phase_file).open("r+b") as file:
        phase = mmap.mmap(file.fileno(), 1)
    scene = headless_slicer().scene
    ticker = PlainTicker()
    keeper = JournalKeeper(scene, Path(folder), ticker)
    append = keeper.journal.append

    def seen_append(records):
        phase[0] = 1
        append(records)
        phase[0] = 0

    keeper.journal.append = seen_append
    volume = Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Edited")
    node.SetReferenceImageGeometryParameterFromVolumeNode(node_from_volume(volume, scene, "CT"))
    node.CreateDefaultDisplayNodes()
    for name in NAMES:
        node.GetSegmentation().AddEmptySegment(f"id of {name}", name, (0.5, 0.25, 0.125))
    editor = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetAndObserveSegmentationNode(node)
    editor.SetOverwriteMode(editor.OverwriteNone)
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(scene)
    logic.SetSegmentEditorNode(editor)
    ticker.turn()
    number = 0
    while True:
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        name, box, erases = edit(seed, number)
        image = slicer.vtkOrientedImageData()
        image.SetExtent(*[n for s in box for n in (s.start, s.stop - 1)])
        ones = np.ones([s.stop - s.start for s in box], np.uint8, order="F")
        image.GetPointData().SetScalars(scalars_from_voxels(ones[None]))
        image.SetImageToWorldMatrix(matrix_from_affine(GRID.affine))
        mode = logic.ModificationModeRemove if erases else logic.ModificationModeAdd
        logic.ModifySegmentByLabelmap(node, f"id of {name}", image, mode, False, False)
        ticker.turn()
        number += 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
