"""The step *Relabel*: a worklist, the loop's dots, blind review."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import qt
from slicer.i18n import tr as _

from ..scene.panel_facts import Outcome
from .file_questions import ask_for_folders
from .history_box import HistoryBox
from .loop_box import LoopBox
from .new_study_box import NewStudyBox
from .panel_state import PanelState
from .relabel_logic import RelabelLogic
from .review_box import ReviewBox
from .sections import load_section
from .status_line import StatusLine
from .study_export_box import StudyExportBox
from .worklist import Worklist, filters, state_in_words

_KEYS: Final = ("N", "P", "A", "S")
# In the section's layout: below the row with the button that shows it.
_PLACE_OF_NEW_STUDY: Final = 2
OnCase = Callable[[Any, Any], None]


class RelabelStep:
    """The step for studies.

    Args:
        logic: Works on the study.
        status: Shows what was done, and errors.
        on_case: Given scan and labels of a case that was opened.
    """

    def __init__(self, logic: RelabelLogic, status: StatusLine, on_case: OnCase) -> None:
        self._logic, self._status, self._on_case = logic, status, on_case
        self.section, self._ui = load_section("Relabel")
        ui = self._ui
        self._list = Worklist(ui.casesTable)
        self._filters = filters()
        ui.filterSelector.addItems([title for title, _fits in self._filters])
        self.new_study = NewStudyBox(ui.newStudyButton, ui.studyLine, logic, status)
        self.section.layout().insertWidget(_PLACE_OF_NEW_STUDY, self.new_study.widget)
        # Once it is there: the section shows what comes to it.
        self.new_study.widget.visible = False
        self._loop = LoopBox(ui, logic, status)
        self.review = ReviewBox(ui, logic, status)
        self._history = HistoryBox(ui.historyCheck, ui.historyBox, ui.historyLabel, logic)
        self._export = StudyExportBox(ui, self.section, logic, status)
        ask_for_folders(ui.studyLine)
        ui.studyLine.connect("currentPathChanged(QString)", self._refresh)
        ui.openStudyButton.connect("clicked()", self._open_study)
        ui.readerLine.connect("textChanged(QString)", self._reader_named)
        ui.filterSelector.connect("currentIndexChanged(int)", self._refresh)
        ui.casesTable.connect("cellDoubleClicked(int,int)", self._row_opened)
        ui.casesTable.connect("itemSelectionChanged()", self._show_buttons)
        ui.nextCaseButton.connect("clicked()", self._next)
        ui.backCaseButton.connect("clicked()", self._back)
        ui.acceptCaseButton.connect("clicked()", self._accept)
        ui.skipCaseButton.connect("clicked()", self._skip)
        ui.storeCaseButton.connect("clicked()", self._store)
        ui.reopenCaseButton.connect("clicked()", self._reopen)
        ui.originBox.connect("toggled(bool)", logic.show_case_origin)
        acts = (self._next, self._back, self._accept, self._skip)
        self._keys = [self._shortcut(key, act) for key, act in zip(_KEYS, acts, strict=True)]
        ui.takeUpButton.connect("clicked()", self._take_up)
        ui.putOffButton.connect("clicked()", self._put_off)
        logic.watch_study(self._refresh, self._said)

    def show(self, state: PanelState) -> None:
        """Show the study that is open; nothing of it is kept in the scene."""
        self._refresh()

    def open(self) -> None:
        """Take the keys N, P, A and S; called when the step opens."""
        for key in self._keys:
            key.enabled = True
        self._refresh()

    def close(self) -> None:
        """Let go of the keys; the case stays open and the loop runs on, a review is paused."""
        self.review.window.close()
        for key in self._keys:
            key.enabled = False

    def _open_study(self) -> None:
        with self._status.answering():
            folder = Path(self._ui.studyLine.currentPath)
            self._logic.open_study(folder, self._listing, self._said)
        self._show_buttons()

    def _listing(self, fraction: float, sentence: str, seconds_left: float | None) -> None:
        self._status.say(f"{sentence} ({fraction:.0%})")

    def _reader_named(self, name: str) -> None:
        self._logic.set_reader(name)

    def _row_opened(self, row: int) -> None:
        if 0 <= row < len(self._list.rows):
            self._open_case(self._list.rows[row].id)

    def _next(self) -> None:
        self._go_to(self._list.next_after(self._logic.open_case_id()), _("This was the last case."))

    def _back(self) -> None:
        self._go_to(
            self._list.back_before(self._logic.open_case_id()), _("This was the first case.")
        )

    def _go_to(self, case_id: str, without: str) -> None:
        if case_id:
            self._open_case(case_id)
        elif self._logic.study() is not None:
            self._status.say(without)

    def _open_case(self, case_id: str) -> None:
        if self._logic.is_study_busy():
            return  # a key that repeats while a case is being read
        with self._status.answering():
            self._logic.open_case(case_id, self._case_opened)
        self._show_buttons()

    def _case_opened(self, outcome: Outcome) -> None:
        self._said(outcome)
        if outcome.is_success:
            self._on_case(*self._logic.case_nodes())
            self._refresh()
            self._list.choose(self._logic.open_case_id())

    def _accept(self) -> None:
        self._decide(self._logic.accept_case)

    def _skip(self) -> None:
        self._decide(self._logic.skip_case)

    def _decide(self, act: Callable[[Callable[[Outcome], None]], None]) -> None:
        """Accept or skip the open case, then go on to the next one."""
        if self._logic.is_study_busy() or not self._logic.open_case_id():
            return
        following = self._list.next_after(self._logic.open_case_id())

        def decided(outcome: Outcome) -> None:
            self._said(outcome)
            if outcome.is_success and following:
                with self._status.answering():
                    self._logic.open_case(following, self._case_opened)

        with self._status.answering():
            act(decided)
        self._show_buttons()

    def _store(self) -> None:
        self._load_after(self._logic.store_case)

    def _take_up(self) -> None:
        self._load_after(self._logic.take_up_edits)

    def _put_off(self) -> None:
        self._load_after(self._logic.put_off_edits)

    def _load_after(self, act: Callable[[Callable[[Outcome], None]], None]) -> None:
        """Do what may load the open case again; all steps work on its new nodes then."""
        before = self._logic.case_nodes()

        def done(outcome: Outcome) -> None:
            is_same = all(a is b for a, b in zip(before, self._logic.case_nodes(), strict=True))
            if is_same:
                self._said(outcome)
            else:
                self._case_opened(outcome)

        with self._status.answering():
            act(done)
        self._show_buttons()

    def _reopen(self) -> None:
        case = self._list.chosen()
        if case is not None:
            with self._status.answering():
                self._logic.reopen_case_named(case.id, self._said)

    def _said(self, outcome: Outcome) -> None:
        self._status.say(outcome.sentence, outcome.details)
        self._show_buttons()

    def _refresh(self) -> None:
        study, index = self._logic.study(), max(0, self._ui.filterSelector.currentIndex)
        self._list.show(study, self._filters[index][1], self._logic.open_case_id())
        counts = Counter(state_in_words(one) for one in study.cases) if study else Counter()
        words = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        held_out = sum(one.is_held_out for one in study.cases) if study else 0
        if held_out:
            words += ", " + _("{count} of them held out").format(count=held_out)
        said = _("{study}: {counts}.")
        name = study.folder.name if study else ""
        self._ui.studyLabel.text = said.format(study=name, counts=words)
        self._ui.studyLabel.visible = study is not None
        self._show_buttons()

    def _show_buttons(self) -> None:
        ui, logic = self._ui, self._logic
        study, opened, is_free = logic.study(), logic.open_case_id(), not logic.is_study_busy()
        case = study.case(opened) if study else None
        is_open = case is not None and is_free
        ui.openStudyButton.enabled = bool(ui.studyLine.currentPath) and is_free
        ui.nextCaseButton.enabled = is_free and bool(self._list.next_after(opened))
        ui.backCaseButton.enabled = is_free and bool(self._list.back_before(opened))
        ui.acceptCaseButton.enabled = is_open
        ui.skipCaseButton.enabled = is_open and case is not None and case.state != "accepted"
        ui.storeCaseButton.enabled = is_open and case is not None and case.state != "accepted"
        refused = logic.refused_edits()
        ui.refusedBox.visible, ui.refusedLabel.text = bool(refused), refused
        ui.takeUpButton.enabled = ui.putOffButton.enabled = is_open
        chosen = self._list.chosen()
        can_reopen = chosen is not None and chosen.state in ("accepted", "skipped", "failed")
        ui.reopenCaseButton.enabled = is_free and can_reopen
        self._history.refresh(study, chosen or case)
        self._loop.refresh()
        self.review.refresh()
        self._export.refresh()

    def _shortcut(self, key: str, act: Callable[[], None]) -> Any:
        made = qt.QShortcut(qt.QKeySequence(key), self.section)
        made.connect("activated()", act)
        made.enabled = False
        return made
