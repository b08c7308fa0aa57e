"""What the worker does for a call ``study``: lists cases, reads one, keeps what a person did to it.

Each answer follows one transaction of the study: a host that is lost in between loses nothing.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..core.labelmap import Labelmap
from ..core.one_layer import merged
from ..core.progress import Progress
from ..learn.study.blind_review import reviews
from ..learn.study.iterations import iterations, roll_back
from ..learn.study.label_table import labels_from_text
from ..learn.study.person import (
    corrected_voxels,
    read_volume_of,
    reopen,
    skip,
    spend,
    touched_labelmap,
)
from ..learn.study.records import Case, Iteration
from ..learn.study.refused_edits import refused_of
from ..learn.study.study import Study, open_study
from ..learn.study.versions import read_version
from ..learn.study.worklist import worklist
from .frame import Frame
from .protocol import WorkerError
from .study_export_work import export_study
from .study_history_work import history
from .study_loop_work import cost_of, rank, run
from .study_person_work import PERSON_ACTIONS
from .study_review_work import REVIEW_ACTIONS
from .study_values import integer, seconds_of, text
from .wire_study import (
    StudyAnswer,
    StudyAsked,
    frame_of_study_answer,
    study_asked_of_frame,
)

Act = Callable[[Study, StudyAsked, str, Progress], StudyAnswer]


class StudyDesk:
    """The studies that hosts work on. Quick calls come from one thread, long ones from another."""

    def __init__(self) -> None:
        self._scores: dict[str, dict[tuple[str, int], float | None]] = {}
        # By owner: the case that is open, and its lock against other windows.
        self._open: dict[str, tuple[str, str, ExitStack]] = {}
        self._acts: dict[str, Act] = {
            "list": self._list, "read": self._read, "history": history, "spend": _spend,
            "leave": self._leave, **PERSON_ACTIONS, "skip": self._skip, "reopen": self._reopen,
            "rollback": self._roll_back, "export": export_study, "run": run, "rank": rank,
            **REVIEW_ACTIONS,
        }  # fmt: skip

    def do(self, frame: Frame, owner: str, progress: Progress, *, takes_paths: bool) -> Frame:
        """Return the frame of what became of a call.

        Args:
            frame: See `wire_study.StudyAsked`.
            owner: Who calls.
            progress: Told of slow steps; raises when the call was canceled.
            takes_paths: Whether host and worker share their folders.

        Raises:
            WorkerError: The frame asks nothing, or comes from another computer.
            SegmentationAIError: What is asked for cannot be done; nothing has changed then.
            Cancelled: The host asked for the end; iterations that are done stay.
        """
        if not takes_paths:
            raise WorkerError(
                "A study lies in a folder of this computer and the networks run on a server: use "
                "no server in the step Settings, or run segmentationai relabel on the server."
            )
        asked = study_asked_of_frame(frame)
        if asked.action == "bases":
            return frame_of_study_answer(_bases())
        if not Path(asked.folder).is_absolute():
            raise WorkerError("The folder of the study has to be named in full.")
        if asked.action == "make":
            return frame_of_study_answer(_make(asked, progress))
        study = open_study(Path(asked.folder))
        return frame_of_study_answer(self._acts[asked.action](study, asked, owner, progress))

    def close(self) -> None:
        """Let other windows have the open cases."""
        for owner in list(self._open):
            self._let_go(owner)

    def _list(self, study: Study, asked: StudyAsked, _: str, progress: Progress) -> StudyAnswer:
        """``list``: name, base, cases, iterations, reviews, and what an iteration costs."""
        known = self._scores.setdefault(study.facts.id, {})
        rows = worklist(study, known, progress)
        found = iterations(study)
        kept = [one.number for one in found if one.is_finished and not one.is_rolled_back]
        return StudyAnswer({
            "name": study.folder.name,
            "base": study.facts.base,
            "set_aside": study.set_aside,
            "cases": [asdict(row) for row in rows],
            "iterations": [_iteration_facts(one) for one in found if one.is_finished],
            "current": max(kept, default=0),
            "unfinished": next((one.number for one in found if not one.is_finished), None),
            "reviews": [asdict(row) for row in reviews(study)],
            "cost": cost_of(study),
        })  # fmt: skip

    def _read(self, study: Study, asked: StudyAsked, owner: str, _: Progress) -> StudyAnswer:
        """``read``, ``case``: its scan, labels, what was corrected and refused; holds the case."""
        case = study.case(text(asked, "case"))
        key = (str(study.folder), case.id)
        with ExitStack() as stack:
            is_mine = self._open.get(owner, ("", "", None))[:2] == key
            if not is_mine:
                stack.enter_context(study.holding(case))
            answer = _case_answer(study, case)
            if not is_mine:
                self._let_go(owner)
                self._open[owner] = (*key, stack.pop_all())
        return answer

    def _leave(self, study: Study, asked: StudyAsked, owner: str, _: Progress) -> StudyAnswer:
        """``leave``: lets other windows have the case that is open."""
        self._let_go(owner)
        return StudyAnswer({})

    def _skip(self, study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
        """``skip``, ``case``: left out of the loop until it is reopened."""
        skip(study, text(asked, "case"))
        return StudyAnswer({"state": "skipped"})

    def _reopen(self, study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
        """``reopen``, ``case``: taken back into the loop."""
        name = text(asked, "case")
        reopen(study, name)
        return StudyAnswer({"state": study.case(name).state})

    def _roll_back(self, study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
        """``rollback``, ``iteration``: its labels become the current ones again."""
        number = integer(asked, "iteration")
        with study.running_alone():
            roll_back(study, number)
        return StudyAnswer({"current": number})

    def _let_go(self, owner: str) -> None:
        held = self._open.pop(owner, None)
        if held is not None:
            held[2].close()


def _bases() -> StudyAnswer:
    # Seconds to import, and a worklist is shown without it.
    from .study_make_work import bases

    return bases()


def _make(asked: StudyAsked, progress: Progress) -> StudyAnswer:
    from .study_make_work import make

    return make(asked, progress)


def _spend(study: Study, asked: StudyAsked, _: str, __: Progress) -> StudyAnswer:
    """``spend``, ``case``, ``seconds``: time spent on a case that was left as it is."""
    spend(study, text(asked, "case"), seconds_of(asked))
    return StudyAnswer({})


def _case_answer(study: Study, case: Case) -> StudyAnswer:
    volume = read_volume_of(study, case)
    version = study.current_version(case.id)
    refused = [asdict(one) for one in refused_of(study, case.id)]
    facts: dict[str, Any] = {
        "case": case.id, "state": case.state, "version": None, "refused": refused,
    }  # fmt: skip
    if version is None:
        empty = np.zeros(volume.grid.shape, np.uint8)
        rows = labels_from_text(study.facts.labels)
        return StudyAnswer(facts, volume, {"labels": Labelmap((empty,), rows, volume.affine)})
    labelmaps = {"labels": _with_all_rows(study, merged(read_version(study, version)))}
    touched = corrected_voxels(study, version)
    if touched is not None:
        labelmaps["touched"] = touched_labelmap(touched, volume.grid)
    making = version.making
    facts |= {"version": version.number, "origin": making.origin, "who": making.who,
              "iteration": making.iteration, "made_at": version.made_at}  # fmt: skip
    return StudyAnswer(facts, volume, labelmaps)


def _with_all_rows(study: Study, labels: Labelmap) -> Labelmap:
    """Return labels with a row for each label of the study, so that each can be drawn."""
    rows = {row.value: row for row in labels.labels}
    known = labels_from_text(study.facts.labels)
    return labels.with_names([*rows.values(), *(x for x in known if x.value not in rows)])


def _iteration_facts(one: Iteration) -> dict[str, Any]:
    return {
        "number": one.number,
        "dice_to_previous": one.dice_to_previous,
        "holdout_dice": one.holdout_dice,
        "verdict": one.verdict,
        "is_rolled_back": one.is_rolled_back,
        "seconds": one.seconds,
        "made_at": one.made_at,
    }
