"""Segment Editor logics: the embedded editor's own where it shows a node, else one for each node.

The logic holds the undo states of one segmentation; a logic for each lets every result be undone,
also when the next case of a queue has been finished meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import slicer

# The editor node of the module's own Segment Editor; its settings count for all that is written.
EDITOR_TAG: Final = "SegmentationAI"
# Logic of the editor that a person works with, None while there is none.
ShownEditor = Callable[[], slicer.vtkSlicerSegmentEditorLogic | None]


class SegmentEditors:
    """The editor logics on one scene.

    Args:
        scene: Gets hidden parameter nodes, which are not saved with it.
        shown: Finds the editor that a person works with: its settings and its undo are used for the
            segmentation that it shows.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, shown: ShownEditor = lambda: None) -> None:
        self._scene = scene
        self._shown = shown
        self._own: dict[str, slicer.vtkSlicerSegmentEditorLogic] = {}

    def editor_of(self, node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkSlicerSegmentEditorLogic:
        """Return the logic that edits ``node``."""
        shown = self._shown()
        if shown is not None and shown.GetSegmentationNode() is node:
            return shown
        logic = self._own.get(node.GetID())
        if logic is None or logic.GetSegmentationNode() is not node:
            logic = self._own[node.GetID()] = self._new(node)
        return logic

    @contextmanager
    def settings_for(self, logic: slicer.vtkSlicerSegmentEditorLogic) -> Iterator[None]:
        """Let the settings of the module's Segment Editor hold in a logic during the block.

        They hold for the segmentation that the Segment Editor shows; for another one, which may
        lack the segments that they name, nothing is changed.
        """
        person = self._scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if person is None or person.GetSegmentationNode() is not logic.GetSegmentationNode():
            yield
            return
        with settings_taken_from(
            person, logic.GetSegmentEditorNode(), person.GetSourceVolumeNode()
        ):
            yield

    def forget(self, node_id: str) -> None:
        """Drop the editor and the undo states of a segmentation that has left the scene."""
        logic = self._own.pop(node_id, None)
        if logic is not None:
            parameters = logic.GetSegmentEditorNode()
            logic.SetSegmentEditorNode(None)
            if parameters is not None and parameters.GetScene() is self._scene:
                self._scene.RemoveNode(parameters)

    def forget_all(self) -> None:
        """Drop every editor, when the scene is closed."""
        for node_id in list(self._own):
            self.forget(node_id)

    def _new(self, node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkSlicerSegmentEditorLogic:
        self.forget(node.GetID())
        parameters = slicer.vtkMRMLSegmentEditorNode()
        parameters.SetHideFromEditors(True)
        parameters.SetSaveWithScene(False)
        self._scene.AddNode(parameters)
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(self._scene)
        logic.SetSegmentEditorNode(parameters)
        parameters.SetAndObserveSegmentationNode(node)
        return logic


@contextmanager
def settings_taken_from(
    person: slicer.vtkMRMLSegmentEditorNode,
    editor: slicer.vtkMRMLSegmentEditorNode,
    volume: slicer.vtkMRMLScalarVolumeNode | None,
) -> Iterator[None]:
    """Let a person's masking and overwriting hold in another editor during the block.

    Args:
        person: Holds the settings; may be ``editor`` itself.
        editor: Has its own settings again afterwards.
        volume: Whose intensities limit what is edited, where they do.
    """
    if person is editor:
        yield
        return
    before = _settings(editor), editor.GetSourceVolumeNode()
    _set(editor, _settings(person), volume)
    try:
        yield
    finally:
        _set(editor, *before)


@contextmanager
def settings_for_one_change(
    editor: slicer.vtkMRMLSegmentEditorNode, takes_from_others: bool
) -> Iterator[None]:
    """Edit everywhere during the block, without overwriting unless ``takes_from_others``.

    The editable area has been applied to what is written by then. Nobody is told of the change:
    it is undone before the block's caller gives control back.

    Args:
        editor: Its settings are the same again afterwards.
        takes_from_others: Whether the person's overwrite mode holds.
    """
    was_silent = editor.GetDisableModifiedEvent()
    mask, overwrite = editor.GetMaskMode(), editor.GetOverwriteMode()
    editor.SetDisableModifiedEvent(1)
    try:
        editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
        if not takes_from_others:
            editor.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
        yield
    finally:
        editor.SetMaskMode(mask)
        editor.SetOverwriteMode(overwrite)
        editor.SetDisableModifiedEvent(was_silent)


def _settings(editor: slicer.vtkMRMLSegmentEditorNode) -> tuple[Any, ...]:
    return (
        editor.GetMaskMode(),
        editor.GetMaskSegmentID(),
        editor.GetOverwriteMode(),
        editor.GetSourceVolumeIntensityMask(),
        editor.GetSourceVolumeIntensityMaskRange(),
    )


def _set(
    editor: slicer.vtkMRMLSegmentEditorNode,
    settings: tuple[Any, ...],
    volume: slicer.vtkMRMLScalarVolumeNode | None,
) -> None:
    mask_mode, mask_segment, overwrite_mode, has_range, intensities = settings
    editor.SetMaskMode(mask_mode)
    editor.SetMaskSegmentID(mask_segment)
    editor.SetOverwriteMode(overwrite_mode)
    editor.SetSourceVolumeIntensityMask(has_range)
    editor.SetSourceVolumeIntensityMaskRange(*intensities)
    editor.SetAndObserveSourceVolumeNode(volume)
