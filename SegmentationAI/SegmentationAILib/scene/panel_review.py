"""Blind reviews as a panel runs them: open, judge pair after pair, close, then the tally."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..worker.client import StudyAnswer
from .panel_facts import Outcome
from .review_pair import ReviewPair
from .study_link import OnEnd, StudyLink
from .translation import tr as _

MOST_PAIRS: Final = 500
OnPair = Callable[[ReviewPair | None], None]
# A reader who was away for longer did not look all the time.
_LONGEST_LOOK_SECONDS: Final = 300.0


class PanelReview:
    """Reviews of a study, one pair at a time.

    Args:
        link: To the study.
        now: Seconds of a clock that never jumps.
    """

    def __init__(self, link: StudyLink, now: Callable[[], float] = time.monotonic) -> None:
        self._review_link, self._review_now = link, now
        self._shown_at = 0.0

    def open_review(
        self, iteration: int, against: int, per: str, on_open: Callable[[int], None], on_end: OnEnd
    ) -> None:
        """Open a review of an iteration's labels against those of another, or the first ones.

        Args:
            iteration: The first candidate.
            against: The second; 0 for the first labels.
            per: ``case`` or ``slice``.
            on_open: Told the number of the review.
            on_end: Told why it could not be opened.

        Raises:
            SegmentationAIError: No study is open.
        """
        values = {"iteration": iteration, "against": against, "per": per, "most": MOST_PAIRS}

        def opened(answer: StudyAnswer) -> None:
            key = int(answer.facts["review"])
            self._review_link.refresh(lambda: on_open(key))

        self._review_link.ask("open review", values, opened, on_end)

    def next_pair(self, review: int, reader: str, on_pair: OnPair, on_end: OnEnd) -> None:
        """Fetch what a reader sees next; None when all pairs are answered."""

        def came(answer: StudyAnswer) -> None:
            pair = None if answer.facts["item"] is None else ReviewPair(answer)
            self._shown_at = self._review_now()
            on_pair(pair)

        values = {"review": review, "reader": reader.strip()}
        self._review_link.ask("next pair", values, came, on_end)

    def answer_pair(
        self, review: int, reader: str, item: int, answer: str, on_pair: OnPair, on_end: OnEnd
    ) -> None:
        """Keep an answer (``left``, ``right`` or ``tie``) and fetch the next pair."""
        seconds = min(self._review_now() - self._shown_at, _LONGEST_LOOK_SECONDS)
        values = {"review": review, "reader": reader.strip(), "item": item, "answer": answer,
                  "seconds": seconds}  # fmt: skip

        def kept(_answer: StudyAnswer) -> None:
            self.next_pair(review, reader, on_pair, on_end)

        self._review_link.ask("answer", values, kept, on_end)

    def close_review(self, review: int, on_end: OnEnd) -> None:
        """Close a review: no more answers; ``on_end`` gets the tally of each reader."""

        def closed(answer: StudyAnswer) -> None:
            on_end(tally_in_words(answer.facts))
            self._review_link.refresh()

        self._review_link.ask("close review", {"review": review}, closed, on_end)

    def review_tally(self, review: int, on_end: OnEnd) -> None:
        """Tell the tally of a review that is closed."""
        self._review_link.ask(
            "report", {"review": review}, lambda a: on_end(tally_in_words(a.facts)), on_end
        )


def tally_in_words(report: Mapping[str, Any]) -> Outcome:
    """Return the tally of a closed review: the sentences of all readers, agreement in details.

    Raises:
        SegmentationAIError: The report is none.
    """
    try:
        lines = [f"{row['reader']}: {row['words']}" for row in report["readers"]]
        agreement = report["agreement"]
        said = "\n".join(lines) or _("Nobody has answered.")
        details = [f"{report['title']}; {report['pairs']} pairs."]
        if agreement["value"] is not None:
            shared = _("{name} {value:.2f} on {pairs} pairs that all readers answered.")
            details.append(
                shared.format(
                    name=agreement["coefficient"],
                    value=float(agreement["value"]),
                    pairs=agreement["pairs"],
                )
            )
        details.append(_("Key: {key}").format(key=report["secret"]))
        details.append(_("Its SHA-256, told when the review was opened: {hash}").format(
            hash=report["commitment"]
        ))  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        said = _("The worker's report of a review is not understood.")
        raise SegmentationAIError(said) from error
    return Outcome(said, details="\n".join(details))
