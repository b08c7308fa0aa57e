"""The case that is open, and how what a person draws on it gets into the study: all of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..worker.client import StudyAnswer
from .panel_facts import Outcome
from .study_case import StudyCase
from .study_link import OnEnd, StudyLink
from .translation import tr as _
from .work_clock import WorkClock

Then = Callable[[], None]
# Less is no work on a case, and not worth a call.
LEAST_SECONDS: Final = 1.0
logger = logging.getLogger(__name__)


class CaseStorage:
    """Holds the open case and stores its edits.

    Args:
        link: To the study.
        clock: Counts the time that a person works on the case.
    """

    def __init__(self, link: StudyLink, clock: WorkClock) -> None:
        self._link, self._clock = link, clock
        self.case: StudyCase | None = None
        self.who = ""
        # Told what could not be stored when nobody waits for an answer.
        self.on_refused: OnEnd = log_refusal
        # What neither the study nor its folder has taken: edits of scenes that were closed.
        self._left: list[_Left] = []

    def put_away(self, then: Then, on_end: OnEnd, keeps: str = "") -> None:
        """Store edits and time of the open case, then go on; when it cannot be, all stays.

        Args:
            then: Called when the study has all that is on the screen at that moment.
            on_end: Told why it is not called.
            keeps: ``changed`` goes on as well when others have changed the case: the edits are kept
                beside the study then.
        """
        case = self.case
        if case is None or not case.has_labels:
            self.case = None
            then()
        elif case.is_changed():
            self._store(case, lambda: self.put_away(then, on_end, keeps), on_end, keeps)
        else:
            self._spend(case, then, lambda: self.put_away(then, on_end, keeps), on_end)

    def work_on(self, case: StudyCase) -> dict[str, Any]:
        """Return who has worked on a case, how long, and on which labels; the clock begins anew."""
        return {"case": case.id, "seen": case.version, "stored": case.stored_version,
                "who": self.who, "seconds": self._clock.take()}  # fmt: skip

    def counting(self, seconds: float, on_end: OnEnd) -> OnEnd:
        """Return ``on_end`` that first counts the seconds again, which were not stored."""

        def refused(outcome: Outcome) -> None:
            self._clock.give_back(seconds)
            on_end(outcome)

        return refused

    def store_before_closing(self) -> None:
        """Store edits before the nodes go; the answer is not waited for."""
        case, self.case = self.case, None
        if case is None or not case.has_labels or self._link.facts is None:
            return
        self._clock.stop()
        try:
            if case.is_changed():
                values = self.work_on(case) | {"keeps": "always"}
                self._send(_Left(self._link.facts.folder, values, case.labels()))
            else:
                values = {"case": case.id, "seconds": self._clock.take()}
                self._link.ask("spend", values, lambda _: self._refresh(), _ignore)
            self._link.ask("leave", {}, lambda _: self._link.on_change(), _ignore)
        except SegmentationAIError as error:
            said = _("What was changed of {case} could not be stored: {reason}")
            said = said.format(case=case.id, reason=error)
            self.on_refused(Outcome(said, is_success=False))

    def try_again(self) -> None:
        """Store what could not be stored when a scene was closed, now that the study is there."""
        facts, left = self._link.facts, self._left
        if facts is not None:
            self._left = [one for one in left if one.folder != facts.folder]
            for one in left:
                if one.folder == facts.folder:
                    self._send(one)

    def store_at_once(self) -> None:
        """Store edits and wait for it, as when the module ends; then the nodes go."""
        case, self.case = self.case, None
        if case is None or self._link.facts is None:
            return
        self._clock.stop()
        try:
            if case.has_labels and case.is_changed():
                labels, values = case.labels(), self.work_on(case) | {"keeps": "always"}
                self._link.ask_now("correct", values, labels)
        except SegmentationAIError as error:
            log_refusal(Outcome(f"{case.id}: {error}", is_success=False))
        finally:
            case.remove()

    def _store(self, case: StudyCase, again: Then, on_end: OnEnd, keeps: str) -> None:
        labels, values = case.labels(), self.work_on(case) | {"keeps": keeps}

        def stored(answer: StudyAnswer) -> None:
            if "refused" in answer.facts:
                case.kept(labels)
            else:
                case.stored(labels, answer.facts)
            again()  # what was drawn while it was being stored

        on_refused = self.counting(values["seconds"], on_end)
        self._link.ask("correct", values, stored, on_refused, labels)

    def _spend(self, case: StudyCase, then: Then, again: Then, on_end: OnEnd) -> None:
        seconds = self._clock.take()
        if seconds < LEAST_SECONDS:
            then()
            return

        def spent(_: StudyAnswer) -> None:
            if case.has_labels and case.is_changed():
                again()
            else:
                then()

        values = {"case": case.id, "seconds": seconds}
        self._link.ask("spend", values, spent, self.counting(seconds, on_end))

    def _refresh(self) -> None:
        """List the study again, unless it was closed before the answer came."""
        if self._link.facts is not None:
            self._link.refresh()

    def _send(self, left: "_Left") -> None:
        """Store edits of a scene that is gone; what cannot be stored or kept stays in memory."""
        case_id = left.values["case"]

        def closed(answer: StudyAnswer) -> None:
            if "refused" in answer.facts:
                said = _("{reason} What was changed of {case} is kept in the study: open the case "
                         "to put it onto the labels as they are now.")  # fmt: skip
                said = said.format(reason=answer.facts["refused"], case=case_id)
                self.on_refused(Outcome(said, is_success=False))
            self._refresh()

        def failed(outcome: Outcome) -> None:
            self._left.append(left)
            self.on_refused(_not_stored(case_id, outcome.sentence))

        try:
            self._link.ask("correct", left.values, closed, failed, left.labels)
        except SegmentationAIError as error:
            failed(Outcome(str(error), is_success=False))


@dataclass(frozen=True, eq=False)
class _Left:
    folder: Path
    values: dict[str, Any]
    labels: Labelmap


def log_refusal(outcome: Outcome) -> None:
    """Write down what could not be stored, where no panel is there to say it."""
    logger.warning(outcome.sentence)


def _ignore(_: Outcome) -> None:
    """Nobody is there to be told."""


def _not_stored(case_id: str, reason: str) -> Outcome:
    said = _("What was changed of {case} could not be stored: {reason} Until Slicer ends it is "
             "tried again whenever a case of this study is opened.")  # fmt: skip
    return Outcome(said.format(case=case_id, reason=reason), is_success=False)
