"""The panel's way to a study without a worker process: its desk answers at once, or when told."""

from pathlib import Path
from types import SimpleNamespace

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.progress import IGNORE
from SegmentationAILib.scene.panel_facts import Outcome
from SegmentationAILib.worker.client import StudyAsked
from SegmentationAILib.worker.frame import chunks_of_frame, frame_of_bytes
from SegmentationAILib.worker.study_work import StudyDesk
from SegmentationAILib.worker.wire_study import frame_of_study_asked, study_answer_of_frame


class DeskLink:
    """Stands in for `StudyLink`; what is asked for goes through the bytes of its frames.

    Args:
        folder: Of the study.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._desk = folder, StudyDesk()
        self.facts, self.on_change = SimpleNamespace(folder=folder), lambda: None
        # Actions that wait for `answer`, and what they wait with.
        self.slow, self._waiting = set(), []
        # Says why nothing can be done, while nothing can.
        self.trouble = ""
        self.is_busy = False

    def ask(self, action, values, on_answer, on_end, labels=None):
        asked = StudyAsked(action, str(self.folder), dict(values), labels)
        # A worker has the labels as they were when it was asked, too.
        sent = b"".join(chunks_of_frame(frame_of_study_asked(asked)))
        if action in self.slow:
            self._waiting.append(lambda: self._do(sent, on_answer, on_end))
        else:
            self._do(sent, on_answer, on_end)

    def ask_now(self, action, values, labels):
        def refuse(outcome):
            raise SegmentationAIError(outcome.sentence)

        self.ask(action, values, lambda _: None, refuse, labels)

    def refresh(self, then=lambda: None):
        if self.facts is None:
            raise SegmentationAIError("No study is open; choose the folder of one.")
        then()

    def forget(self):
        self.facts = None
        # As when the worker ends with the module: others may open its cases.
        self._desk.close()

    def answer(self):
        """Answer what waits, at full speed from now on."""
        self.slow = set()
        while self._waiting:
            self._waiting.pop(0)()

    def _do(self, sent, on_answer, on_end):
        try:
            if self.trouble:
                raise SegmentationAIError(self.trouble)
            frame = self._desk.do(frame_of_bytes(sent), "me", IGNORE, takes_paths=True)
            on_answer(study_answer_of_frame(frame_of_bytes(b"".join(chunks_of_frame(frame)))))
        except SegmentationAIError as error:
            on_end(Outcome(str(error), is_success=False))
