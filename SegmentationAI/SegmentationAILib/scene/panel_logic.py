"""Everything that the panel asks for, from the parts of the scene room."""

from collections.abc import Callable

import slicer

from ..core.labelmap import Status
from ..resources import data_folder
from .export_dicom import DicomFile
from .journal_keeper import JournalKeeper
from .journal_restore import abandoned_work
from .logic import SegmentationLogic, made_by
from .measure_follower import MeasureFollower
from .own_ticker import OwnTicker
from .panel_compare import PanelCompare
from .panel_computer import PanelComputer
from .panel_export import PanelExport
from .panel_facts import Accepted, SegmentFacts
from .panel_history import PanelHistory
from .panel_loop import PanelLoop
from .panel_new_study import PanelNewStudy
from .panel_queue import PanelQueue
from .panel_refine import PanelRefine
from .panel_review import PanelReview
from .panel_runs import PanelRuns
from .panel_stores import PanelStores
from .panel_study import PanelStudy
from .panel_training import PanelTraining
from .prepared_runs import PreparedRuns
from .scan_kind import DicomValue
from .segment_editors import ShownEditor
from .segment_follower import SegmentFollower
from .segment_list import segments_of, set_status
from .segment_protection import set_locked
from .segmentation_node import scan_of
from .study_link import StudyLink
from .ticker import Ticker
from .translation import tr as _
from .worker_setup import WorkerSetup

JOURNAL = "journal"


class ScenePanelLogic(
    PanelRuns,
    PanelQueue,
    PanelRefine,
    PanelStudy,
    PanelNewStudy,
    PanelHistory,
    PanelLoop,
    PanelReview,
    PanelCompare,
    PanelStores,
    PanelTraining,
    PanelComputer,
    PanelExport,
    MeasureFollower,
    SegmentFollower,
):
    """The logic of the panel on one scene.

    Args:
        scene: Where scans are and results go.
        setup: The worker and its environment.
        ticker: The event loop.
        dicom_value: Reads DICOM tags of what was loaded.
        shown_editor: Finds the Segment Editor that a person works with.
        dicom_file: Finds the DICOM files that scans were loaded from.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        setup: WorkerSetup,
        ticker: Ticker,
        dicom_value: DicomValue,
        shown_editor: ShownEditor = lambda: None,
        dicom_file: DicomFile = lambda uid: "",
    ) -> None:
        ticker = self._own_ticker = OwnTicker(ticker)
        self._keeper = JournalKeeper(scene, data_folder() / JOURNAL, ticker)
        logic = SegmentationLogic(scene, setup.worker, ticker, self._keeper, shown_editor)
        PanelStores.__init__(self, setup, ticker, dicom_value)
        PanelTraining.__init__(self, scene, setup, ticker, dicom_value, self.networks)
        PanelComputer.__init__(self, setup, ticker, self._is_worker_in_use)
        runs = PreparedRuns(logic, ticker, self.lacking)
        PanelRuns.__init__(self, scene, logic, runs, ticker)
        PanelQueue.__init__(self, scene, logic, runs)
        PanelRefine.__init__(self, scene, logic, setup, ticker, self.networks)
        link = StudyLink(setup, ticker)
        PanelStudy.__init__(self, scene, link, self.check_written)
        PanelNewStudy.__init__(self, setup, ticker, self.open_study)
        PanelHistory.__init__(self, link)
        PanelLoop.__init__(self, link, self.store_edits)
        PanelReview.__init__(self, link)
        PanelCompare.__init__(self, scene, setup, ticker)
        PanelExport.__init__(self, setup, ticker, dicom_file)
        MeasureFollower.__init__(self, ticker)
        SegmentFollower.__init__(self, ticker)
        self._save_state: Callable[[], None] = lambda: None

    def before_accepting(self, save_state: Callable[[], None]) -> None:
        """Call ``save_state`` before a result is written: the Segment Editor's undo has it then."""
        self._save_state = save_state

    def accept(self, on_accepted: Callable[[Accepted], None]) -> None:
        """Keep the preview; ``on_accepted`` is told when it has been written.

        Raises:
            SegmentationAIError: The scan or the target was removed, moved or changed meanwhile.
        """
        self._save_state()
        super().accept(on_accepted)

    def segments(self, node: slicer.vtkMRMLSegmentationNode) -> tuple[SegmentFacts, ...]:
        """Return the segments of a segmentation in their order."""
        return segments_of(node)

    def scan_of(
        self, node: slicer.vtkMRMLSegmentationNode
    ) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the scan that a segmentation was made of, None when it is gone."""
        return scan_of(node)

    def made_by(self, node: slicer.vtkMRMLSegmentationNode) -> str:
        """Return which networks, in which version, made the segments; empty for none."""
        makers = made_by(node)
        return f"'{node.GetName()}': {', '.join(makers)}." if makers else ""

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

    def unsaved_work(self) -> str:
        """Return what earlier sessions left unsaved, empty when there is nothing."""
        left = abandoned_work(data_folder() / JOURNAL)
        counts = [named for one in left for named in one.segmentations]
        names = [f"'{name}' ({count} segment{'s'[: count != 1]})" for name, count in counts]
        if not names:
            return ""
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        return _("An earlier session ended with unsaved corrections: {names}.").format(names=shown)

    def restore_work(self) -> str:
        """Bring it into the scene; return what was done.

        Raises:
            FileFormatError: A journal is damaged or of another version.
        """
        sentences = []
        for work in abandoned_work(data_folder() / JOURNAL):
            nodes, notes = self._keeper.restore(work.path)
            names = ", ".join(f"'{node.GetName()}'" for node in nodes)
            said = _("Restored {names}; save the scene to keep them.")
            sentences += [said.format(names=names), *notes]
        return " ".join(sentences)

    def throw_work_away(self) -> None:
        """Delete it."""
        for work in abandoned_work(data_folder() / JOURNAL):
            work.path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the worker, what runs in it, and the journal."""
        self.follow(None, None, lambda table: None)
        self.follow_segments(None, lambda: None)
        self.discard_correction()
        self.cancel_new_study()
        self.close_study()
        self.close_training()
        self.close_queue()
        self.cancel()
        self.cancel_set_up()
        self._logic.close()
        self._keeper.close()
        self._setup.end()
        self._own_ticker.close()

    def _is_worker_in_use(self) -> bool:
        """Return whether work would be lost if the worker ended now."""
        return (
            bool(self._logic.queue.runs)
            or self.is_training()
            or self.is_proposing()
            or self.is_making_study()
            or self.is_study_busy()
        )
