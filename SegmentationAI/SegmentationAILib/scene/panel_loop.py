"""The loop of a study as a panel runs it: what it costs, progress, rollback, ranking, export."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..core.errors import SegmentationAIError
from ..worker.client import StudyAnswer
from .call_watch import OnProgress
from .panel_facts import Outcome
from .study_link import OnEnd, StudyLink
from .translation import tr as _

# What an iteration does beside training grows with the cases, not with the epochs; measured as a
# fifth of an iteration (see learn.relabel.loop).
_BESIDE_TRAINING: Final = 0.2
DECATHLON: Final = "decathlon"
StoreFirst = Callable[[OnEnd], None]


class PanelLoop:
    """Iterations, ranking and export of a study.

    Args:
        link: To the study.
        store_first: Stores the edits of the open case, then tells.
    """

    def __init__(self, link: StudyLink, store_first: StoreFirst) -> None:
        self._loop_link, self._store_first = link, store_first

    def proposal_question(self, iterations: int, epochs: int) -> str:
        """Return what running the loop will cost, as a question.

        Raises:
            SegmentationAIError: No study is open, or no case has labels to learn from.
        """
        facts = self._loop_link.facts
        if facts is None:
            raise SegmentationAIError(_("No study is open; choose the folder of one."))
        cost = facts.cost
        if not cost.learned:
            raise SegmentationAIError(
                _("No case has labels to learn from; draw some, or reopen cases.")
            )
        said = _("Each iteration trains a copy of {base}, or what the iteration before made of it, "
                 "for {epochs} epochs on {learned} cases and predicts {predicted}.")  # fmt: skip
        text = said.format(
            base=facts.base, epochs=epochs, learned=cost.learned, predicted=cost.predicted
        )
        if facts.unfinished is not None:
            more = _("Iteration {number} was interrupted and goes on first, as it was begun.")
            text += " " + more.format(number=facts.unfinished)
        if cost.seconds is not None and cost.epochs:
            share = (1 - _BESIDE_TRAINING) * epochs / cost.epochs + _BESIDE_TRAINING
            expected = _minutes(iterations * cost.seconds * share)
            text += " " + _("About {time} on this computer.").format(time=expected)
        else:
            text += " " + _("How long that takes is known once it trains, and shown then.")
        kept = _("What you have accepted or corrected stays; Slicer stays usable. Begin?")
        return f"{text} {kept}"

    def propose(self, iterations: int, epochs: int, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Run the loop in the background; edits of the open case are stored first.

        Raises:
            SegmentationAIError: It runs already, no study is open, or there is no worker.
        """
        values = {"iterations": iterations, "epochs": epochs, "device": "auto"}

        def done(answer: StudyAnswer) -> None:
            numbers = ", ".join(str(number) for number in answer.facts["done"])
            said = _("Iteration {numbers} is done. {verdict}")
            on_end(Outcome(said.format(numbers=numbers, verdict=answer.facts["verdict"])))
            self._loop_link.refresh()

        def refused(outcome: Outcome) -> None:
            on_end(_kept_so_far(outcome))
            self._loop_link.refresh()

        def begin(outcome: Outcome) -> None:
            if not outcome.is_success:
                on_end(outcome)
                return
            try:
                self._loop_link.ask_long("run", values, done, refused, on_progress)
            except SegmentationAIError as error:
                on_end(Outcome(str(error), is_success=False))

        if self._loop_link.long_call is not None:
            raise SegmentationAIError(_("The loop or a ranking runs already; wait, or cancel it."))
        self._store_first(begin)

    def is_proposing(self) -> bool:
        """Return whether the loop or a ranking runs."""
        return self._loop_link.long_call is not None

    def cancel_proposal(self) -> None:
        """End the loop or the ranking; an interrupted iteration can go on later."""
        if self._loop_link.long_call is not None:
            self._loop_link.long_call.cancel()

    def roll_back(self, number: int, on_end: OnEnd) -> None:
        """Make the labels of an earlier iteration the current ones; 0 is before the first.

        Edits of the open case are stored first, and stay current as all that persons made.
        """

        def back(_answer: StudyAnswer) -> None:
            where = _("iteration {number}").format(number=number) if number else _("the beginning")
            said = _("The labels are those of {where} again; nothing was deleted. Open the case "
                     "again to see them.")  # fmt: skip
            on_end(Outcome(said.format(where=where)))
            self._loop_link.refresh()

        def begin(outcome: Outcome) -> None:
            if not outcome.is_success:
                on_end(outcome)
                return
            self._loop_link.ask("rollback", {"iteration": number}, back, on_end)

        self._store_first(begin)

    def rank_cases(self, strategy: str, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Put the cases first that are worth most to label next; empty orders by name.

        Raises:
            SegmentationAIError: The loop runs, no study is open, or there is no worker.
        """
        link = self._loop_link
        if not strategy:
            link.order = ()
            link.refresh()
            return
        budget = len(link.facts.cases) if link.facts is not None else 1

        def ranked(answer: StudyAnswer) -> None:
            link.order = tuple(str(name) for name in answer.facts["cases"])
            said = _("{count} cases are in the order in which they are worth labeling.")
            on_end(Outcome(said.format(count=len(link.order))))
            link.refresh()

        values = {"strategy": strategy, "budget": max(1, budget), "device": "auto"}
        link.ask_long("rank", values, ranked, on_end, on_progress)

    def export_study(self, folder: Path, format_key: str, on_end: OnEnd) -> None:
        """Write the current labels of all cases into a new folder; edits are stored first.

        Args:
            folder: Not there yet, or empty.
            format_key: An ending such as ``.seg.nrrd``, or ``decathlon``.
            on_end: Told what was written, or why nothing was.
        """

        def written(answer: StudyAnswer) -> None:
            said = _("{count} cases were written to {folder}.")
            sentence = said.format(count=answer.facts["files"], folder=folder.name)
            left_out = answer.facts["left_out"]
            if left_out:
                more = _("{count} were left out, see Details.").format(count=len(left_out))
                sentence = f"{sentence} {more}"
            details = "\n".join(f"{name}: {reason}" for name, reason in left_out.items())
            on_end(Outcome(sentence, details=details))

        def begin(outcome: Outcome) -> None:
            if not outcome.is_success:
                on_end(outcome)
                return
            values = {"output": str(folder.absolute()), "format": format_key}
            self._loop_link.ask("export", values, written, on_end)

        self._store_first(begin)


def _kept_so_far(outcome: Outcome) -> Outcome:
    if not outcome.was_cancelled:
        return outcome
    said = _("Canceled; the labels are as they were, and Propose again goes on where it stopped.")
    return Outcome(said, was_cancelled=True, is_success=False)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return _("{seconds} s").format(seconds=max(1, round(seconds)))
    return _("{minutes} min").format(minutes=round(seconds / 60))
