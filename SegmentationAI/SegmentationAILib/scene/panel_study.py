"""Cases of a study as a panel works on them: one open at a time, nothing lost on switching."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import slicer

from ..core.errors import SegmentationAIError
from ..worker.client import StudyAnswer
from .call_watch import OnProgress
from .case_storage import CaseStorage, Then, log_refusal
from .panel_facts import Outcome
from .study_case import StudyCase
from .study_facts import StudyFacts
from .study_link import OnEnd, StudyLink
from .translation import tr as _
from .work_clock import WorkClock


class PanelStudy:
    """The worklist's side of a study.

    Args:
        scene: Gets the scan and the labels of the open case.
        link: To the study.
        check_written: Raises while something that is shown on a case's labels is not written into
            them: the case is then neither stored nor left.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        link: StudyLink,
        check_written: Callable[[slicer.vtkMRMLSegmentationNode], None] = lambda node: None,
    ) -> None:
        self._study_scene, self._link = scene, link
        self._check_written = check_written
        self._clock = WorkClock(scene)
        self._storage = CaseStorage(link, self._clock)
        self._shows_origin = True
        closes = self._storage.store_before_closing
        self._closing = scene.AddObserver(scene.StartCloseEvent, lambda *_: closes())

    @property
    def _case(self) -> StudyCase | None:
        return self._storage.case

    def watch_study(self, on_change: Then, on_refused: OnEnd) -> None:
        """Follow the study.

        Args:
            on_change: Called whenever what is known of it changes.
            on_refused: Told what could not be stored when the scene was closed.
        """
        self._link.on_change, self._storage.on_refused = on_change, on_refused

    def study(self) -> StudyFacts | None:
        """Return the study that is open, None without one."""
        return self._link.facts

    def open_study(self, folder: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Open the study of a folder; an open case of another one is stored first.

        Raises:
            SegmentationAIError: The folder holds no study, there is no worker, or a correction of
                the open case waits.
        """
        self._check_case()
        self._storage.put_away(lambda: self._leave_for(folder, on_progress, on_end), on_end)

    def set_reader(self, name: str) -> None:
        """Say who works; empty for the person who is logged in."""
        self._storage.who = name.strip()

    def open_case_id(self) -> str:
        """Return the name of the open case, empty for none."""
        return "" if self._case is None else self._case.id

    def open_case(self, case_id: str, on_end: OnEnd) -> None:
        """Load a case; edits of the one before are stored first, as a corrected version.

        Edits of the same case that are refused, since others have changed it, are kept and wait as
        `refused_edits` for a decision.

        Args:
            case_id: Name of the case.
            on_end: Told when it is there, or why the case before stays open.

        Raises:
            SegmentationAIError: No study is open, or a correction of the open case waits.
        """
        self._check_case()
        self._storage.try_again()
        keeps = "changed" if case_id == self.open_case_id() else ""
        self._storage.put_away(lambda: self._read(case_id, on_end), on_end, keeps)

    def case_nodes(self) -> tuple[Any, Any]:
        """Return scan and labels of the open case, None each without one."""
        if self._case is None or not self._case.is_there:
            return None, None
        return self._case.volume, self._case.node

    def store_case(self, on_end: OnEnd) -> None:
        """Store the edits of the open case now; it stays open.

        Where an iteration has ended meanwhile, the case is loaded again, as it is now.

        Raises:
            SegmentationAIError: A correction of it waits.
        """
        self._check_case()

        def stored(outcome: Outcome) -> None:
            case = self._case
            if not outcome.is_success or case is None or not case.is_behind:
                on_end(outcome)
                return
            said = _("All changes are stored. The labels around them are others than those that "
                     "were shown; they are shown as they are now.")  # fmt: skip
            self._read(case.id, on_end, said)

        self.store_edits(stored)

    def store_edits(self, on_end: OnEnd) -> None:
        """Store the edits of the open case before something else is done; it stays as it is."""

        def stored() -> None:
            on_end(Outcome(_("All changes are stored.")))
            self._link.refresh()

        self._storage.put_away(stored, on_end)

    def refused_edits(self) -> str:
        """Return what was changed of the open case and refused, in words; empty for nothing."""
        if self._case is None or not self._case.refused:
            return ""
        kept = self._case.refused[0]
        said = _("What {who} has changed here could not be stored: {reason}")
        return said.format(who=kept["who"] or _("somebody"), reason=kept["reason"])

    def take_up_edits(self, on_end: OnEnd) -> None:
        """Put the refused edits of the open case onto its labels as they are now, and load it."""
        said = _("What had been changed lies on the labels as they are now.")
        self._decide_on_edits("take up", said, on_end)

    def put_off_edits(self, on_end: OnEnd) -> None:
        """Leave the refused edits of the open case out; their file goes to ``orphans``."""
        said = _("What had been changed is left out; its file lies in the study's folder orphans.")
        self._decide_on_edits("put off", said, on_end)

    def accept_case(self, on_end: OnEnd) -> None:
        """Store the labels of the open case as accepted: no prediction replaces them.

        Raises:
            SegmentationAIError: No case is open, its segments lie on other voxels, or a correction
                of it waits.
        """
        case = self._opened_case()
        self._check_case()
        labels, values = case.labels(), self._storage.work_on(case)

        def accepted(answer: StudyAnswer) -> None:
            case.stored(labels, answer.facts)
            on_end(Outcome(_("{case} is accepted.").format(case=case.id)))
            self._link.refresh()

        on_refused = self._storage.counting(values["seconds"], on_end)
        self._link.ask("accept", values, accepted, on_refused, labels)

    def skip_case(self, on_end: OnEnd) -> None:
        """Leave the open case out of the loop until it is reopened; its edits are stored.

        Raises:
            SegmentationAIError: No case is open, or a correction of it waits.
        """
        case = self._opened_case()
        self._check_case()
        said = _("{case} is left out until it is reopened.").format(case=case.id)
        self._storage.put_away(lambda: self._set_state("skip", case.id, said, on_end), on_end)

    def reopen_case(self, on_end: OnEnd) -> None:
        """Take the open case back into the loop, with the labels it has.

        Raises:
            SegmentationAIError: No case is open.
        """
        self.reopen_case_named(self._opened_case().id, on_end)

    def reopen_case_named(self, case_id: str, on_end: OnEnd) -> None:
        """Take a case back that was accepted, skipped or could not be read."""
        said = _("{case} is taken back into the loop.").format(case=case_id)
        self._set_state("reopen", case_id, said, on_end)

    def show_case_origin(self, is_shown: bool) -> None:
        """Show or hide how the labels of cases came to be."""
        self._shows_origin = is_shown
        if self._case is not None:
            self._case.show_origin(is_shown)

    def is_study_busy(self) -> bool:
        """Return whether a case is being read or stored."""
        return self._link.is_busy

    def close_study(self) -> None:
        """Store what is open, at once, and let go of the study; for the end of the module."""
        self._link.on_change, self._storage.on_refused = lambda: None, log_refusal
        self._study_scene.RemoveObserver(self._closing)
        self._storage.store_at_once()
        self._link.forget()

    def _set_state(self, action: str, case_id: str, said: str, on_end: OnEnd) -> None:
        def done(_: StudyAnswer) -> None:
            on_end(Outcome(said))
            self._link.refresh()

        self._link.ask(action, {"case": case_id}, done, on_end)

    def _decide_on_edits(self, action: str, said: str, on_end: OnEnd) -> None:
        case = self._opened_case()
        if not case.refused:
            return
        self._check_case()
        values = {"case": case.id, "name": case.refused[0]["name"]}

        def ask() -> None:
            self._link.ask(action, values, lambda _: self._read(case.id, on_end, said), on_end)

        self._storage.put_away(ask, on_end, "changed")

    def _read(self, case_id: str, on_end: OnEnd, said: str = "") -> None:
        def came(answer: StudyAnswer) -> None:
            before = self._case
            if before is None or not before.has_labels or not before.is_changed():
                self._show(StudyCase(answer, self._study_scene), on_end, said)
            elif before.id == case_id:
                # Drawn while it was being read: what came is out of date.
                again = partial(self._read, case_id, on_end, said)
                self._storage.put_away(again, on_end, "changed")
            else:
                self._storage.put_away(lambda: came(answer), on_end)

        self._link.ask("read", {"case": case_id}, came, on_end)

    def _show(self, case: StudyCase, on_end: OnEnd, said: str) -> None:
        before, self._storage.case = self._case, case
        if before is not None:
            before.remove()
        self._clock.start(case.node)
        case.show_origin(self._shows_origin)
        case.show_in_views()
        if before is None or before.id != case.id:
            case.go_to_labels()
        on_end(Outcome(said or case.sentence))
        self._link.refresh()

    def _leave_for(self, folder: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        facts = self._link.facts
        if facts is not None and facts.folder != folder.absolute() and self._case is not None:
            case, self._storage.case = self._case, None
            self._clock.stop()
            case.remove()
            self._link.ask("leave", {}, lambda _: None, on_end)
        self._link.open(folder, on_progress, on_end)

    def _check_case(self) -> None:
        if self._case is not None and self._case.is_there:
            self._check_written(self._case.node)

    def _opened_case(self) -> StudyCase:
        if self._case is None or not self._case.is_there:
            raise SegmentationAIError(_("No case is open; choose one of the worklist."))
        return self._case
