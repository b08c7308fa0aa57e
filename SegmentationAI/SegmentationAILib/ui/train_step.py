"""The step *Train*: a network is adapted to the person's own cases, or made anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import qt
from slicer.i18n import tr as _

from ..scene.training_facts import BaseFacts, CaseFound, SceneCase, TrainingAsked, TrainingFacts
from .consent import has_consent
from .curve_picture import WIDTH, png_picture
from .file_questions import ask_for_folders
from .panel_state import PanelState
from .sections import load_section
from .status_line import StatusLine
from .train_box import TrainBox
from .train_logic import TrainLogic

# Names of networks are parts of commands and folders, in every language.
_FIRST_NAME: Final = "my-network"
_FREEZES: Final = ("none", "encoder", "all-but-last")
_KINDS: Final = ("MR", "CT", "PT", "US", "Other")
# A sign and a word tell; the color only helps.
_SIGNS: Final = {"good": "✓", "notice": "!", "left out": "–", "bad": "✗"}
_COLORS: Final = {"good": (0, 110, 60), "notice": (120, 90, 0), "bad": (170, 0, 30)}


class TrainStep:
    """The step for training.

    Args:
        logic: Trains.
        status: Shows errors and what was done.
        on_networks_changed: Told when a network came or went.
    """

    def __init__(
        self, logic: TrainLogic, status: StatusLine, on_networks_changed: Callable[[], None]
    ) -> None:
        self._logic, self._status, self._changed = logic, status, on_networks_changed
        self._cases: tuple[SceneCase, ...] = ()
        self._starts: tuple[BaseFacts, ...] = ()
        self._found: dict[str, CaseFound] = {}
        self._row_ids: list[str] = []
        self._was_busy = False
        self.section, self._ui = load_section("Train")
        ui = self._ui
        ui.trainDataSelector.addItems([_("Scans of this scene"), _("A data set on the disk")])
        ui.trainKindSelector.addItems([_("MR"), _("CT"), _("PET"), _("Ultrasound"), _("Another")])
        ui.trainFreezeSelector.addItems(
            [
                _("Nothing: learn all of it further"),
                _("What it knows about texture; learn where it lies"),
                _("All but its last layer"),
            ]
        )
        ui.trainNameLine.text = _FIRST_NAME
        self._box = TrainBox(ui, logic, status)
        ui.trainDataSelector.connect("currentIndexChanged(int)", self._data_chosen)
        ask_for_folders(ui.trainFolderLine)
        ui.trainFolderLine.connect("currentPathChanged(QString)", self._data_chosen)
        ui.trainCases.connect("itemChanged(QListWidgetItem*)", self._forget_plan)
        ui.trainCases.connect("itemSelectionChanged()", self._show_case)
        ui.trainStartSelector.connect("currentIndexChanged(int)", self._start_chosen)
        for box in (ui.trainKindSelector, ui.trainFreezeSelector):
            box.connect("currentIndexChanged(int)", self._forget_plan)
        ui.trainNameLine.connect("textChanged(QString)", self._forget_plan)
        ui.trainMinutesSpin.connect("valueChanged(double)", self._forget_plan)
        ui.planButton.connect("clicked()", self._plan)
        logic.watch_training(self._show)

    def show(self, state: PanelState) -> None:
        """Nothing of this step is kept in the scene; a training goes on whatever is opened."""
        self._show(self._logic.training())

    def open(self) -> None:
        """List cases and networks; called when the step opens."""
        ui = self._ui
        with self._status.answering():
            starts = self._logic.training_starts()
            if starts != self._starts:
                self._starts = starts
                was_blocked = ui.trainStartSelector.blockSignals(True)
                ui.trainStartSelector.clear()
                ui.trainStartSelector.addItems([one.title for one in starts])
                ui.trainStartSelector.blockSignals(was_blocked)
            self._list_scene()
        self._show_choices()
        self._show(self._logic.training())

    def close(self) -> None:
        """Nothing is held: a training goes on while other steps are open."""

    def _list_scene(self) -> None:
        """List the scans of the scene, unless cases of it are checked or trained on now."""
        if self._is_of_folder or self._logic.training().is_busy:
            return
        cases = self._logic.training_cases()
        if [(case.volume, case.node) for case in cases] == [
            (case.volume, case.node) for case in self._cases
        ]:
            return
        self._cases, self._found = cases, {}
        kind = self._logic.training_kind()
        if kind in _KINDS:
            self._ui.trainKindSelector.currentIndex = _KINDS.index(kind)
        self._logic.forget_plan()
        self._list([(case.id, case.title) for case in cases])

    @property
    def _is_of_folder(self) -> bool:
        return bool(self._ui.trainDataSelector.currentIndex == 1)

    def _data_chosen(self) -> None:
        self._logic.forget_plan()
        self._cases, self._found = (), {}
        self._list([])
        with self._status.answering():
            self._list_scene()
        self._show_choices()

    def _start_chosen(self) -> None:
        self._forget_plan()
        self._show_choices()

    def _forget_plan(self) -> None:
        self._logic.forget_plan()

    def _show_choices(self) -> None:
        """Show what can be chosen with what was chosen."""
        ui, start = self._ui, self._start
        for widget in (ui.trainFolderLine, ui.trainFolderCaption):
            widget.visible = self._is_of_folder
        for widget in (ui.trainKindSelector, ui.trainKindCaption):
            widget.visible = not self._is_of_folder
        for widget in (ui.trainFreezeSelector, ui.trainFreezeCaption):
            widget.visible = start is not None and bool(start.base)
        ui.trainStartSelector.toolTip = "" if start is None else start.tip

    @property
    def _start(self) -> BaseFacts | None:
        index = self._ui.trainStartSelector.currentIndex
        return self._starts[index] if 0 <= index < len(self._starts) else None

    def _plan(self) -> None:
        with self._status.answering():
            if not has_consent(self._logic):
                self._status.say(_("Nothing was set up, and nothing was checked."))
                return
            asked = self._asked()
            if asked is None:
                self._status.say(_("Choose the folder of a data set first."))
                return
            self._status.say("")
            self._logic.plan_training(asked)

    def _asked(self) -> TrainingAsked | None:
        ui, start = self._ui, self._start
        folder = ui.trainFolderLine.currentPath.strip() if self._is_of_folder else ""
        if start is None or (self._is_of_folder and not folder):
            return None
        wanted = {
            name
            for row, name in enumerate(self._row_ids)
            if ui.trainCases.item(row).checkState() == qt.Qt.Checked
        }
        unwanted = [name for name in self._row_ids if name not in wanted]
        minutes = ui.trainMinutesSpin.value
        return TrainingAsked(
            name=ui.trainNameLine.text.strip(),
            folder=Path(folder) if folder else None,
            cases=tuple(case for case in self._cases if case.id in wanted),
            left_out=tuple(unwanted) if folder else (),
            kind=_KINDS[ui.trainKindSelector.currentIndex],
            start=start,
            freeze=_FREEZES[ui.trainFreezeSelector.currentIndex],
            minutes=minutes if minutes > 0 else None,
        )

    def _show(self, facts: TrainingFacts) -> None:
        ui = self._ui
        found = {one.id: one for one in facts.cases}
        if found and found != self._found:
            self._found = found
            titles = {case.id: case.title for case in self._cases}
            names = list(found) if self._is_of_folder else list(titles)
            self._list([(name, titles.get(name, name)) for name in names])
        for widget in (
            ui.planButton, ui.trainCases, ui.trainDataSelector, ui.trainFolderLine,
            ui.trainKindSelector, ui.trainStartSelector, ui.trainFreezeSelector, ui.trainNameLine,
            ui.trainMinutesSpin,
        ):  # fmt: skip
            widget.enabled = not facts.is_busy
        self._box.show(facts)
        if self._was_busy and facts.state == "idle":
            self._changed()
        self._was_busy = facts.is_busy

    def _list(self, rows: list[tuple[str, str]]) -> None:
        """List cases; all are ticked but those that were unticked."""
        widget = self._ui.trainCases
        was_blocked = widget.blockSignals(True)
        unticked = {
            name
            for row, name in enumerate(self._row_ids)
            if widget.item(row).checkState() != qt.Qt.Checked
        }
        widget.clear()
        self._row_ids = [name for name, _title in rows]
        for name, title in rows:
            widget.addItem(self._item(name, title, is_ticked=name not in unticked))
        widget.blockSignals(was_blocked)
        self._show_case()

    def _item(self, name: str, title: str, *, is_ticked: bool) -> Any:
        found = self._found.get(name)
        sign = _SIGNS.get(found.mark, "") if found is not None else ""
        item = qt.QListWidgetItem(f"{sign} {title}".strip())
        if found is not None:
            item.setToolTip(found.sentence or _("Nothing odd was found."))
            if found.mark in _COLORS:
                item.setForeground(qt.QBrush(qt.QColor(*_COLORS[found.mark])))
        item.setCheckState(qt.Qt.Checked if is_ticked else qt.Qt.Unchecked)
        return item

    def _show_case(self) -> None:
        """Say what was found in the chosen case, and show it."""
        ui, row = self._ui, self._ui.trainCases.currentRow
        found = self._found.get(self._row_ids[row]) if 0 <= row < len(self._row_ids) else None
        ui.trainFindingLabel.text = "" if found is None else found.sentence
        ui.trainFindingLabel.visible = bool(ui.trainFindingLabel.text)
        ui.trainCasePicture.visible = False
        if found is not None and found.has_picture:
            with self._status.answering():
                self._logic.show_training_case(found.id, self._show_picture)

    def _show_picture(self, picture: bytes) -> None:
        self._ui.trainCasePicture.visible = bool(picture)
        if picture:
            self._ui.trainCasePicture.setPixmap(png_picture(picture, WIDTH))
