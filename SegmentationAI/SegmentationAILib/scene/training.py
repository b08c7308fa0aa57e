"""One training as the host follows it: collected, planned, run, and kept or not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import slicer

from ..core.errors import SegmentationAIError
from ..worker.client import Call, CollectedScan, TrainAnswer, TrainAsked
from .call_watch import outcome_of_call, watch_call
from .scene_cases import CaseError, collected
from .ticker import Stop, Ticker
from .training_facts import (
    CaseFound,
    TrainingAsked,
    TrainingFacts,
    case_found,
    curves_of,
    trained_of,
)
from .translation import tr as _
from .turns import Steps, run_in_turns
from .worker_setup import WorkerSetup

OnFacts = Callable[[TrainingFacts], None]
Answered = Callable[[TrainAnswer], None]


class Training:
    """The one training that is planned or under way.

    Args:
        scene: Has the cases.
        setup: The worker.
        ticker: The event loop.

    Attributes:
        facts: How it stands.
        on_facts: Told whenever that changes.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, setup: WorkerSetup, ticker: Ticker) -> None:
        self._scene, self._setup, self._ticker = scene, setup, ticker
        self.facts = TrainingFacts()
        self.on_facts: OnFacts = lambda facts: None
        self._asked: TrainingAsked | None = None
        self._call: Call[Any] | None = None
        self._sample = 0
        self._stop_collecting: Stop = lambda: None

    def plan(self, asked: TrainingAsked) -> None:
        """Collect the cases, check them and make the plan, in the background.

        Raises:
            SegmentationAIError: Something goes on already, or what is asked for is incomplete.
        """
        self._check_free()
        if asked.folder is None and not asked.cases:
            raise SegmentationAIError(
                _("No case is ticked; load scans with segmentations and tick those to learn from.")
            )
        self._asked, self._sample = asked, 0
        self.facts = TrainingFacts(can_go_back=self.facts.can_go_back)
        if not self._setup.is_ready():
            self._follow(self._setup.make(), lambda _proof: self._collect(asked))
            return
        self._collect(asked)

    def forget_plan(self) -> None:
        """Drop a plan that is not begun: something else is asked for now."""
        if not self.facts.is_busy and self.facts.plan:
            self._set(state="idle", plan="", trained=None)

    def start(self, *, anew: bool = False) -> None:
        """Train as planned, or go on with the training of that name.

        Args:
            anew: Throw away what was trained under that name before.

        Raises:
            SegmentationAIError: Nothing was planned, or something goes on already.
        """
        asked = self._planned()
        if anew and self.facts.can_resume:
            self._ask("discard", {}, lambda _answer: self._train(asked, resume=False))
            return
        self._train(asked, resume=self.facts.can_resume)

    def pause(self) -> None:
        """Hold the training after its step, or let it go on."""
        pauses = self.facts.state == "training"
        self._tell("pause" if pauses else "go on")
        self._set(state="paused" if pauses else "training")

    def cancel(self) -> None:
        """End what goes on; a training ends after its step, and asked again at once.

        A training that was ended goes on where it was when it is started again.
        """
        if self.facts.state in ("training", "paused"):
            self._tell("stop")
            self._set(state="stopping", sentence=_("Ending after this step"))
        elif self.facts.is_busy:
            self._stop_collecting()
            if self._call is not None:
                self._call.cancel()
            else:
                self._set(state="idle", sentence=_("Canceled."))

    def show_case(self, case_id: str, on_picture: Callable[[bytes], None]) -> None:
        """Give ``on_picture`` a PNG file of a case that was checked, empty when there is none."""
        if self._asked is None or self.facts.state not in ("idle", "planned", "finished"):
            return
        asked = TrainAsked("picture", self._asked.name, {"case": case_id})
        self._aside(asked, lambda answer: on_picture(answer.picture))

    def keep(self, *, replaces: bool) -> None:
        """Install the trained network, or put it in the place of the one it started from.

        Raises:
            SegmentationAIError: There is none.
        """
        self._planned()

        def kept(answer: TrainAnswer) -> None:
            base = str(answer.facts["id"]) if replaces else ""
            self._set(state="idle", sentence=str(answer.facts["sentence"]), plan="", trained=None,
                      can_go_back=base)  # fmt: skip

        self._ask("keep", {"replaces": replaces}, kept)

    def drop(self) -> None:
        """Use the trained network for nothing; its folder stays in the data folder."""
        said = _("Nothing was changed; the training lies in the data folder, see Settings.")
        self._set(state="idle", sentence=said, plan="", trained=None)

    def go_back(self) -> None:
        """Put the network back that was replaced.

        Raises:
            SegmentationAIError: Something goes on already.
        """
        self._check_free()
        network_id = self.facts.can_go_back

        def back(answer: TrainAnswer) -> None:
            left = network_id if answer.facts["versions"] else ""
            self._set(state="idle", sentence=str(answer.facts["sentence"]), can_go_back=left)

        self._ask("roll back", {"id": network_id}, back)

    def close(self) -> None:
        """Let go of a training; it can go on in another session."""
        self.on_facts = lambda facts: None
        self._stop_collecting()
        if self._call is not None:
            self._call.cancel()

    def _collect(self, asked: TrainingAsked) -> None:
        if asked.folder is not None:
            self._ask("plan", asked.values(), self._take_plan)
            return
        self._call = None
        self._set(state="working", sentence=_("Reading the cases of the scene"))
        self._stop_collecting = run_in_turns(self._collecting(asked), self._ticker)

    def _collecting(self, asked: TrainingAsked) -> Steps[None]:
        try:
            scans = yield from collected(self._scene, asked.cases)
        except CaseError as error:
            unread = tuple(CaseFound(one.id, "not checked", "", False) for one in asked.cases)
            found = tuple(
                CaseFound(one.id, "bad", str(error), False) if one.id == error.case_id else one
                for one in unread
            )
            self._set(state="idle", sentence=str(error), cases=found)
            return

        def plan(_answer: TrainAnswer) -> None:
            self._ask("plan", asked.values(), self._take_plan)

        self._ask("collect", {"kind": asked.kind}, plan, scans)

    def _take_plan(self, answer: TrainAnswer) -> None:
        facts = answer.facts
        cases = tuple(case_found(row) for row in facts["cases"])
        plan = str(facts["plan"])
        trained = trained_of(facts["result"]) if "result" in facts else None
        state = "finished" if trained is not None else "planned" if plan else "idle"
        self._set(state=state, sentence=str(facts["refused"]), cases=cases, plan=plan,
                  can_resume=bool(facts["can_resume"]), trained=trained)  # fmt: skip

    def _train(self, asked: TrainingAsked, *, resume: bool) -> None:
        self._sample = 0
        call = self._worker(TrainAsked("start", asked.name, asked.values(resume=resume)))
        self._call = call
        self._set(state="training", sentence=_("Starting"), fraction=0.0, trained=None, sample=b"")

        def told(fraction: float, sentence: str, seconds_left: float | None) -> None:
            facts = call.last_event.facts or {}
            changes: dict[str, Any] = {"curves": curves_of(facts)} if "losses" in facts else {}
            self._set(fraction=fraction, sentence=sentence, seconds_left=seconds_left, **changes)
            self._fetch_sample(asked, facts)

        watch_call(call, self._ticker, told, self._trained)

    def _fetch_sample(self, asked: TrainingAsked, facts: Any) -> None:
        epoch = int(facts.get("sample", 0))  # a heartbeat tells of none
        if epoch in (0, self._sample):
            return
        self._sample, case = epoch, str(facts["sample_case"])

        def shown(answer: TrainAnswer) -> None:
            self._set(sample=answer.picture, sample_case=case)

        self._aside(TrainAsked("sample", asked.name), shown)

    def _trained(self, call: Call[TrainAnswer]) -> None:
        outcome = outcome_of_call(call, lambda answer: str(answer.facts["result"]["verdict"]))
        self._call = None
        if not outcome.is_success:
            said = _("Ended; Go on continues where it was.")
            sentence = said if outcome.was_cancelled else outcome.sentence
            self._set(state="planned", sentence=sentence, can_resume=True, seconds_left=None)
            return
        facts = call.result(0).facts
        self._set(state="finished", sentence=outcome.sentence, fraction=1.0, seconds_left=None,
                  curves=curves_of(facts), can_resume=True,
                  trained=trained_of(facts["result"]))  # fmt: skip
        if self._asked is not None:
            self._fetch_sample(self._asked, facts)

    def _ask(
        self,
        action: Any,
        values: dict[str, Any],
        then: Answered,
        cases: Sequence[CollectedScan] = (),
    ) -> None:
        """Ask something that holds the step up; when it cannot be done, all stays as it was."""
        name = "" if self._asked is None else self._asked.name
        self._follow(self._worker(TrainAsked(action, name, values, tuple(cases))), then)

    def _follow(self, call: Call[Any], then: Callable[[Any], None]) -> None:
        before = "idle" if self.facts.is_busy else self.facts.state
        self._call = call
        self._set(state="working", sentence=_("Working"))

        def told(fraction: float, sentence: str, seconds_left: float | None) -> None:
            self._set(fraction=fraction, sentence=sentence, seconds_left=seconds_left)

        def ended(call: Call[Any]) -> None:
            self._call = None
            outcome = outcome_of_call(call, lambda _answer: "")
            if outcome.is_success:
                then(call.result(0))
            else:
                self._set(state=before, sentence=outcome.sentence, seconds_left=None)

        watch_call(call, self._ticker, told, ended)

    def _aside(self, asked: TrainAsked, then: Answered) -> None:
        """Ask something that holds nothing up; without an answer nothing is shown."""

        def ended(call: Call[TrainAnswer]) -> None:
            if outcome_of_call(call, lambda _answer: "").is_success:
                then(call.result(0))

        watch_call(self._worker(asked), self._ticker, lambda *_told: None, ended)

    def _tell(self, action: Any) -> None:
        if self._asked is not None:
            self._worker(TrainAsked(action, self._asked.name))

    def _worker(self, asked: TrainAsked) -> Call[TrainAnswer]:
        return self._setup.worker().train(asked)

    def _planned(self) -> TrainingAsked:
        self._check_free()
        if self._asked is None or not (self.facts.plan or self.facts.trained):
            raise SegmentationAIError(_("Nothing is planned yet; check the cases first."))
        return self._asked

    def _check_free(self) -> None:
        if self.facts.is_busy:
            raise SegmentationAIError(_("A training is under way; wait for it, or cancel it."))

    def _set(self, **changes: Any) -> None:
        self.facts = replace(self.facts, **changes)
        self.on_facts(self.facts)
