"""Who is trained on and who is held out: by patient, by seed, the same on every machine.

Patients are ordered by the SHA-256 of seed and name. No random generator is involved whose next
version could order them otherwise, and a patient who is added moves no other patient far.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..core.errors import SegmentationAIError
from ..core.shown_text import shown_text
from .dataset import CaseFiles


@dataclass(frozen=True)
class Split:
    """Cases on two sides; no patient is on both.

    Attributes:
        training: Cases that are learned from, in the order of the data set.
        hold_out: Cases that are only looked at.

    Raises:
        SegmentationAIError: A patient is on both sides, or there is nothing to learn from.
    """

    training: tuple[CaseFiles, ...]
    hold_out: tuple[CaseFiles, ...]

    def __post_init__(self) -> None:
        both = {c.patient for c in self.training} & {c.patient for c in self.hold_out}
        if both:
            raise SegmentationAIError(
                f"The patient(s) {_shown(both)} are both trained on and held out, which would make "
                "the network look better than it is; keep all cases of a patient on one side."
            )
        if not self.training:
            raise SegmentationAIError(
                f"All {len(self.hold_out)} cases are held out and none is left to learn from; hold "
                "out fewer or add cases."
            )


def hold_out_split(cases: Sequence[CaseFiles], fraction: float, seed: int) -> Split:
    """Return a split that holds out a fraction of the patients.

    Args:
        cases: Of any number of patients.
        fraction: Of the patients, 0 to under 1, rounded; from two patients on at least one is held
            out, and one is always left, unless the fraction is 0.
        seed: Another one gives another split.

    Raises:
        SegmentationAIError: The fraction is out of its range, or is not 0 and all cases are of one
            patient.
    """
    if not 0 <= fraction < 1:
        raise SegmentationAIError(
            f"A hold-out of {fraction:g} of the patients was asked for; 0 to under 1 is possible."
        )
    order = _shuffled(cases, seed)
    if not fraction:
        return Split(tuple(cases), ())
    if len(order) < 2:
        raise SegmentationAIError(
            f"All {len(cases)} cases are of one patient; two are needed to hold one out: add "
            "patients, or train without a hold-out."
        )
    count = min(max(1, int(fraction * len(order) + 0.5)), len(order) - 1)
    return _by_patients(cases, set(order[:count]))


def folds(cases: Sequence[CaseFiles], number: int, seed: int) -> tuple[Split, ...]:
    """Return the splits of a cross-validation: every patient is held out exactly once.

    Args:
        cases: Of at least ``number`` patients.
        number: How many folds, 2 or more; their sizes differ by at most one patient.
        seed: Another one gives other folds.

    Raises:
        SegmentationAIError: Fewer patients than folds.
    """
    order = _shuffled(cases, seed)
    if not 2 <= number <= len(order):
        raise SegmentationAIError(
            f"{number} folds of {len(order)} patient(s) were asked for; 2 to {len(order)} are "
            "possible."
        )
    return tuple(_by_patients(cases, set(order[fold::number])) for fold in range(number))


def split_by_ids(cases: Sequence[CaseFiles], hold_out: Iterable[str]) -> Split:
    """Return the split with exactly these cases held out.

    Raises:
        SegmentationAIError: An ID that no case has, or a patient who would be on both sides.
    """
    wanted = set(hold_out)
    unknown = wanted - {case.id for case in cases}
    if unknown:
        raise SegmentationAIError(
            f"The hold-out names {_shown(unknown)}, which the data set does not have; correct it."
        )
    return Split(
        tuple(case for case in cases if case.id not in wanted),
        tuple(case for case in cases if case.id in wanted),
    )


def _by_patients(cases: Sequence[CaseFiles], held_out: set[str]) -> Split:
    return Split(
        tuple(case for case in cases if case.patient not in held_out),
        tuple(case for case in cases if case.patient in held_out),
    )


def _shuffled(cases: Sequence[CaseFiles], seed: int) -> list[str]:
    patients = {case.patient for case in cases}
    return sorted(patients, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


def _shown(names: Iterable[str]) -> str:
    return ", ".join(shown_text(name) for name in sorted(names)[:5])
