"""The cases of a study as a worklist shows them; reference labels are not read."""

from collections.abc import MutableMapping
from dataclasses import dataclass

from ...core.labelmap import Origin
from ...core.progress import IGNORE, Progress
from .label_table import labels_from_text
from .records import Case, State
from .status import dice_to_parent
from .study import Study

# Dice of a version to the one it was made from, by name of the case and number of the version:
# neither ever changes, so it is computed once.
KnownScores = MutableMapping[tuple[str, int], float | None]


@dataclass(frozen=True)
class WorklistRow:
    """A case as a worklist shows it.

    Attributes:
        id: Its name.
        state: Where it stands.
        provenance: Of the current labels, None without any.
        seconds_spent: By persons.
        dice_to_previous: Of the current labels to those they were made from, None for first ones.
        who: Made the current labels; empty for a prediction.
        reason: Why it failed, empty otherwise.
        is_held_out: Whether no network learns from it.
        version: Number of the current version, None without labels.
        iteration: That predicted the current labels, 0 outside the loop.
    """

    id: str
    state: State
    provenance: Origin | None
    seconds_spent: float
    dice_to_previous: float | None
    who: str
    reason: str
    is_held_out: bool
    version: int | None
    iteration: int


def worklist(study: Study, known: KnownScores, progress: Progress = IGNORE) -> list[WorklistRow]:
    """Return all cases in the order of their names.

    Args:
        study: Open; not changed.
        known: Scores that are known already; gets the new ones.
        progress: Told once per case.
    """
    cases = study.cases()
    values = [label.value for label in labels_from_text(study.facts.labels)]
    rows = []
    for done, case in enumerate(cases):
        progress(done / len(cases), f"Looking at {case.id}")
        rows.append(_row(study, case, values, known))
    return rows


def _row(study: Study, case: Case, values: list[int], known: KnownScores) -> WorklistRow:
    versions = study.versions(case.id)
    current = next((v for v in versions if v.number == case.current), None)
    dice = None
    if current is not None:
        key = (case.id, current.number)
        if key not in known:
            known[key] = dice_to_parent(study, versions, current, values)
        dice = known[key]
    making = None if current is None else current.making
    return WorklistRow(
        id=case.id,
        state=case.state,
        provenance=None if making is None else making.origin,
        seconds_spent=case.seconds_spent,
        dice_to_previous=dice,
        who="" if making is None else making.who,
        reason=case.reason,
        is_held_out=case.is_held_out,
        version=case.current,
        iteration=0 if making is None else making.iteration,
    )
