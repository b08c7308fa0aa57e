"""Everything that the panel asks for, from the parts of the scene room."""

from pathlib import Path

import slicer

from ..core.labelmap import Status
from ..resources import data_folder
from .export import FORMATS, export_segmentation
from .journal_keeper import JournalKeeper
from .journal_restore import abandoned_work
from .logic import SegmentationLogic
from .measure_follower import MeasureFollower
from .panel_facts import SegmentFacts
from .panel_runs import PanelRuns
from .panel_stores import PanelStores
from .scan_kind import DicomValue
from .segment_editors import ShownEditor
from .segment_list import segments_of, set_status
from .segment_protection import set_locked
from .ticker import Ticker
from .worker_setup import WorkerSetup

JOURNAL = "journal"


class ScenePanelLogic(PanelRuns, PanelStores, MeasureFollower):
    """The logic of the panel on one scene.

    Args:
        scene: Where scans are and results go.
        setup: The worker and its environment.
        ticker: The event loop.
        dicom_value: Reads DICOM tags of what was loaded.
        shown_editor: Finds the Segment Editor that a person works with.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        setup: WorkerSetup,
        ticker: Ticker,
        dicom_value: DicomValue,
        shown_editor: ShownEditor = lambda: None,
    ) -> None:
        self._keeper = JournalKeeper(scene, data_folder() / JOURNAL, ticker)
        logic = SegmentationLogic(scene, setup.worker, ticker, self._keeper, shown_editor)
        PanelRuns.__init__(self, scene, logic)
        PanelStores.__init__(self, setup, ticker, dicom_value)
        MeasureFollower.__init__(self, ticker)

    def segments(self, node: slicer.vtkMRMLSegmentationNode) -> tuple[SegmentFacts, ...]:
        """Return the segments of a segmentation in their order."""
        return segments_of(node)

    def set_locked(
        self, node: slicer.vtkMRMLSegmentationNode, segment_id: str, is_locked: bool
    ) -> None:
        """Lock a segment against changes by networks, or unlock it."""
        set_locked(node.GetSegmentation().GetSegment(segment_id), is_locked)

    def set_status(
        self, node: slicer.vtkMRMLSegmentationNode, segment_id: str, status: Status
    ) -> None:
        """Write down how far the work on a segment is."""
        set_status(node, segment_id, status)

    def formats(self) -> tuple[tuple[str, str, str], ...]:
        """Return key, title and "what it keeps and loses" of each format."""
        return tuple((one.key, one.title, one.losses) for one in FORMATS)

    def export(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLScalarVolumeNode,
        format_key: str,
        folder: Path,
    ) -> str:
        """Write, read back and compare; return what was written.

        Raises:
            SegmentationAIError: As `export.export_segmentation`.
        """
        files = export_segmentation(node, volume, format_key, folder)
        names = ", ".join(path.name for path in files[:3]) + (", ..." if len(files) > 3 else "")
        return f"Wrote and read back {len(files)} files to {folder.name}: {names}."

    def unsaved_work(self) -> str:
        """Return what earlier sessions left unsaved, empty when there is nothing."""
        left = abandoned_work(data_folder() / JOURNAL)
        counts = [named for one in left for named in one.segmentations]
        names = [f"'{name}' ({count} segment{'s'[: count != 1]})" for name, count in counts]
        if not names:
            return ""
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        return f"An earlier session ended with unsaved corrections: {shown}."

    def restore_work(self) -> str:
        """Bring it into the scene; return what was done.

        Raises:
            FileFormatError: A journal is damaged or of another version.
        """
        sentences = []
        for work in abandoned_work(data_folder() / JOURNAL):
            nodes, notes = self._keeper.restore(work.path)
            names = ", ".join(f"'{node.GetName()}'" for node in nodes)
            sentences += [f"Restored {names}; save the scene to keep them.", *notes]
        return " ".join(sentences)

    def throw_work_away(self) -> None:
        """Delete it."""
        for work in abandoned_work(data_folder() / JOURNAL):
            work.path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the worker, what runs in it, and the journal."""
        self.follow(None, None, lambda table: None)
        self._logic.close()
        self._keeper.close()
        self._setup.close()
