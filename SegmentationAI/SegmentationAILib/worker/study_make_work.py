"""What the worker does for ``bases`` and ``make``: a new study, whole or not at all."""

import math
from pathlib import Path

from ..core.progress import Progress
from ..learn.relabel.new_study import NewStudy, make_study, networks_for_a_base
from ..learn.relabel.own_labels import OWN_NAMES, OwnName
from .protocol import WorkerError
from .study_values import text
from .wire_study import StudyAnswer, StudyAsked


def bases() -> StudyAnswer:
    """``bases``: id, title and task of the networks of which a copy can be trained."""
    found = [{"id": one.id, "title": one.title, "task": one.task} for one in networks_for_a_base()]
    return StudyAnswer({"bases": found})


def make(asked: StudyAsked, progress: Progress) -> StudyAnswer:
    """``make``: a study in the folder that the call names.

    Takes ``images`` and ``references`` (folders; no references: empty), ``labels`` (a folder, or a
    method of `own_labels`), ``base``, ``hold_out`` (0 to under 1), ``device``. Answers ``cases``,
    ``held_out`` (how many) and ``failed`` (reason by case).
    """
    references = text(asked, "references")
    wanted = NewStudy(
        images=_folder(asked, "images"),
        weak_labels=_labels(asked),
        base=text(asked, "base"),
        references=_folder(asked, "references") if references else None,
        hold_out=_share(asked),
        device=text(asked, "device"),
    )
    study = make_study(Path(asked.folder), wanted, progress)
    cases = study.cases()
    return StudyAnswer({
        "cases": len(cases),
        "held_out": sum(case.is_held_out for case in cases),
        "failed": {case.id: case.reason for case in cases if case.reason},
    })  # fmt: skip


def _labels(asked: StudyAsked) -> Path | OwnName:
    named = text(asked, "labels")
    own = next((name for name in OWN_NAMES if name == named), None)
    return own or _folder(asked, "labels")


def _folder(asked: StudyAsked, name: str) -> Path:
    folder = Path(text(asked, name))
    if not folder.is_absolute():
        raise WorkerError(f"The folder of the {name} has to be named in full.")
    return folder


def _share(asked: StudyAsked) -> float:
    value = asked.values.get("hold_out")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WorkerError("The share of held-out cases has to be a number.")
    return float(value)
