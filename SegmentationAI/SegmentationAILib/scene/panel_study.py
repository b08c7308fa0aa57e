"""Cases of a study as a panel works on them: one open at a time, nothing lost on switching."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from ..core.errors import SegmentationAIError
from ..worker.client import StudyAnswer
from .call_watch import OnProgress
from .panel_facts import Outcome
from .study_case import StudyCase
from .study_facts import StudyFacts
from .study_link import OnEnd, StudyLink
from .translation import tr as _
from .work_clock import WorkClock

Then = Callable[[], None]


class PanelStudy:
    """The worklist's side of a study.

    Args:
        scene: Gets the scan and the labels of the open case.
        link: To the study.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, link: StudyLink) -> None:
        self._study_scene, self._link = scene, link
        self._case: StudyCase | None = None
        self._clock = WorkClock(scene)
        self._shows_origin = True
        self._who = ""
        self._closing = scene.AddObserver(scene.StartCloseEvent, lambda *_: self._scene_closes())

    def watch_study(self, on_change: Then) -> None:
        """Call ``on_change`` whenever what is known of the study changes."""
        self._link.on_change = on_change

    def study(self) -> StudyFacts | None:
        """Return the study that is open, None without one."""
        return self._link.facts

    def open_study(self, folder: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Open the study of a folder; an open case of another one is stored first.

        Raises:
            SegmentationAIError: The folder holds no study, or there is no worker.
        """
        self._put_away(lambda: self._leave_for(folder, on_progress, on_end), on_end)

    def set_reader(self, name: str) -> None:
        """Say who works; empty for the person who is logged in."""
        self._who = name.strip()

    def open_case_id(self) -> str:
        """Return the name of the open case, empty for none."""
        return "" if self._case is None else self._case.id

    def open_case(self, case_id: str, on_end: OnEnd) -> None:
        """Load a case; edits of the one before are stored first, as a corrected version.

        Args:
            case_id: Name of the case.
            on_end: Told when it is there, or why the case before stays open.

        Raises:
            SegmentationAIError: No study is open.
        """
        self._put_away(lambda: self._read(case_id, on_end), on_end)

    def case_nodes(self) -> tuple[Any, Any]:
        """Return scan and labels of the open case, None each without one."""
        if self._case is None or not self._case.is_there:
            return None, None
        return self._case.volume, self._case.node

    def store_case(self, on_end: OnEnd) -> None:
        """Store the edits of the open case now; it stays open."""

        def stored() -> None:
            on_end(Outcome(_("All changes are stored.")))
            self._link.refresh()

        self._put_away(stored, on_end)

    def accept_case(self, on_end: OnEnd) -> None:
        """Store the labels of the open case as accepted: no prediction replaces them.

        Raises:
            SegmentationAIError: No case is open, or its segments lie on other voxels.
        """
        case = self._opened_case()
        labels, seconds = case.labels(), self._clock.take()
        values = {"case": case.id, "seen": case.version, "who": self._who, "seconds": seconds}

        def accepted(answer: StudyAnswer) -> None:
            case.stored(labels, answer.facts)
            on_end(Outcome(_("{case} is accepted.").format(case=case.id)))
            self._link.refresh()

        self._link.ask("accept", values, accepted, self._counting(seconds, on_end), labels)

    def skip_case(self, on_end: OnEnd) -> None:
        """Leave the open case out of the loop until it is reopened; its edits are stored.

        Raises:
            SegmentationAIError: No case is open.
        """
        case = self._opened_case()
        said = _("{case} is left out until it is reopened.").format(case=case.id)
        self._put_away(lambda: self._set_state("skip", case.id, said, on_end), on_end)

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
        self._link.on_change = lambda: None
        self._study_scene.RemoveObserver(self._closing)
        case, self._case = self._case, None
        if case is not None and self._link.facts is not None:
            self._clock.stop()
            if case.is_there and case.is_changed():
                labels = case.labels()
                self._link.ask_now("correct", self._work_on(case), labels)
            case.remove()
        self._link.forget()

    def _set_state(self, action: str, case_id: str, said: str, on_end: OnEnd) -> None:
        def done(_: StudyAnswer) -> None:
            on_end(Outcome(said))
            self._link.refresh()

        self._link.ask(action, {"case": case_id}, done, on_end)

    def _put_away(self, then: Then, on_end: OnEnd) -> None:
        """Store edits and time of the open case, then go on; when it cannot be, all stays."""
        case = self._case
        if case is None or not case.is_there:
            self._case = None
            then()
            return
        if case.is_changed():
            labels, values = case.labels(), self._work_on(case)

            def stored(answer: StudyAnswer) -> None:
                case.stored(labels, answer.facts)
                self._put_away(then, on_end)  # what was drawn while it was being stored

            on_refused = self._counting(values["seconds"], on_end)
            self._link.ask("correct", values, stored, on_refused, labels)
            return
        seconds = self._clock.take()
        if seconds < 1.0:
            then()
            return
        values = {"case": case.id, "seconds": seconds}
        self._link.ask("spend", values, lambda _: then(), self._counting(seconds, on_end))

    def _read(self, case_id: str, on_end: OnEnd) -> None:
        def came(answer: StudyAnswer) -> None:
            case = StudyCase(answer, self._study_scene)
            if self._case is not None:
                self._case.remove()
            self._case = case
            self._clock.start(case.node)
            case.show_origin(self._shows_origin)
            case.show_in_views()
            on_end(Outcome(case.sentence))
            self._link.refresh()

        self._link.ask("read", {"case": case_id}, came, on_end)

    def _leave_for(self, folder: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        facts = self._link.facts
        if facts is not None and facts.folder != folder.absolute() and self._case is not None:
            case, self._case = self._case, None
            self._clock.stop()
            case.remove()
            self._link.ask("leave", {}, lambda _: None, on_end)
        self._link.open(folder, on_progress, on_end)

    def _work_on(self, case: StudyCase) -> dict[str, Any]:
        return {"case": case.id, "seen": case.version, "who": self._who,
                "seconds": self._clock.take()}  # fmt: skip

    def _counting(self, seconds: float, on_end: OnEnd) -> OnEnd:
        """Return ``on_end`` that first counts the seconds again, which were not stored."""

        def refused(outcome: Outcome) -> None:
            self._clock.give_back(seconds)
            on_end(outcome)

        return refused

    def _opened_case(self) -> StudyCase:
        if self._case is None or not self._case.is_there:
            raise SegmentationAIError(_("No case is open; choose one of the worklist."))
        return self._case

    def _scene_closes(self) -> None:
        """Store edits before the nodes go; the answer is not waited for."""
        case, self._case = self._case, None
        if case is None or not case.is_there or self._link.facts is None:
            return
        self._clock.stop()
        if case.is_changed():
            labels, values = case.labels(), self._work_on(case)
            self._link.ask("correct", values, lambda _: self._link.refresh(), _ignore, labels)
        else:
            values = {"case": case.id, "seconds": self._clock.take()}
            self._link.ask("spend", values, lambda _: self._link.refresh(), _ignore)
        self._link.ask("leave", {}, lambda _: self._link.on_change(), _ignore)


def _ignore(_: Outcome) -> None:
    """Nobody is there to be told."""
