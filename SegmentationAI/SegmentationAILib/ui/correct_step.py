"""The step *Correct*: the Segment Editor on the result, with lock and status per segment."""

from functools import partial
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..core.labelmap import Status
from ..scene.panel_facts import SegmentFacts
from .effect_registration import EFFECT_NAME
from .panel_logic import CorrectLogic
from .panel_state import PanelState, choose_result
from .sections import load_section
from .status_line import StatusLine

_STATUS: tuple[Status, ...] = ("not started", "in progress", "completed", "flagged")
_COLUMNS = ("Segment", "Locked", "Status")


class CorrectStep:
    """The second step.

    Args:
        logic: Reads and marks segments, takes accepted results back.
        status: Shows errors.
        scene: Its segmentations can be chosen.
        state: Gets the choices.
    """

    def __init__(
        self,
        logic: CorrectLogic,
        status: StatusLine,
        scene: slicer.vtkMRMLScene,
        state: PanelState,
    ) -> None:
        self._logic, self._status, self._scene = logic, status, scene
        self._state = state
        self._segments: tuple[SegmentFacts, ...] = ()
        self._shown: list[str] = []
        self._is_open = self._is_showing = False
        self.section, self._ui = load_section("Correct")
        self._ui.resultSelector.setMRMLScene(scene)
        self._ui.segmentEditor.setMRMLScene(scene)
        logic.before_accepting(self._save_state)
        self._ui.resultSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._chosen)
        self._ui.segmentsTable.connect("itemSelectionChanged()", self._show_origin)
        self._ui.undoButton.connect("clicked()", partial(self._step_back, is_redo=False))
        self._ui.redoButton.connect("clicked()", partial(self._step_back, is_redo=True))

    def show(self, state: PanelState) -> None:
        """Show the result that the state names."""
        self._state = state
        self._show_result()
        self.refresh()

    def open(self) -> None:
        """Hand the result to the Segment Editor; called when the step opens."""
        # Another step may have chosen another one since.
        self._show_result()
        self._is_open = True
        editor = self._ui.segmentEditor
        editor.setMRMLSegmentEditorNode(self._editor_node())
        editor.setSegmentationNode(self._state.result)
        editor.setSourceVolumeNode(self._state.volume)
        editor.setupViewObservations()
        editor.installKeyboardShortcuts()
        editor.setActiveEffectByName(EFFECT_NAME)
        self._follow()

    def close(self) -> None:
        """Let go of views and keys; called when the step closes or the module is left."""
        self._is_open = False
        self._logic.follow_segments(None, self.refresh)
        self._ui.segmentEditor.setActiveEffectByName("")
        self._ui.segmentEditor.removeViewObservations()
        self._ui.segmentEditor.uninstallKeyboardShortcuts()

    def refresh(self) -> None:
        """Show the segments as they are now."""
        node = self._state.result
        with self._status.answering():
            self._segments = () if node is None else self._logic.segments(node)
            self._fill()
            self._ui.undoButton.enabled = self._logic.can_undo()
            self._ui.redoButton.enabled = self._logic.can_redo()

    def save_state_of(self, target: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Let the Segment Editor's undo take back what is about to be written, if it is shown."""
        editor = self._ui.segmentEditor
        if target is not None and editor.segmentationNode() is target:
            editor.saveStateForUndo()

    def _save_state(self) -> None:
        self.save_state_of(self._state.into)

    def _show_result(self) -> None:
        self._is_showing = True
        self._ui.resultSelector.setCurrentNode(self._state.result)
        self._is_showing = False

    def _chosen(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        if self._is_showing:
            return
        choose_result(self._state, node, None if node is None else self._logic.scan_of(node))
        if self._is_open:
            self._ui.segmentEditor.setSegmentationNode(node)
            self._ui.segmentEditor.setSourceVolumeNode(self._state.volume)
            self._follow()
        else:
            self.refresh()

    def _follow(self) -> None:
        """Show the segments, and show them again whenever the Segment Editor has changed them."""
        self._logic.follow_segments(self._state.result, self.refresh)
        self.refresh()

    def _fill(self) -> None:
        table = self._ui.segmentsTable
        if self._shown == [segment.id for segment in self._segments]:
            self._update()
            return
        self._shown = [segment.id for segment in self._segments]
        table.setRowCount(0)
        table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        table.verticalHeader().setVisible(False)
        table.setColumnCount(len(_COLUMNS))
        table.setHorizontalHeaderLabels([_(name) for name in _COLUMNS])
        table.setRowCount(len(self._segments))
        for row, segment in enumerate(self._segments):
            name = qt.QTableWidgetItem(segment.name)
            name.setToolTip(segment.origin)
            color = qt.QColor()
            color.setRgbF(*segment.color)
            name.setIcon(_swatch(color))
            table.setItem(row, 0, name)
            table.setCellWidget(row, 1, self._lock(segment))
            table.setCellWidget(row, 2, self._status_box(segment))
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        self._show_origin()

    def _update(self) -> None:
        """Show names, locks and status of the same segments in the widgets that are there."""
        table = self._ui.segmentsTable
        for row, segment in enumerate(self._segments):
            table.item(row, 0).setText(segment.name)
            lock, status = table.cellWidget(row, 1), table.cellWidget(row, 2)
            for widget in (lock, status):
                widget.blockSignals(True)
            lock.checked = segment.is_locked
            status.currentIndex = _STATUS.index(segment.status)
            for widget in (lock, status):
                widget.blockSignals(False)
        self._show_origin()

    def _lock(self, segment: SegmentFacts) -> Any:
        check = qt.QCheckBox()
        check.checked = segment.is_locked
        check.toolTip = _("Locked: neither a network nor Accept changes {name}.").format(
            name=segment.name
        )
        check.connect("toggled(bool)", partial(self._set_locked, segment.id))
        return check

    def _status_box(self, segment: SegmentFacts) -> Any:
        box = qt.QComboBox()
        box.addItems([_(word) for word in _STATUS])
        box.currentIndex = _STATUS.index(segment.status)
        box.toolTip = _("How far the work on {name} is.").format(name=segment.name)
        box.connect("currentIndexChanged(int)", partial(self._set_status, segment.id))
        return box

    def _set_locked(self, segment_id: str, is_locked: bool) -> None:
        with self._status.answering():
            self._logic.set_locked(self._state.result, segment_id, is_locked)
        self.refresh()  # a lock has a status, and the other way round

    def _set_status(self, segment_id: str, index: int) -> None:
        with self._status.answering():
            self._logic.set_status(self._state.result, segment_id, _STATUS[index])
        self.refresh()

    def _step_back(self, is_redo: bool) -> None:
        with self._status.answering():
            if is_redo:
                self._logic.redo()
            else:
                self._logic.undo()
        self.refresh()

    def _show_origin(self) -> None:
        row = self._ui.segmentsTable.currentRow()
        is_chosen = 0 <= row < len(self._segments)
        self._ui.originLabel.text = self._segments[row].origin if is_chosen else ""

    def _editor_node(self) -> slicer.vtkMRMLSegmentEditorNode:
        """Return the module's own editor node, which is not saved with the scene."""
        tag = "SegmentationAI"
        node = self._scene.GetSingletonNode(tag, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(tag)
            node = self._scene.AddNode(node)
        return node


def _swatch(color: Any) -> Any:
    pixmap = qt.QPixmap(12, 12)
    pixmap.fill(color)
    return qt.QIcon(pixmap)
