"""The checkpoints of nnU-Net's folds: opened in the locked child process, each tensor kept once."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ...core.errors import WeightsError
from ..checkpoint import safetensors_from_checkpoint
from ..strict_json import json_from_bytes
from ..weights import Weights, read_weights, sha256_of
from .format import FoundFiles

FINAL, BEST = "checkpoint_final.pth", "checkpoint_best.pth"
FOLD: Final = re.compile(r"fold_([0-9]{1,2}|all)")
MAX_FACTS: Final = 1 << 16
# nnU-Net's modules hold the encoder in the decoder, and each layer in a list beside its name.
COPIES: Final = re.compile(r"^decoder\.encoder\.|\.all_modules\.")


@dataclass(frozen=True)
class Checkpoints:
    """What the folds of one network hold.

    Attributes:
        weights: Tensors of each fold.
        configuration: Of the plans, as the first checkpoint names it.
        trainer: Name of the class that trained it.
        mirror_axes: Axes along which it may be mirrored; None for none.
        folds: Names of the folders.
        sha256: Of the file, for one fold; else of the files' hashes in order.
        is_best: Whether the folds have no final checkpoint, so that the best is taken.
    """

    weights: list[Weights]
    configuration: str
    trainer: str
    mirror_axes: tuple[int, ...]
    folds: tuple[str, ...]
    sha256: str
    is_best: bool


def checkpoint_names(found: FoundFiles) -> tuple[PurePosixPath, ...]:
    """Return the checkpoints that make up the network, those of all folds.

    As nnU-Net: final ones, and the fold trained on all cases only where there is no other.
    Where no fold was finished, the best ones so far.
    """
    for file in (FINAL, BEST):
        names = [
            name
            for name in found.names
            if len(name.parts) == 2 and name.name == file and FOLD.fullmatch(name.parts[0])
        ]
        numbered = [name for name in names if name.parts[0] != "fold_all"]
        if names:
            return tuple(sorted(numbered or names, key=lambda name: (len(name.parts[0]), name)))
    return ()


def read_checkpoints(found: FoundFiles, staging: Path) -> Checkpoints:
    """Return the tensors of all folds, and what their trainer noted.

    Raises:
        WeightsError: A checkpoint was refused, or folds that do not belong together.
    """
    names = checkpoint_names(found)
    weights, notes, hashes = [], [], []
    for name in names:
        path = found.path(name)
        hashes.append(sha256_of(path))
        tensors, facts = _opened(path, staging)
        weights.append(tensors)
        notes.append(facts)
    first = notes[0]
    for name, facts in zip(names[1:], notes[1:], strict=True):
        if facts != first:
            raise WeightsError(
                f"{names[0]} and {name} were trained in different ways ({first} and {facts}); "
                "folds of one network are needed."
            )
    joint = hashlib.sha256("\n".join(hashes).encode("ascii")).hexdigest()
    return Checkpoints(
        weights=weights,
        configuration=_text(first, "configuration"),
        trainer=_text(first, "trainer_name"),
        mirror_axes=_mirror_axes(first.get("inference_allowed_mirroring_axes")),
        folds=tuple(name.parts[0] for name in names),
        sha256=hashes[0] if len(hashes) == 1 else joint,
        is_best=names[0].name == BEST,
    )


def _opened(path: Path, staging: Path) -> tuple[Weights, dict[str, Any]]:
    target, facts = staging / "fold.safetensors", staging / "fold.json"
    safetensors_from_checkpoint(path, target, facts)
    tensors = {
        name: array for name, array in read_weights(target).items() if not COPIES.search(name)
    }
    noted = json_from_bytes(facts.read_bytes(), f"what {path.name} notes", MAX_FACTS)
    # Windows does not replace a file by itself.
    target.unlink()
    facts.unlink()
    return tensors, noted


def _text(facts: dict[str, Any], name: str) -> str:
    value = facts.get(name)
    if not isinstance(value, str):
        raise WeightsError(
            f"The checkpoint does not say its {name}; it is not one of nnU-Net v2: save it with "
            "nnU-Net's trainer."
        )
    return value


def _mirror_axes(found: Any) -> tuple[int, ...]:
    axes = [] if found is None else found
    if not isinstance(axes, list) or any(type(a) is not int or not 0 <= a < 3 for a in axes):
        raise WeightsError(
            f"The checkpoint allows mirroring along {str(found)[:80]}; axes 0 to 2 are known."
        )
    return tuple(axes)
