"""The panel's way to one study: quick calls one after the other, long ones beside them."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..worker.client import Call, StudyAnswer, StudyAsked
from .call_watch import OnProgress, outcome_of_call, watch_call
from .panel_facts import Outcome
from .study_facts import StudyFacts, study_of_facts
from .ticker import Ticker
from .translation import tr as _
from .worker_setup import WorkerSetup

OnAnswer = Callable[[StudyAnswer], None]
OnEnd = Callable[[Outcome], None]
# A case opens and is stored between two blinks; 50 ms of sleep would be half of that.
LOOK_MILLISECONDS: Final = 10
INDEX: Final = "study.sqlite"
# These change nothing and open nothing.
_IDLE: Final = ("list", "history")


def ignore_progress(fraction: float, sentence: str, seconds_left: float | None) -> None:
    """Take no notice."""


@dataclass(eq=False)
class _Waiting:
    asked: StudyAsked
    on_answer: OnAnswer
    on_end: OnEnd
    on_progress: OnProgress = field(default=ignore_progress)


class StudyLink:
    """One study that is open in the panel.

    Args:
        setup: The worker.
        ticker: The event loop.
    """

    def __init__(self, setup: WorkerSetup, ticker: Ticker) -> None:
        self._setup, self._ticker = setup, ticker
        self.facts: StudyFacts | None = None
        self.order: tuple[str, ...] = ()
        self.on_change: Callable[[], None] = lambda: None
        self._line: deque[_Waiting] = deque()
        # What is being asked: one or none.
        self._now: list[_Waiting] = []
        self.long_call: Call[StudyAnswer] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a case is being read, stored or changed; listing and looking hold nobody up."""
        return any(one.asked.action not in _IDLE for one in (*self._now, *self._line))

    def open(self, folder: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Open the study of a folder; the one that was open before stays open until then.

        Raises:
            SegmentationAIError: The folder holds no study, or there is no worker.
        """
        folder = folder.absolute()
        if not (folder / INDEX).is_file():
            said = _("{folder} holds no study (no {index}); choose the folder of one, or make one "
                     "with segmentationai relabel init.")  # fmt: skip
            raise SegmentationAIError(said.format(folder=folder.name, index=INDEX))

        def listed(answer: StudyAnswer) -> None:
            if self.facts is None or self.facts.folder != folder:
                self.order = ()
            self.facts = study_of_facts(folder, answer.facts, self.order)
            moved = int(answer.facts["set_aside"])
            said = _("{name}: {count} cases.").format(name=folder.name, count=len(self.facts.cases))
            if moved:
                more = _("{count} files that an interrupted run had left were moved to orphans.")
                said = f"{said} {more.format(count=moved)}"
            on_end(Outcome(said))
            self.on_change()

        self._put(_Waiting(StudyAsked("list", str(folder)), listed, on_end, on_progress))

    def refresh(self, then: Callable[[], None] = lambda: None) -> None:
        """List cases, iterations and reviews again."""
        facts = self._opened()

        def listed(answer: StudyAnswer) -> None:
            if self.facts is not None and self.facts.folder == facts.folder:
                self.facts = study_of_facts(facts.folder, answer.facts, self.order)
            self.on_change()
            then()

        self.ask("list", {}, listed, lambda outcome: then())

    def ask(
        self,
        action: str,
        values: Mapping[str, Any],
        on_answer: OnAnswer,
        on_end: OnEnd,
        labels: Labelmap | None = None,
    ) -> None:
        """Ask something quick; calls are made one after the other.

        Args:
            action: Of `StudyAsked`.
            values: Of it.
            on_answer: Told when it was done.
            on_end: Told when it could not be done, and why.
            labels: Stay as they are until the answer.

        Raises:
            SegmentationAIError: No study is open, or there is no worker.
        """
        asked = self._asked(action, values, labels)
        self._put(_Waiting(asked, on_answer, on_end))

    def ask_long(
        self,
        action: str,
        values: Mapping[str, Any],
        on_answer: OnAnswer,
        on_end: OnEnd,
        on_progress: OnProgress,
    ) -> None:
        """Ask something that runs beside the quick calls; one at a time.

        Raises:
            SegmentationAIError: Another such call runs, no study is open, or there is no worker.
        """
        if self.long_call is not None:
            raise SegmentationAIError(_("The loop or a ranking runs already; wait, or cancel it."))
        self._check_ready()
        call = self._setup.worker().study(self._asked(action, values, None))
        self.long_call = call

        def ended(call: Call[StudyAnswer]) -> None:
            self.long_call = None
            _tell(call, on_answer, on_end)
            self.on_change()

        watch_call(call, self._ticker, on_progress, ended)
        self.on_change()

    def ask_now(self, action: str, values: Mapping[str, Any], labels: Labelmap | None) -> None:
        """Ask something and wait for it, as when the module ends; at most 10 s."""
        asked = self._asked(action, values, labels)
        self._setup.worker().study(asked).result(10.0)

    def forget(self) -> None:
        """Let go of the study; what was asked for is done all the same."""
        self.facts, self.order = None, ()
        self.on_change()

    def _opened(self) -> StudyFacts:
        if self.facts is None:
            raise SegmentationAIError(_("No study is open; choose the folder of one."))
        return self.facts

    def _asked(self, action: str, values: Mapping[str, Any], labels: Labelmap | None) -> StudyAsked:
        folder = str(self._opened().folder)
        return StudyAsked(action, folder, dict(values), labels)  # type: ignore[arg-type]

    def _check_ready(self) -> None:
        if not self._setup.is_ready():
            raise SegmentationAIError(
                _("Studies need the environment of the networks; set it up in the step Settings.")
            )

    def _put(self, waiting: _Waiting) -> None:
        self._check_ready()
        self._line.append(waiting)
        self._next()

    def _next(self) -> None:
        if self._now or not self._line:
            return
        one = self._line.popleft()
        call = self._setup.worker().study(one.asked)
        self._now = [one]

        def ended(call: Call[StudyAnswer]) -> None:
            self._now = []
            try:
                _tell(call, one.on_answer, one.on_end)
            finally:
                self._next()

        watch_call(call, self._ticker, one.on_progress, ended, LOOK_MILLISECONDS)


def _tell(call: Call[StudyAnswer], on_answer: OnAnswer, on_end: OnEnd) -> None:
    outcome = outcome_of_call(call, lambda answer: "")
    if not outcome.is_success:
        on_end(outcome)
        return
    try:
        on_answer(call.result(0))
    except SegmentationAIError as error:
        on_end(Outcome(str(error), is_success=False))
