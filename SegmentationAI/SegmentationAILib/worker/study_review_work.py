"""What the worker does for blind reviews: opens one, shows a pair, takes an answer, closes it.

Nothing that goes to the host before a review is closed says which side is which.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from ..core.labelmap import Labelmap
from ..core.progress import Progress
from ..learn.study.blind_review import (
    close_review,
    give_answer,
    next_pair,
    review_report,
)
from ..learn.study.person import read_volume_of
from ..learn.study.review_key import ANSWERS
from ..learn.study.review_pairs import Per, open_review_between
from ..learn.study.study import Study
from ..learn.study.versions import this_person
from .protocol import WorkerError
from .study_values import integer, seconds_of, text
from .wire_study import StudyAnswer, StudyAsked


def _open(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``open review``, ``iteration``, ``against``, ``per``, ``most``: answers ``review``."""
    iteration, against = integer(asked, "iteration"), integer(asked, "against")
    per, most = text(asked, "per"), integer(asked, "most")
    if per not in ("case", "slice") or most < 1:
        raise WorkerError("A review goes per case or per slice, over at least one pair.")
    kind: Per = "case" if per == "case" else "slice"
    review, title = open_review_between(study, iteration, against, kind, most)
    return StudyAnswer({"review": review, "title": title})


def _next(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``next pair``, ``review``, ``reader``: ``item``, ``done``, ``total``, ``axis``, ``place``.

    The scan and both labels come without a name. ``item`` is None when all pairs are answered.
    """
    shown = next_pair(study, integer(asked, "review"), _reader(asked))
    if shown is None:
        return StudyAnswer({"item": None})
    volume = read_volume_of(study, study.case(shown.case))
    facts: dict[str, Any] = {"item": shown.item, "done": shown.done, "total": shown.total,
                             "axis": shown.axis, "place": shown.place}  # fmt: skip
    sides = {"left": shown.left, "right": shown.right}
    return StudyAnswer(facts, replace(volume, notes=()), {n: _bare(s) for n, s in sides.items()})


def _answer(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``answer``, ``review``, ``reader``, ``item``, ``answer``, ``seconds``: keeps it."""
    answer = text(asked, "answer")
    if answer not in ANSWERS:
        raise WorkerError(f"An answer is one of {', '.join(ANSWERS)}.")
    review, item = integer(asked, "review"), integer(asked, "item")
    side = next(one for one in ANSWERS if one == answer)
    give_answer(study, review, _reader(asked), item, side, seconds_of(asked))
    return StudyAnswer({})


def _close(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``close review``, ``review``: no more answers; answers the tallies."""
    close_review(study, integer(asked, "review"))
    return StudyAnswer(review_report(study, integer(asked, "review")))


def _report(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``report``, ``review``: the tallies of a closed one."""
    return StudyAnswer(review_report(study, integer(asked, "review")))


def _bare(labelmap: Labelmap) -> Labelmap:
    """Return labels in one type: the voxels of both sides are alike in all but their values."""
    return replace(labelmap, layers=(labelmap.layers[0].astype("u4"),), notes=())


def _reader(asked: StudyAsked) -> str:
    return text(asked, "reader") or this_person() or "reader"


REVIEW_ACTIONS: Final[
    Mapping[str, Callable[[Study, StudyAsked, str, Progress], StudyAnswer]]
] = {
    "open review": _open,
    "next pair": _next,
    "answer": _answer,
    "close review": _close,
    "report": _report,
}  # fmt: skip
