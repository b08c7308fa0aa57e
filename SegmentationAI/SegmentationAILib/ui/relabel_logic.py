"""What *Relabel* asks of the logic: cases of a study, the loop, blind reviews."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ..scene.case_history import CaseHistory
from ..scene.panel_facts import Outcome
from ..scene.panel_new_study import StudyWanted
from ..scene.review_pair import ReviewPair
from ..scene.study_facts import StudyFacts
from ..scene.training_facts import BaseFacts

OnEnd = Callable[[Outcome], None]
OnProgress = Callable[[float, str, float | None], None]


class WorklistLogic(Protocol):
    """What the worklist needs."""

    def study(self) -> StudyFacts | None:
        """Return the study that is open."""

    def watch_study(self, on_change: Callable[[], None], on_refused: OnEnd) -> None:
        """Follow what is known of the study, and what could not be stored when the scene closed."""

    def open_study(self, folder: Path, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Open the study of a folder."""

    def set_reader(self, name: str) -> None:
        """Say who works; empty for the person who is logged in."""

    def open_case_id(self) -> str:
        """Return the name of the open case, empty for none."""

    def case_nodes(self) -> tuple[Any, Any]:
        """Return scan and labels of the open case, None each without one."""

    def open_case(self, case_id: str, on_end: OnEnd) -> None:
        """Load a case; edits of the one before are stored first."""

    def store_case(self, on_end: OnEnd) -> None:
        """Store the edits of the open case."""

    def accept_case(self, on_end: OnEnd) -> None:
        """Lock the labels of the open case as they are."""

    def refused_edits(self) -> str:
        """Return which edits of the open case were refused, in words; empty for none."""

    def take_up_edits(self, on_end: OnEnd) -> None:
        """Put the refused edits onto the labels as they are now."""

    def put_off_edits(self, on_end: OnEnd) -> None:
        """Leave the refused edits out."""

    def skip_case(self, on_end: OnEnd) -> None:
        """Leave the open case out of the loop."""

    def reopen_case_named(self, case_id: str, on_end: OnEnd) -> None:
        """Take a case back into the loop."""

    def show_case_origin(self, is_shown: bool) -> None:
        """Show or hide how the labels of cases came to be."""

    def is_study_busy(self) -> bool:
        """Return whether a case is being read or stored."""


class NewStudyLogic(Protocol):
    """What making a study needs."""

    def study_bases(self, on_bases: Callable[[tuple[BaseFacts, ...]], None], on_end: OnEnd) -> None:
        """Tell the networks that a study can start from, or why they are not known."""

    def make_study(self, wanted: StudyWanted, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Make a study in the background and open it."""

    def is_making_study(self) -> bool:
        """Return whether a study is being made."""

    def cancel_new_study(self) -> None:
        """End the making; nothing of the study is left."""


class HistoryLogic(Protocol):
    """What the versions of a case need."""

    def case_history(
        self, case_id: str, on_history: Callable[[CaseHistory], None], on_end: OnEnd
    ) -> None:
        """Tell the versions of a case as pictures of the slice on which they differ most."""


class LoopLogic(Protocol):
    """What the loop needs."""

    def proposal_question(self, iterations: int, epochs: int) -> str:
        """Return what running the loop will cost, as a question."""

    def propose(self, iterations: int, epochs: int, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Run the loop in the background."""

    def is_proposing(self) -> bool:
        """Return whether the loop or a ranking runs."""

    def cancel_proposal(self) -> None:
        """End the loop or the ranking."""

    def roll_back(self, number: int, on_end: OnEnd) -> None:
        """Make the labels of an earlier iteration the current ones."""

    def rank_cases(self, strategy: str, on_progress: OnProgress, on_end: OnEnd) -> None:
        """Put the cases first that are worth most to label; empty orders by name."""

    def export_study(self, folder: Path, format_key: str, on_end: OnEnd) -> None:
        """Write the current labels of all cases into a new folder."""


class ReviewLogic(Protocol):
    """What blind reviews need."""

    def open_review(
        self, iteration: int, against: int, per: str, on_open: Callable[[int], None], on_end: OnEnd
    ) -> None:
        """Open a review."""

    def next_pair(
        self, review: int, reader: str, on_pair: Callable[[ReviewPair | None], None], on_end: OnEnd
    ) -> None:
        """Fetch what a reader sees next; None when all pairs are answered."""

    def answer_pair(
        self, review: int, reader: str, item: int, answer: str,
        on_pair: Callable[[ReviewPair | None], None], on_end: OnEnd,
    ) -> None:  # fmt: skip
        """Keep an answer and fetch the next pair."""

    def close_review(self, review: int, on_end: OnEnd) -> None:
        """Close a review and tell its tally."""

    def review_tally(self, review: int, on_end: OnEnd) -> None:
        """Tell the tally of a review that is closed."""


class RelabelLogic(WorklistLogic, NewStudyLogic, HistoryLogic, LoopLogic, ReviewLogic, Protocol):
    """Everything that the step needs."""
