"""What persons do with a case on the command line: accept, correct, skip, reopen."""

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import SegmentationAIError
from ..learn.study.study import Study
from .relabel_output import opened, say

if TYPE_CHECKING:
    from ..core.labelmap import Labelmap
    from ..learn.study.person import Work
    from ..learn.study.records import Case, LabelVersion


def accept_case(arguments: argparse.Namespace) -> None:
    """``accept``: store labels that no prediction replaces; without a file, the current ones."""
    from ..learn.study.late_correction import accept_what_was_seen

    _store(arguments, accept_what_was_seen, "accepted")


def correct_case(arguments: argparse.Namespace) -> None:
    """``correct``: store labels of which the changed voxels stay."""
    from ..learn.study.late_correction import correct_what_was_seen

    _store(arguments, correct_what_was_seen, "corrected")


def skip_case(arguments: argparse.Namespace) -> None:
    """``skip``: leave a case out."""
    from ..learn.study.person import skip

    skip(opened(arguments), arguments.case)
    say(arguments, {"case": arguments.case, "state": "skipped"}, [f"{arguments.case}: skipped."])


def reopen_case(arguments: argparse.Namespace) -> None:
    """``reopen``: take a case back."""
    from ..learn.study.person import reopen

    study = opened(arguments)
    reopen(study, arguments.case)
    state = study.case(arguments.case).state
    say(arguments, {"case": arguments.case, "state": state}, [f"{arguments.case}: {state}."])


def _store(arguments: argparse.Namespace, act: Any, state: str) -> None:
    from ..learn.study.drawn_on import unsigned
    from ..learn.study.late_correction import Seen
    from ..learn.study.person import Work, read_volume_of
    from ..learn.study.source_folders import labelmap_on
    from ..learn.study.versions import CaseChangedError

    study = opened(arguments)
    case, file = study.case(arguments.case), arguments.file
    if file is None:
        version = _accepted_as_it_is(study, case, Work(arguments.by, arguments.seconds))
        facts = {"case": case.id, "state": state, "version": version.number}
        say(arguments, facts, [f"{case.id}: {state} as it is, version {version.number}."])
        return
    labels = labelmap_on(read_volume_of(study, case).grid, file, case.volume)
    if case.state == "accepted":
        # The same again, such as after a kill that came when it was stored, is no mistake.
        facts = {"case": case.id, "state": state, "version": case.current}
        _check_is_the_same(study, case, labels, state)
        say(arguments, facts, [f"{case.id}: accepted already, version {case.current}."])
        return
    seen = Seen(_version_seen(arguments, study, labels, state))
    work = Work(arguments.by, arguments.seconds)
    try:
        version = act(study, case.id, unsigned(labels), work, seen)
    except CaseChangedError as error:
        raise SegmentationAIError(
            f"{error} Or say with --version N that {file.name} holds what version N has."
        ) from error
    facts = {"case": case.id, "state": state, "version": version.number}
    lines = [f"{case.id}: {state}, version {version.number}."]
    if case.state == "skipped":
        lines.append("It was skipped and is in the loop again.")
    if state == "corrected" and version.parent != seen.version:
        facts["made_from"] = seen.version
        lines.append(
            f"{file.name} was made from version {seen.version}: what differs from that was put "
            f"onto version {version.parent}."
        )
    say(arguments, facts, lines)


def _version_seen(
    arguments: argparse.Namespace, study: Study, labels: Any, state: str
) -> int | None:
    """Return the version that labels were made from: said on the command line, or by themselves."""
    from ..learn.study.drawn_on import version_drawn_on

    if arguments.version is not None:
        return int(arguments.version)
    case = study.case(arguments.case)
    try:
        return version_drawn_on(study, case, labels, arguments.file.name)
    except SegmentationAIError:
        # Accepted labels are the person's as they are; nothing is told from what they differ in.
        if state == "accepted":
            return case.current
        raise


def _check_is_the_same(study: Study, case: "Case", labels: "Labelmap", state: str) -> None:
    """Raise when an accepted case is to get other labels, or to be corrected."""
    from ..learn.study.versions import read_version

    version = study.current_version(case.id)
    now = None if version is None else read_version(study, version).layers[0]
    if now is None or state != "accepted" or not np.array_equal(now, labels.layers[0]):
        raise SegmentationAIError(
            f"The case {case.id} is accepted; reopen it before other labels are stored."
        )


def _accepted_as_it_is(study: Study, case: "Case", work: "Work") -> "LabelVersion":
    from ..learn.study.person import accept
    from ..learn.study.versions import read_version

    version = study.current_version(case.id)
    if version is None:
        raise SegmentationAIError(f"{case.id} has no labels to accept yet; give their file.")
    if case.state == "accepted":
        return version
    return accept(study, case.id, read_version(study, version), work, version.number)
