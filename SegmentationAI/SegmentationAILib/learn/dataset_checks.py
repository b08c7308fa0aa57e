"""Checks of a data set before anything is learned from it.

What would silently spoil a network is refused: labels that lie elsewhere than their volume (nnU-Net
only warns), label values without a name, one patient under two names. What spoils one case leaves
that case out, by name. What is only odd is told, with a picture.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal

from ..core.errors import SegmentationAIError
from ..core.progress import IGNORE, Progress
from ..core.shown_text import shown_text
from .case_facts import CaseFacts, facts_of
from .case_reader import read_case
from .dataset import CaseFiles, Dataset
from .label_geometry import geometry_difference
from .split import Split

Kind = Literal[
    "unreadable", "one-valued", "geometry", "unknown-values", "empty", "size", "duplicate",
    "no-labels",
]  # fmt: skip
Severity = Literal["refuse", "leave-out", "notice"]
# A label so many times larger or smaller than in the median case is worth a look.
ODD_SIZE: Final = 8.0
LEAST_CASES_FOR_SIZE: Final = 5
MOST_SHOWN: Final = 5


@dataclass(frozen=True)
class Finding:
    """Something about one case, or a pair of them.

    Attributes:
        case: ID of the case.
        kind: What it is.
        severity: ``refuse`` stops the training, ``leave-out`` leaves the case out of it,
            ``notice`` changes nothing.
        sentence: For the person.
    """

    case: str
    kind: Kind
    severity: Severity
    sentence: str


@dataclass(frozen=True, eq=False)
class CheckReport:
    """What was found in a data set.

    Attributes:
        dataset: That was checked.
        facts: Of the cases that could be read, by ID, in the data set's order.
        findings: In the data set's order.
    """

    dataset: Dataset
    facts: dict[str, CaseFacts]
    findings: tuple[Finding, ...]

    @property
    def left_out(self) -> set[str]:
        """IDs of cases that nothing is learned from."""
        return {one.case for one in self.findings if one.severity == "leave-out"}

    def usable_cases(self) -> tuple[CaseFiles, ...]:
        """Return the cases to learn from.

        Raises:
            SegmentationAIError: Something was found that would spoil the network, or no case is
                left.
        """
        refused = [one for one in self.findings if one.severity == "refuse"]
        if refused:
            more = len({one.case for one in refused}) - 1
            others = f" {more} more case(s) have such a fault; see the report." if more else ""
            raise SegmentationAIError(f"{refused[0].sentence}{others}")
        cases = tuple(case for case in self.dataset.cases if case.id not in self.left_out)
        if not cases:
            first = next(one for one in self.findings if one.severity == "leave-out")
            raise SegmentationAIError(
                f"None of the {len(self.dataset.cases)} cases of {self.dataset.name} can be used; "
                f"the first: {first.sentence}"
            )
        return cases

    def words(self) -> str:
        """Return the findings in sentences, the worst first."""
        total, good = len(self.dataset.cases), len(self.dataset.cases) - len(self.left_out)
        order = ("refuse", "leave-out", "notice")
        findings = sorted(self.findings, key=lambda one: order.index(one.severity))
        if not findings:
            return f"All {total} cases passed the checks."
        lines = [f"{good} of {total} cases can be used."]
        return "\n".join([*lines, *(one.sentence for one in findings)])

    def to_json(self) -> dict[str, Any]:
        """Return the report, ready for JSON."""
        return {
            "dataset": self.dataset.name,
            "cases": [one.to_json() for one in self.facts.values()],
            "left_out": sorted(self.left_out),
            "findings": [vars(one) for one in self.findings],
        }


def check_dataset(
    dataset: Dataset, progress: Progress = IGNORE, *, leave_out_misplaced: bool = False
) -> CheckReport:
    """Return what is found in a data set; each case is read once.

    Args:
        dataset: Not changed.
        progress: Told once per case.
        leave_out_misplaced: Leave cases whose labels lie elsewhere out, instead of refusing all.

    Raises:
        Cancelled: Raised by ``progress``.
    """
    facts: dict[str, CaseFacts] = {}
    findings: list[Finding] = []
    misplaced: Severity = "leave-out" if leave_out_misplaced else "refuse"
    for number, files in enumerate(dataset.cases):
        share = number / len(dataset.cases)
        progress(share, f"Checking case {number + 1} of {len(dataset.cases)}")
        found = _look_at(dataset, files, misplaced)
        if isinstance(found, CaseFacts):
            facts[files.id] = found
            findings += _labels_of(found, dataset)
        else:
            findings.append(found)
    findings += [*_sizes(facts, dataset), *_duplicates(facts.values()), *_all_empty(facts)]
    progress(1.0, "Data set checked")
    place = {case.id: number for number, case in enumerate(dataset.cases)}
    return CheckReport(dataset, facts, tuple(sorted(findings, key=lambda f: place[f.case])))


def check_no_leak(split: Split, facts: dict[str, CaseFacts]) -> None:
    """Raise when the same scan is on both sides of a split, whatever its patient is called.

    Raises:
        SegmentationAIError: It is; the message names both cases.
    """
    trained = {facts[case.id].voxels_sha256: case.id for case in split.training if case.id in facts}
    for case in split.hold_out:
        twin = trained.get(facts[case.id].voxels_sha256) if case.id in facts else None
        if twin is not None:
            raise SegmentationAIError(
                f"{case.id} is held out and {twin}, which holds the same voxels, is trained on; "
                "the hold-out would be known by heart: remove one of them."
            )


def _look_at(dataset: Dataset, files: CaseFiles, misplaced: Severity) -> CaseFacts | Finding:
    """Return the facts of a case, or what keeps it from being used."""
    try:
        case = read_case(dataset, files)
    except (SegmentationAIError, OSError) as error:
        return Finding(files.id, "unreadable", "leave-out", f"{files.id} is left out: {error}")
    difference = geometry_difference(case.volume.grid, case.labelmap)
    if difference:
        what = "It is left out" if misplaced == "leave-out" else "Correct it or remove the case"
        sentence = f"The labels of {files.id} lie elsewhere than its volume: {difference}. {what}."
        return Finding(files.id, "geometry", misplaced, sentence)
    try:
        return facts_of(case)
    except (SegmentationAIError, OSError) as error:
        return Finding(files.id, "one-valued", "leave-out", f"{files.id} is left out: {error}")


def _labels_of(facts: CaseFacts, dataset: Dataset) -> list[Finding]:
    known = {label.value for label in dataset.labels}
    unknown = sorted(set(facts.label_voxels) - known)
    if unknown:
        sentence = (
            f"{facts.id} has the label values {unknown[:10]}, which {dataset.name} gives no name; "
            f"{sorted(known)[:10]} were expected: add them to its labels or correct the labelmap."
        )
        return [Finding(facts.id, "unknown-values", "refuse", sentence)]
    if not facts.label_voxels:
        sentence = f"{facts.id} has no labeled voxel; it teaches background alone."
        return [Finding(facts.id, "empty", "notice", sentence)]
    return []


def _sizes(facts: dict[str, CaseFacts], dataset: Dataset) -> list[Finding]:
    """Labels that are far larger or smaller than in the other cases."""
    findings = []
    for label in dataset.labels:
        sizes = {
            one.id: one.label_voxels[label.value] * one.voxel_ml
            for one in facts.values()
            if label.value in one.label_voxels
        }
        if len(sizes) < LEAST_CASES_FOR_SIZE:
            continue
        middle = median(sizes.values())
        for case, size in sizes.items():
            if not middle / ODD_SIZE <= size <= middle * ODD_SIZE:
                sentence = (
                    f"{label.name} of {case} has {size:.3g} ml, and {middle:.3g} ml in the median "
                    "case; look whether it was drawn whole."
                )
                findings.append(Finding(case, "size", "notice", sentence))
    return findings


def _duplicates(facts: Iterable[CaseFacts]) -> list[Finding]:
    same = defaultdict[str, list[CaseFacts]](list)
    for one in facts:
        same[one.voxels_sha256].append(one)
    findings = []
    for group in same.values():
        first = group[0]
        for other in group[1:]:
            both = f"{other.id} holds the same voxels as {first.id}"
            if other.patient == first.patient:
                sentence = f"{both}; it counts twice."
                findings.append(Finding(other.id, "duplicate", "notice", sentence))
                continue
            sentence = (
                f"{both} but counts as another patient, so that one could be trained on and the "
                "other held out: remove one, or give both the same patient in the dataset.json."
            )
            findings.append(Finding(other.id, "duplicate", "refuse", sentence))
    return findings


def _all_empty(facts: dict[str, CaseFacts]) -> list[Finding]:
    if not facts or any(one.label_voxels for one in facts.values()):
        return []
    names: Sequence[str] = list(facts)[:MOST_SHOWN]
    sentence = (
        f"No case that could be read has a labeled voxel ({shown_text(', '.join(names))} ...); "
        "there is nothing to learn: draw labels first."
    )
    return [Finding(names[0], "no-labels", "refuse", sentence)]


def suspicious_cases(report: CheckReport) -> tuple[Finding, ...]:
    """Return the first finding of each case of which a picture can be made."""
    shown: dict[str, Finding] = {}
    for one in report.findings:
        if one.kind != "unreadable":
            shown.setdefault(one.case, one)
    return tuple(shown.values())
