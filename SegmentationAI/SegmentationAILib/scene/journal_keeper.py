"""Every correction and every accepted result since the last save goes to a journal at once.

Edits of one turn of the event loop are written together: their voxels are copied in steps between
its turns, and compared, packed and written on another thread. What `Journal.append` has returned
from survives the end of the process, whatever ends it.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import slicer

from ..core.journal import Journal, Record
from .journal_restore import restore_journal
from .journaled_node import CapturedNode, JournaledNode
from .segmentation_watch import SegmentationWatch
from .ticker import Ticker
from .turns import Steps, elsewhere, run_in_turns, run_to_end

# A journal that has grown to this is rewritten as one state for each segment.
LARGEST_JOURNAL_BYTES: Final = 256 << 20
logger = logging.getLogger(__name__)
T = TypeVar("T")


class JournalKeeper:
    """Keeps the journal of one scene.

    Args:
        scene: Its segmentations are watched, previews left out.
        folder: Where journals of all windows lie; made for the owner alone when absent.
        ticker: Calls back in the next turn of the event loop.
        on_trouble: Told in a sentence when the journal cannot be written.
        largest_bytes: Size at which the journal is rewritten.

    Raises:
        OSError: The journal cannot be made.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        folder: Path,
        ticker: Ticker,
        on_trouble: Callable[[str], None] = logger.warning,
        largest_bytes: int = LARGEST_JOURNAL_BYTES,
    ) -> None:
        self._ticker = ticker
        self._on_trouble = on_trouble
        self._largest_bytes = largest_bytes
        self._scene = scene
        self._nodes: dict[str, JournaledNode] = {}
        self._touched: dict[str, bool] = {}
        self._held: set[str] = set()
        self._steps: Steps[bool] | None = None
        self._is_due = self._is_stepping = self._is_marking = self._is_stale = False
        self.journal = Journal(folder)
        self._watch = SegmentationWatch(scene, self)

    def flush(self) -> None:
        """Write what has changed; it is on the disk when this returns."""
        run_to_end(self.written())

    def written(self) -> Steps[None]:
        """Write what has changed, step by step; it is on the disk when the steps are over."""
        while not self._is_stepping and (self._steps or self._waiting() or self._is_stale):
            if self._steps is None:
                self._steps = self._write()
            self._is_stepping = True
            try:
                pause = next(self._steps)
            except StopIteration as stop:
                self._steps = None
                if not stop.value:
                    return
                continue
            finally:
                self._is_stepping = False
            yield pause

    def result_written(self, node: slicer.vtkMRMLSegmentationNode, steps: Steps[T]) -> Steps[T]:
        """Hold back the node's edits during steps, which are a program's and no correction.

        Edits before them are in the journal when they begin, and they when these steps end.
        """
        yield from self.written()
        node_id = node.GetID()
        self._held.add(node_id)
        try:
            answer = yield from steps
        finally:
            self._held.discard(node_id)
            if node_id in self._touched:
                self._touched[node_id] = True
                self._soon()
        yield from self.written()
        return answer

    def restore(self, path: Path) -> tuple[list[slicer.vtkMRMLSegmentationNode], tuple[str, ...]]:
        """Bring an abandoned journal's segmentations into the scene, and take its file over.

        A segmentation that was made or edited since it was loaded is left as it is.

        Returns:
            The segmentations, and notes about what could not be brought back.

        Raises:
            FileFormatError: The file is not a journal, or not one that this version reads.
        """
        self.flush()
        newer = {i for i, one in self._nodes.items() if one.is_in_journal} | set(self._touched)
        nodes, notes = restore_journal(path, self._scene, newer)
        for node in nodes:
            self._touched[node.GetID()] = True
        self.flush()
        if not self._touched:
            # Else the disk has refused them, and the file is all that there is.
            path.unlink(missing_ok=True)
        return nodes, notes

    def changed_by_program(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Write what a program has just changed, which is no correction, in the next turn."""
        self._touched[node.GetID()] = True
        self._soon()

    def close(self) -> None:
        """Stop watching; the journal goes, because the scene was closed on purpose."""
        self._watch.stop()
        self._give_up()
        self.journal.close()

    def node_appeared(self, node: slicer.vtkMRMLSegmentationNode, is_loaded: bool) -> None:
        """Begin to keep a segmentation."""
        kept = self._nodes[node.GetID()] = JournaledNode(node)
        if is_loaded:
            kept.take_as_saved()
        else:
            self._touch(node)

    def node_changed(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Write the change in the next turn."""
        if not self._is_marking:
            self._touch(node)

    def node_removed(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Forget a segmentation that was removed on purpose."""
        self._nodes.pop(node.GetID(), None)
        self._touched.pop(node.GetID(), None)
        self._is_stale = True
        self._soon()

    def scene_saved(self) -> None:
        """Begin anew, but for segmentations that were left out when the scene was saved."""
        self.flush()
        for node in self._nodes.values():
            if _is_saved(node.node):
                node.take_as_saved()
        self._is_stale = True
        self.flush()

    def scene_closed(self) -> None:
        """Begin anew with an empty scene."""
        self._give_up()
        self._nodes.clear()
        self._held.clear()
        self.journal.replace([])

    def _touch(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        self._touched.setdefault(node.GetID(), False)
        self._soon()

    def _soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            run_in_turns(self._in_turns(), self._ticker)

    def _in_turns(self) -> Steps[None]:
        self._is_due = False
        yield from self.written()

    def _waiting(self) -> dict[str, bool]:
        """Return the segmentations that are to be written, and whether by a program."""
        return {i: how for i, how in self._touched.items() if i not in self._held}

    def _give_up(self) -> None:
        """Drop what is to be written; a thread that writes is waited for."""
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.close()
        self._touched.clear()
        self._is_stale = False

    def _write(self) -> Steps[bool]:
        """Write what waits now; return whether it is on the disk."""
        waiting = self._waiting()
        for node_id in waiting:
            del self._touched[node_id]
        captured: list[tuple[JournaledNode, CapturedNode]] = []
        for node_id, by_program in waiting.items():
            node = self._nodes.get(node_id)
            if node is not None:
                captured.append((node, (yield from node.captured(by_program))))
        captured = [pair for pair in captured if pair[0] in self._nodes.values()]
        is_stale, self._is_stale = self._is_stale, False
        nodes = list(self._nodes.values())
        corrected, error = yield from elsewhere(
            lambda: self._put(captured, nodes, is_stale), sum(c.voxels for _, c in captured)
        )
        self._is_marking = True
        try:
            for node, identifiers in corrected:
                node.mark_corrected(identifiers)
        finally:
            self._is_marking = False
        if error is not None:
            # The next edit writes all of what this one could not.
            self._touched = {**waiting, **self._touched}
            self._is_stale |= is_stale
            for node in self._nodes.values():
                node.forget_journal()
            self._on_trouble(
                f"The journal could not be written ({error.strerror}); until it can, corrections "
                "are lost if the program ends: save the scene."
            )
        return error is None

    def _put(
        self,
        captured: list[tuple[JournaledNode, CapturedNode]],
        nodes: list[JournaledNode],
        is_stale: bool,
    ) -> tuple[list[tuple[JournaledNode, list[str]]], OSError | None]:
        """Bring the file up to date; return which segments a person has corrected, and why not."""
        records: list[Record] = []
        corrected = []
        for node, now in captured:
            new, identifiers = node.records(now)
            records += new
            corrected.append((node, identifiers))
        try:
            self.journal.append(records)
            if is_stale or self.journal.size_bytes > self._largest_bytes:
                # The last state of each segment in the place of its history.
                self.journal.replace([record for node in nodes for record in node.state_records()])
        except OSError as error:
            return corrected, error
        return corrected, None


def _is_saved(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return whether a file holds what the node holds.

    Without a storage node Slicer calls a node unmodified that has never been written.
    """
    storage = node.GetStorageNode()
    was_written = storage is not None and storage.GetStoredTime().GetMTime() > 0
    return was_written and not node.GetModifiedSinceRead()
