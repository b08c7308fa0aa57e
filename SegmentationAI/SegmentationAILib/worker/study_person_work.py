"""What the worker does with labels that a person has changed: stores them, or keeps them aside."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..core.one_layer import merged
from ..core.progress import Progress
from ..learn.study.late_correction import Seen, accept_what_was_seen, correct_what_was_seen
from ..learn.study.person import Work
from ..learn.study.records import LabelVersion
from ..learn.study.refused_edits import keep_refused, put_off, take_up
from ..learn.study.study import Study
from ..learn.study.versions import CaseChangedError
from .protocol import WorkerError
from .study_values import number, seconds_of, text
from .wire_study import StudyAnswer, StudyAsked

# Refusals after which ``correct`` keeps the labels: none, that of others' changes, all.
KEEPS: Final[Mapping[str, tuple[type[SegmentationAIError], ...]]] = {
    "": (),
    "changed": (CaseChangedError,),
    "always": (SegmentationAIError,),
}


def correct(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``correct``, ``case``, ``seen``, ``stored``, ``who``, ``seconds``, ``keeps`` and labels.

    Answers the ``version``, and whether it ``is_merged``: labels that the person has not seen lie
    around what they changed. Where the study refuses and ``keeps`` says so, the answer has in its
    place as ``refused`` why, and the labels wait to be taken up.
    """
    labels, work, seen = _person_work(asked)
    keeps = KEEPS.get(str(asked.values.get("keeps", "")))
    if keeps is None:
        raise WorkerError(f"Labels are kept after {', '.join(KEEPS)}; something else came.")
    case = text(asked, "case")
    try:
        version = correct_what_was_seen(study, case, merged(labels), work, seen)
    except keeps as error:
        keep_refused(study, case, labels, work, seen, str(error))
        return StudyAnswer({"refused": str(error)})
    return _stored(version, "corrected", seen)


def accept(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``accept``: as ``correct`` without ``keeps``; the case is locked then."""
    labels, work, seen = _person_work(asked)
    version = accept_what_was_seen(study, text(asked, "case"), merged(labels), work, seen)
    return StudyAnswer({"version": version.number, "state": "accepted", "is_merged": False})


def _take_up(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``take up``, ``case``, ``name``: changes that were refused go onto the current labels."""
    version = take_up(study, text(asked, "case"), text(asked, "name"))
    return StudyAnswer({"version": version.number, "state": "corrected"})


def _put_off(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``put off``, ``case``, ``name``: nobody is asked about such changes any more."""
    put_off(study, text(asked, "case"), text(asked, "name"))
    return StudyAnswer({})


PERSON_ACTIONS: Final[Mapping[str, Callable[[Study, StudyAsked, str, Progress], StudyAnswer]]] = {
    "correct": correct,
    "accept": accept,
    "take up": _take_up,
    "put off": _put_off,
}


def _stored(version: LabelVersion, state: str, seen: Seen) -> StudyAnswer:
    facts: dict[str, Any] = {"version": version.number, "state": state}
    return StudyAnswer({**facts, "is_merged": version.parent != seen.version})


def _person_work(asked: StudyAsked) -> tuple[Labelmap, Work, Seen]:
    if asked.labels is None:
        raise SegmentationAIError("No labels came with what a person did; nothing was stored.")
    seen = Seen(number(asked, "seen"), number(asked, "stored"))
    return asked.labels, Work(text(asked, "who"), seconds_of(asked)), seen
