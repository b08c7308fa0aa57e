"""How the labels of a case came to be, as a panel asks for it: pictures, nothing in the scene."""

from collections.abc import Callable

from ..worker.client import StudyAnswer
from .case_history import CaseHistory, history_of_answer
from .study_link import OnEnd, StudyLink

OnHistory = Callable[[CaseHistory], None]


class PanelHistory:
    """The versions of a case of a study.

    Args:
        link: To the study.
    """

    def __init__(self, link: StudyLink) -> None:
        self._history_link = link

    def case_history(self, case_id: str, on_history: OnHistory, on_end: OnEnd) -> None:
        """Tell the versions of a case as pictures of the slice on which they differ most.

        Args:
            case_id: Name of the case; it need not be open.
            on_history: Told the pictures.
            on_end: Told why there are none.

        Raises:
            SegmentationAIError: No study is open, or there is no worker.
        """

        def came(answer: StudyAnswer) -> None:
            on_history(history_of_answer(answer))

        self._history_link.ask("history", {"case": case_id}, came, on_end)
