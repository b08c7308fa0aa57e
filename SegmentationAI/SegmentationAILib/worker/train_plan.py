"""Checks of the cases and the plan of a training, as facts for the person."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import SegmentationAIError
from ..core.progress import Progress
from ..learn.dataset import read_dataset
from ..learn.dataset_checks import CheckReport, check_dataset
from ..learn.plan_words import words_of_plan
from ..learn.training_folder import CHECKPOINTS
from ..learn.training_job import TrainingJob, TrainingRequest, planned_job
from ..networks.store import NetworkStore


def checked_cases(request: TrainingRequest, progress: Progress) -> CheckReport:
    """Return what is found in the cases of a training, also of those that a person leaves out.

    Raises:
        SegmentationAIError: The data set cannot be read.
        Cancelled: Raised by ``progress``.
    """
    return check_dataset(read_dataset(request.data), progress)


def planned(
    request: TrainingRequest, report: CheckReport, left_out: frozenset[str]
) -> tuple[TrainingJob | None, str]:
    """Return what will be done; None, and why, where that is refused.

    Args:
        request: What a person asked for.
        report: Of all cases.
        left_out: IDs of those that the person does not want.
    """
    try:
        _check_free(request)
        return planned_job(request, report=_chosen(report, left_out)), ""
    except SegmentationAIError as error:
        return None, str(error)


def plan_facts(
    request: TrainingRequest, report: CheckReport, job: TrainingJob | None, refused: str
) -> dict[str, Any]:
    """Return the cases with what was found in each, and the plan in words, ready for JSON."""
    findings: dict[str, list[dict[str, str]]] = {}
    for one in report.findings:
        row = {"severity": one.severity, "sentence": one.sentence}
        findings.setdefault(one.case, []).append(row)
    facts: dict[str, Any] = {
        "cases": [
            {
                "id": case.id,
                "findings": findings.get(case.id, []),
                "has_picture": case.id in report.facts or _is_readable(report, case.id),
            }
            for case in report.dataset.cases
        ],
        "plan": "",
        "refused": refused,
        "can_resume": _can_resume(request.output),
    }
    if job is None:
        return facts
    split, expected = job.split, job.plan.expected
    words = [words_of_plan(job.plan)]
    if request.minutes is not None:
        words.append(f"It is ended by the clock after {request.minutes:g} minutes of training.")
    words.append(f"{len(split.training)} cases to learn from, {len(split.hold_out)} held out.")
    return {
        **facts,
        "plan": " ".join(words),
        "learned": len(split.training),
        "held_out": [case.id for case in split.hold_out],
        "seconds": expected.seconds if expected else None,
        "memory_mib": expected.memory_mib if expected else None,
    }


def _chosen(report: CheckReport, left_out: frozenset[str]) -> CheckReport:
    """Return the report of the cases that a person wants.

    Raises:
        SegmentationAIError: None is left.
    """
    cases = tuple(case for case in report.dataset.cases if case.id not in left_out)
    if not cases:
        raise SegmentationAIError("No case is ticked; tick those to learn from.")
    return CheckReport(
        replace(report.dataset, cases=cases),
        {name: facts for name, facts in report.facts.items() if name not in left_out},
        tuple(one for one in report.findings if one.case not in left_out),
    )


def _check_free(request: TrainingRequest) -> None:
    """Raise when the trained network could not be installed under its name afterwards.

    Raises:
        SegmentationAIError: A network has that name.
    """
    name = request.output.name
    if _can_resume(request.output):
        return
    known = {one.card.id.casefold() for one in NetworkStore().listing().networks}
    if name.casefold() in known:
        raise SegmentationAIError(
            f"A network is called {name} already; choose another name for the new one."
        )


def _can_resume(folder: Path) -> bool:
    return (folder / CHECKPOINTS / "last.pt").is_file()


def _is_readable(report: CheckReport, case_id: str) -> bool:
    return not any(one.case == case_id and one.kind == "unreadable" for one in report.findings)
