"""Undo and redo across accepted results of a scene, whichever segmentations they went to.

The state that is next is kept as it is, so that going there takes no time; those behind it are
packed, to 1 % of their voxels or less. What a person has edited since a result was accepted goes
with it, and comes back with redo.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import slicer

from ..core.errors import SegmentationAIError
from .scan_witness import is_in_scene
from .segmentation_state import (
    PackedImage,
    SegmentationState,
    bring_back,
    packed,
    referred_state,
    voxels_stamp,
)
from .ticker import Stop, Ticker
from .turns import Steps, elsewhere, run_in_turns

MOST_BYTES: Final = 256 << 20


@dataclass(eq=False)
class _Entry:
    """A state that a segmentation can go to."""

    node: slicer.vtkMRMLSegmentationNode
    segmentation: slicer.vtkSegmentation
    state: SegmentationState
    stamp: tuple[Any, ...] = ()
    stop_packing: Stop = lambda: None


class ResultHistory:
    """The accepted results of one scene, the last one first to be taken back.

    Args:
        scene: Results of segmentations that have left it are forgotten.
        ticker: Lets other threads pack what is kept.
        most_bytes: What the states may take; the oldest go first.
        on_change: Given a segmentation that lacks the surfaces it had.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        ticker: Ticker,
        most_bytes: int = MOST_BYTES,
        on_change: Callable[[slicer.vtkMRMLSegmentationNode], None] = lambda node: None,
    ) -> None:
        self._scene, self._ticker = scene, ticker
        self._most_bytes, self._on_change = most_bytes, on_change
        self._undo: list[_Entry] = []
        self._redo: list[_Entry] = []

    def accepted(self, node: slicer.vtkMRMLSegmentationNode, before: SegmentationState) -> None:
        """Remember what a segmentation was before a result was written into it."""
        self._redo.clear()
        self._keep(self._undo, _Entry(node, node.GetSegmentation(), before))

    def can_undo(self) -> bool:
        """Return whether there is a result to take back."""
        self._forget_the_gone()
        return bool(self._undo)

    def can_redo(self) -> bool:
        """Return whether there is one to bring back, and its segmentation is as undo left it."""
        self._forget_the_gone()
        return bool(self._redo) and voxels_stamp(self._redo[-1].node) == self._redo[-1].stamp

    def undo(self) -> slicer.vtkMRMLSegmentationNode:
        """Take the last result back and return its segmentation, which is what it was before.

        Raises:
            SegmentationAIError: There is none.
        """
        if not self.can_undo():
            raise SegmentationAIError("There is nothing to take back.")
        return self._exchanged(self._undo, self._redo)

    def redo(self) -> slicer.vtkMRMLSegmentationNode:
        """Bring the result back that was taken back last, with what was edited after it.

        Raises:
            SegmentationAIError: There is none, or its segmentation was edited since.
        """
        if not self.can_redo():
            raise SegmentationAIError("There is nothing to bring back.")
        return self._exchanged(self._redo, self._undo)

    def forget(self) -> None:
        """Drop everything, when the scene is closed."""
        self._undo.clear()
        self._redo.clear()

    def _exchanged(
        self, source: list[_Entry], other: list[_Entry]
    ) -> slicer.vtkMRMLSegmentationNode:
        entry = source.pop()
        entry.stop_packing()
        now = referred_state(entry.node)
        bring_back(entry.node, entry.state)
        stamp = voxels_stamp(entry.node)
        for one in self._redo:
            if one.node is entry.node:
                one.stamp = stamp
        self._keep(other, _Entry(entry.node, entry.segmentation, now, stamp))
        if now.has_surfaces or entry.state.has_surfaces:
            self._on_change(entry.node)
        return entry.node

    def _keep(self, where: list[_Entry], entry: _Entry) -> None:
        if where:
            below = where[-1]
            below.stop_packing = run_in_turns(self._packing(below.state), self._ticker)
        where.append(entry)

    def _packing(self, state: SegmentationState) -> Steps[None]:
        for index, image in enumerate(state.images):
            if isinstance(image, PackedImage):
                continue

            def work(image: slicer.vtkOrientedImageData = image) -> PackedImage:
                return packed(image)

            state.images[index] = yield from elsewhere(work, image.GetNumberOfPoints())
        while len(self._undo) > 1 and self._size_bytes() > self._most_bytes:
            self._undo.pop(0).stop_packing()

    def _size_bytes(self) -> int:
        return sum(entry.state.size_bytes for entry in (*self._undo, *self._redo))

    def _forget_the_gone(self) -> None:
        for entries in (self._undo, self._redo):
            entries[:] = [
                entry
                for entry in entries
                if is_in_scene(entry.node, self._scene)
                and entry.node.GetSegmentation() is entry.segmentation
            ]
