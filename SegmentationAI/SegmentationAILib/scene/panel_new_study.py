"""A new study as a panel makes it: folders and a base network in, an open study out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..worker.client import Call, StudyAnswer, StudyAsked, WorkerError
from .call_watch import OnProgress, outcome_of_call, watch_call
from .panel_facts import Outcome
from .study_link import OnEnd
from .ticker import Ticker
from .training_facts import BaseFacts
from .translation import tr as _
from .worker_setup import WorkerSetup

OnBases = Callable[[tuple[BaseFacts, ...]], None]
OpenStudy = Callable[[Path, OnProgress, OnEnd], None]
# What makes the first labels where no folder has them; names of the worker.
OWN_LABELS: Final = ("network", "otsu", "kmeans")


@dataclass(frozen=True)
class StudyWanted:
    """What a person asks for; texts as they were typed.

    Attributes:
        images: Folder of the scans.
        labels: Folder of the first labels, or one of `OWN_LABELS`.
        base: ID of the network that each iteration starts from.
        hold_out: Share of the cases that no network learns from, 0 to under 1.
        references: Folder of reference labels, empty without any.
        parent: Folder that gets the study.
        name: Of the study's own folder.
    """

    images: str
    labels: str
    base: str
    hold_out: float
    references: str
    parent: str
    name: str

    def folder(self) -> Path:
        """Return the folder of the study, having checked what is there to check.

        Raises:
            SegmentationAIError: Something is missing, or the name is that of no folder.
        """
        for text, said in (
            (self.images, _("Choose the folder with the scans.")),
            (self.labels, _("Choose the folder with the first labels, or let them be made.")),
            (self.base, _("No network here can be trained further; make one in the step Train, or "
                          "install one.")),
            (self.parent, _("Choose the folder that gets the study.")),
        ):  # fmt: skip
            if not text:
                raise SegmentationAIError(said)
        if not self.name or self.name in (".", "..") or set(self.name) & set('/\\:*?"<>|\0'):
            said = _("'{name}' names no folder; give the study a name without / \\ : * ? \" < > |.")
            raise SegmentationAIError(said.format(name=self.name))
        parent = Path(self.parent).absolute()
        if not parent.is_dir():
            said = _("The folder {folder} is not there; choose one that is.")
            raise SegmentationAIError(said.format(folder=parent.name or self.parent))
        return parent / self.name

    def values(self) -> dict[str, Any]:
        """Return what the worker is told."""
        labels = self.labels if self.labels in OWN_LABELS else _in_full(self.labels)
        references = _in_full(self.references) if self.references else ""
        return {"images": _in_full(self.images), "labels": labels, "base": self.base,
                "hold_out": self.hold_out, "references": references, "device": "auto"}  # fmt: skip


class PanelNewStudy:
    """Makes one study at a time.

    Args:
        setup: The worker.
        ticker: The event loop.
        open_study: Opens the study that was made.
    """

    def __init__(self, setup: WorkerSetup, ticker: Ticker, open_study: OpenStudy) -> None:
        self._making_setup, self._making_ticker = setup, ticker
        self._open_made = open_study
        self._making: Call[StudyAnswer] | None = None

    def study_bases(self, on_bases: OnBases, on_end: OnEnd) -> None:
        """Tell the networks that a study can start from, or why they are not known.

        Raises:
            SegmentationAIError: There is no worker.
        """

        def ended(call: Call[StudyAnswer]) -> None:
            outcome = outcome_of_call(call, lambda answer: "")
            if outcome.is_success:
                on_bases(_bases(call.result(0).facts))
            else:
                on_end(outcome)

        call = self._ask(StudyAsked("bases", ""))
        watch_call(call, self._making_ticker, lambda *_told: None, ended)

    def make_study(self, wanted: StudyWanted, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make a study in the background and open it.

        Args:
            wanted: What it is made from.
            on_progress: Told a fraction, a sentence and the seconds left.
            on_end: Told when it is open, or why nothing was made.

        Raises:
            SegmentationAIError: Something is missing, one is being made, or there is no worker.
        """
        if self._making is not None:
            raise SegmentationAIError(_("A study is being made already; wait, or cancel it."))
        folder = wanted.folder()

        def ended(call: Call[StudyAnswer]) -> None:
            self._making = None
            outcome = outcome_of_call(call, lambda answer: _made_in_words(folder, answer.facts))
            if not outcome.is_success:
                on_end(outcome)
                return
            details = _failed_in_words(call.result(0).facts)
            self._open(folder, Outcome(outcome.sentence, details=details), on_progress, on_end)

        self._making = self._ask(StudyAsked("make", str(folder), wanted.values()))
        watch_call(self._making, self._making_ticker, on_progress, ended)

    def is_making_study(self) -> bool:
        """Return whether a study is being made."""
        return self._making is not None

    def cancel_new_study(self) -> None:
        """End the making; nothing of the study is left."""
        if self._making is not None:
            self._making.cancel()

    def _open(self, folder: Path, made: Outcome, on_progress: OnProgress, on_end: OnEnd) -> None:
        def opened(outcome: Outcome) -> None:
            if outcome.is_success:
                on_end(made)
                return
            sentence = f"{made.sentence} {outcome.sentence}"
            details = made.details or outcome.details
            on_end(Outcome(sentence, details=details, is_success=False))

        self._open_made(folder, on_progress, opened)

    def _ask(self, asked: StudyAsked) -> Call[StudyAnswer]:
        if not self._making_setup.is_ready():
            raise SegmentationAIError(
                _("Studies need the environment of the networks; set it up in the step Settings.")
            )
        return self._making_setup.worker().study(asked)


def _bases(facts: Mapping[str, Any]) -> tuple[BaseFacts, ...]:
    try:
        return tuple(
            BaseFacts(str(row["id"]), "", str(row["title"]), str(row["task"]))
            for row in facts["bases"]
        )
    except (KeyError, TypeError) as error:
        raise WorkerError("The worker's list of networks is not understood.") from error


def _made_in_words(folder: Path, facts: Mapping[str, Any]) -> str:
    said = _("{name}: {cases} cases, {held_out} held out.")
    sentence = said.format(name=folder.name, cases=facts["cases"], held_out=facts["held_out"])
    if facts["failed"]:
        more = _("{count} cannot be used, see Details.").format(count=len(facts["failed"]))
        sentence = f"{sentence} {more}"
    return sentence


def _failed_in_words(facts: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {reason}" for name, reason in facts["failed"].items())


def _in_full(text: str) -> str:
    return str(Path(text).absolute())
