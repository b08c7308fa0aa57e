"""What the worker does for ``history``: the versions of a case on one slice."""

from ..core.progress import Progress
from ..learn.study.case_history import case_history
from ..learn.study.person import touched_labelmap
from ..learn.study.study import Study
from .study_values import text
from .wire_study import StudyAnswer, StudyAsked


def history(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``history``, ``case``: ``axis``, ``place``, and of each version how it came to be.

    Brings a piece of the scan one voxel thick, and on it ``labels N`` and, where a person has
    corrected voxels, ``touched N`` of version N in the order of ``versions``.
    """
    case = study.case(text(asked, "case"))
    found = case_history(study, case.id)
    labelmaps = {}
    for number, one in enumerate(found.versions):
        labelmaps[f"labels {number}"] = one.labels
        if one.touched is not None:
            labelmaps[f"touched {number}"] = touched_labelmap(one.touched, found.volume.grid)
    rows = [
        {
            "origin": one.version.making.origin,
            "iteration": one.version.making.iteration,
            "who": one.version.making.who,
            "made_at": one.version.made_at,
            "dice": one.dice,
            "is_current": one.version.number == case.current,
        }
        for one in found.versions
    ]
    facts = {"case": case.id, "axis": found.axis, "place": found.place, "versions": rows}
    return StudyAnswer(facts, found.volume, labelmaps)
