"""Every correction and every accepted result since the last save goes to a journal at once.

Edits of one turn of the event loop are written together; when the write has returned they survive
the end of the process, whatever ends it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import slicer

from ..core.journal import Journal
from .journal_restore import restore_journal
from .journaled_node import JournaledNode
from .segmentation_watch import SegmentationWatch
from .ticker import Ticker

# A journal that has grown to this is rewritten as one state for each segment.
LARGEST_JOURNAL_BYTES: Final = 256 << 20
logger = logging.getLogger(__name__)


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
        self._is_writing = False
        self._is_due = False
        self.journal = Journal(folder)
        self._watch = SegmentationWatch(scene, self)

    def flush(self) -> None:
        """Write what has changed; it is on the disk when this returns."""
        self._is_due = False
        waiting = {i: how for i, how in self._touched.items() if i not in self._held}
        if self._is_writing or not waiting:
            return
        self._is_writing = True
        try:
            records = []
            for node_id, by_program in waiting.items():
                del self._touched[node_id]
                if node_id in self._nodes:
                    records += self._nodes[node_id].records(by_program)
            self.journal.append(records)
            if self.journal.size_bytes > self._largest_bytes:
                self._rewrite()
        except OSError as error:
            # The next edit writes all of what this one could not.
            self._touched = {**waiting, **self._touched}
            for node in self._nodes.values():
                node.forget_journal()
            self._on_trouble(
                f"The journal could not be written ({error.strerror}); until it can, corrections "
                "are lost if the program ends: save the scene."
            )
        finally:
            self._is_writing = False

    @contextmanager
    def result_is_written(self, node: slicer.vtkMRMLSegmentationNode) -> Iterator[None]:
        """Hold back the node's edits during the block, which is a program's and no correction.

        What the block did is in the journal when it ends.
        """
        self.flush()
        self._held.add(node.GetID())
        try:
            yield
        finally:
            self._held.discard(node.GetID())
            if node.GetID() in self._touched:
                self._touched[node.GetID()] = True
            self.flush()

    def restore(self, path: Path) -> tuple[list[slicer.vtkMRMLSegmentationNode], tuple[str, ...]]:
        """Bring an abandoned journal's segmentations into the scene, and take its file over.

        Returns:
            The segmentations, and notes about what could not be brought back.

        Raises:
            FileFormatError: The file is not a journal, or not one that this version reads.
        """
        nodes, notes = restore_journal(path, self._scene)
        for node in nodes:
            self._touched[node.GetID()] = True
        self.flush()
        path.unlink(missing_ok=True)
        return nodes, notes

    def close(self) -> None:
        """Stop watching; the journal goes, because the scene was closed on purpose."""
        self._watch.stop()
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
        if not self._is_writing:
            self._touch(node)

    def node_removed(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Forget a segmentation that was removed on purpose."""
        self._nodes.pop(node.GetID(), None)
        self._touched.pop(node.GetID(), None)
        self._rewrite()

    def scene_saved(self) -> None:
        """Begin anew, but for segmentations that were left out when the scene was saved."""
        self.flush()
        for node in self._nodes.values():
            if _is_saved(node.node):
                node.take_as_saved()
        self._rewrite()

    def scene_closed(self) -> None:
        """Begin anew with an empty scene."""
        self._nodes.clear()
        self._touched.clear()
        self._held.clear()
        self.journal.replace([])

    def _touch(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        self._touched.setdefault(node.GetID(), False)
        if not self._is_due:
            self._is_due = True
            self._ticker.soon(self.flush)

    def _rewrite(self) -> None:
        """Replace the history of each segment by its last state."""
        records = []
        for node in self._nodes.values():
            if node.is_in_journal:
                node.forget_journal()
                records += node.records(by_program=True)
        self.journal.replace(records)


def _is_saved(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return whether a file holds what the node holds.

    Without a storage node Slicer calls a node unmodified that has never been written.
    """
    storage = node.GetStorageNode()
    was_written = storage is not None and storage.GetStoredTime().GetMTime() > 0
    return was_written and not node.GetModifiedSinceRead()
