"""The cases of a study as the strategies see them: what persons have decided, and the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from ...core.errors import SegmentationAIError
from ...core.files import read_volume
from ...core.intensity import IntensityRule
from ...core.preprocess import InputRules, prepare
from ...core.progress import IGNORE, Progress
from ...core.volume import Volume, check_same_grid
from ..study.person import read_volume_of
from ..study.records import Case
from ..study.study import Study
from ..study.versions import read_version
from .pool import Candidate, Floats, Pool

# States in which a person has decided, and those in which nobody has.
DECIDED: Final = ("accepted", "corrected")
OPEN: Final = ("new", "weak", "predicted")
# What a strategy sees of a case: its name, its voxels, or an auxiliary modality besides.
Sees = Literal["names", "voxels", "auxiliary"]


@dataclass(frozen=True, eq=False)
class StudyPool:
    """A pool, and which cases are in neither half of it.

    Attributes:
        pool: Cases of `DECIDED` as labeled, and predicted ones that keep what a person corrected;
            other cases of `OPEN` as unlabeled.
        left_out: Reason by the name of a case that could not be read.
    """

    pool: Pool
    left_out: dict[str, str]


def pool_of(
    study: Study,
    rules: InputRules,
    sees: Sees,
    auxiliary: Path | None = None,
    progress: Progress = IGNORE,
) -> StudyPool:
    """Return the cases of a study that could be labeled next, and those that have been.

    Cases that are held out, skipped or failed are in neither. Nothing of the study is changed, and
    no reference label is read.

    Args:
        study: Open.
        rules: Grid and intensities of the network that looks.
        sees: ``names`` reads no file.
        auxiliary: With ``auxiliary``: folder of the second modality, files named as the volumes;
            None takes each case's current labels, as the X-ray experiment of M-VAAL took masks.
        progress: Told once per case.

    Raises:
        SegmentationAIError: The folder of the second modality is not there.
        Cancelled: Raised by ``progress``.
    """
    if auxiliary is not None and not auxiliary.is_dir():
        raise SegmentationAIError(
            f"The folder {auxiliary.name} of the auxiliary modality is not there; it holds one "
            "volume per case, named as the study's."
        )
    halves: dict[bool, list[Candidate]] = {True: [], False: []}
    left_out = {}
    cases = [c for c in study.cases() if not c.is_held_out and c.state in (*DECIDED, *OPEN)]
    for number, case in enumerate(cases):
        progress(number / len(cases), f"Reading {case.id}")
        try:
            candidate = _candidate(study, case, rules, sees, auxiliary)
        except SegmentationAIError as error:
            left_out[case.id] = " ".join(str(error).split())
            continue
        halves[_is_decided(study, case)].append(candidate)
    return StudyPool(Pool(tuple(halves[True]), tuple(halves[False])), left_out)


def _is_decided(study: Study, case: Case) -> bool:
    """Return whether a person has decided, also where a prediction has followed a correction."""
    version = study.current_version(case.id)
    return case.state in DECIDED or (version is not None and "touched" in version.files)


def _candidate(
    study: Study, case: Case, rules: InputRules, sees: Sees, folder: Path | None
) -> Candidate:
    if sees == "names":
        return Candidate(case.id, np.zeros((1, 1, 1, 1), np.float32))
    volume = read_volume_of(study, case)
    if sees == "voxels":
        prepared = prepare(volume, rules)
        return Candidate(case.id, prepared.array, None, prepared.padding)
    # As one more channel it comes to lie on the very grid of the others.
    both = Volume(
        np.concatenate([volume.voxels, _auxiliary(study, case, volume, folder)]), volume.affine
    )
    rules = replace(
        rules,
        channels=(*rules.channels, "auxiliary"),
        intensity=(*rules.intensities, IntensityRule("none")),
    )
    prepared = prepare(both, rules)
    return Candidate(case.id, prepared.array[:-1], prepared.array[-1], prepared.padding[:-1])


def _auxiliary(study: Study, case: Case, volume: Volume, folder: Path | None) -> Floats:
    """Return the second modality of a case ``(1, I, J, K)`` on the grid of its volume."""
    if folder is not None:
        path = folder / study.volume_path(case).name
        if not path.exists():
            raise SegmentationAIError(
                f"{path.name} is not in the folder {folder.name} of the auxiliary modality."
            )
        second = read_volume(path)
        check_same_grid(volume.grid, second.grid, ("The volume", "its auxiliary modality"))
        return second.voxels[:1].astype(np.float32)
    version = study.current_version(case.id)
    if version is None:
        raise SegmentationAIError(
            f"{case.id} has neither labels nor an auxiliary modality; give --auxiliary."
        )
    labels = read_version(study, version)
    check_same_grid(volume.grid, labels.grid, ("The volume", "its labels"))
    layer = labels.layers[0].astype(np.float32)[None]
    return np.asarray(layer / max(1.0, float(layer.max())))
