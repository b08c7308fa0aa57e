"""The folder of a training: plan, curves, checkpoints and, at the end, the network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from ..core.atomic import whole_file
from ..core.errors import SegmentationAIError
from .across_processes import of_first_process, process_number
from .checkpoint_file import State, load_checkpoint, save_checkpoint
from .frozen_layers import Freeze
from .plan import TrainingPlan
from .plan_file import plan_to_bytes
from .training_case import PreparedCase

PLAN, CURVES, CHECKPOINTS, TENSORBOARD = "plan.json", "training.jsonl", "checkpoints", "tensorboard"
VERSION = 1
# Asked for several times, and seconds long for a large scan; forgotten with the case.
_HASHES: WeakKeyDictionary[PreparedCase, tuple[str, str]] = WeakKeyDictionary()


class TrainingFolder:
    """Where a training keeps what it needs to go on.

    Args:
        path: Made when absent.
        plan: Of the training, as it was asked for.
        cases_sha256: Of its cases, see `sha256_of_cases`.
        freeze: What stays as it is.
    """

    def __init__(
        self, path: Path, plan: TrainingPlan, cases_sha256: str, freeze: Freeze = "none"
    ) -> None:
        self.path = path
        self._identity = {
            "version": VERSION,
            "plan": hashlib.sha256(plan_to_bytes(plan)).hexdigest(),
            "cases": cases_sha256,
            "freeze": freeze,
        }
        if process_number() == 0:
            (path / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        of_first_process(0.0)

    @property
    def last(self) -> Path:
        """Checkpoint from which a training goes on."""
        return self.path / CHECKPOINTS / "last.pt"

    @property
    def best(self) -> Path:
        """Weights of the epoch that was best on the hold-out."""
        return self.path / CHECKPOINTS / "best.pt"

    def begin(self, plan: TrainingPlan) -> None:
        """Write the plan into a folder that holds no training yet.

        Raises:
            SegmentationAIError: There is one.
        """
        if self.last.exists():
            raise SegmentationAIError(
                f"The folder {self.path.name} holds a training already; go on with it (--resume), "
                "or name another folder."
            )
        if process_number() == 0:
            with whole_file(self.path / PLAN) as beside:
                beside.write_bytes(plan_to_bytes(plan))

    def save_last(self, state: State) -> None:
        """Write the checkpoint; with several processes the first does, and the others wait."""
        if process_number() == 0:
            save_checkpoint({**state, "identity": self._identity}, self.last)
        of_first_process(0.0)

    def load_last(self) -> State:
        """Return the checkpoint's state.

        Raises:
            SegmentationAIError: It is missing, damaged, or of a training with another plan or
                other cases.
        """
        state = load_checkpoint(self.last)
        found = state.pop("identity", {})
        differing = [name for name in self._identity if found.get(name) != self._identity[name]]
        if differing:
            raise SegmentationAIError(
                f"The training in {self.path.name} was begun with another choice of "
                f"{differing[0]}; go on with what it was begun with, or name another folder."
            )
        return state

    def save_best(self, state: State) -> None:
        """Write the weights that were best so far."""
        if process_number() == 0:
            save_checkpoint(state, self.best)
        of_first_process(0.0)


def sha256_of_cases(cases: Sequence[PreparedCase]) -> str:
    """Return one hash of what is trained on: all voxels and labels, in order."""
    digest = hashlib.sha256()
    for case in cases:
        for part in hashes_of(case):
            digest.update(part.encode())
    return digest.hexdigest()


def hashes_of(case: PreparedCase) -> tuple[str, str]:
    """Return the SHA-256 of a case's input and of its labels (with their weights)."""
    known = _HASHES.get(case)
    if known is None:
        known = _HASHES[case] = _hashes_of(case)
    return known


def _hashes_of(case: PreparedCase) -> tuple[str, str]:
    shape = str(case.array.shape).encode()
    voxels, labels = hashlib.sha256(shape), hashlib.sha256(shape)
    voxels.update(np.ascontiguousarray(case.array).data)
    labels.update(np.ascontiguousarray(case.channels).data)
    if case.weights is not None:
        labels.update(np.ascontiguousarray(case.weights).data)
    return voxels.hexdigest(), labels.hexdigest()
