"""What is asked of the relabelling loop. Equal settings on equal labels give equal networks."""

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from ...core.errors import SegmentationAIError
from ...networks.strict_json import json_from_bytes
from ..study.records import Iteration

Start = Literal["base", "previous"]
Scheme = Literal["one", "cross-fit", "tri"]
STARTS: Final = ("base", "previous")
SCHEMES: Final = ("one", "cross-fit", "tri")
# Networks of the tri-network scheme: each learns from what the other two agree in.
TRI: Final = 3
# A gate of one half lets every voxel through: of two channels one always has as much.
NO_GATE: Final = 0.5
_LARGEST_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class RelabelSettings:
    """How each iteration learns and predicts.

    The defaults of ``epochs`` and ``learning_rate`` are those of the liver paper (see `loop`). That
    paper starts each iteration from the base and takes its steps by Adam. On 80 hippocampi, going
    on from the iteration before was better in all of three repetitions (Dice 0.855 beside 0.847),
    and orthogonal steps were better again in all of them (0.862): these are the defaults.

    Attributes:
        epochs: Of each training: few, so that it learns the domain and not the errors.
        batch_size: Patches per step; 0 takes 2, or 16 for networks of planes. Small sets need many
            steps more than large ones: on 20 cases, 10 epochs with batches of 2 reached a Dice of
            0.79 where batches of 8 reached 0.64 (hippocampus, on true labels).
        learning_rate: Highest.
        seed: Of everything random; each iteration and network has a seed of its own from it.
        start: ``previous`` goes on with the network of the iteration before; ``base`` trains a
            fresh copy of the base network each time.
        scheme: ``one`` network predicts all; ``cross-fit`` predicts each case by a network that
            has not seen its label; ``tri``: three networks, each learns from what the other two
            agree in.
        folds: Of ``cross-fit``.
        gate: Predicted voxels less certain than this are not learned from, 0.5 to 1; 0.5 learns
            from all.
        smooths: Whether labels are smoothed, see `smoothed_loss`.
        trust: Weight of a voxel that a person has decided against one of any other.
        freeze: What stays of the network it starts from: ``none``, ``encoder``, ``all-but-last``.
        optimizer: What takes the steps, see `Optimizer`.
        precision: What trainings compute in; predictions are always in single precision.

    Raises:
        SegmentationAIError: A value is out of its range.
    """

    epochs: int = 15
    batch_size: int = 0
    learning_rate: float = 1e-3
    seed: int = 0
    start: Start = "previous"
    scheme: Scheme = "one"
    folds: int = 2
    gate: float = NO_GATE
    smooths: bool = False
    trust: float = 3.0
    freeze: Literal["none", "encoder", "all-but-last"] = "none"
    optimizer: Literal["adamw", "orthogonal"] = "orthogonal"
    precision: Literal["fp32", "bf16"] = "fp32"

    def __post_init__(self) -> None:
        ranges = {
            "epochs": (1, 10_000), "batch_size": (0, 1024), "learning_rate": (1e-7, 1.0),
            "seed": (0, 2**31 - 1), "folds": (2, 20), "gate": (NO_GATE, 0.999),
            "trust": (1.0, 1000.0),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high or not math.isfinite(value):
                raise SegmentationAIError(f"{name} is {value:g}; {low:g} to {high:g} is possible.")
        for name, known in (
            ("start", STARTS),
            ("scheme", SCHEMES),
            ("freeze", ("none", "encoder", "all-but-last")),
            ("optimizer", ("adamw", "orthogonal")),
            ("precision", ("fp32", "bf16")),
        ):
            if getattr(self, name) not in known:
                raise SegmentationAIError(
                    f"{name} is {getattr(self, name)!a}; one of {', '.join(known)} is possible."
                )

    @property
    def networks(self) -> int:
        """Networks that each iteration trains."""
        return {"one": 1, "cross-fit": self.folds, "tri": TRI}[self.scheme]


def check_goes_on(last: Iteration, settings: RelabelSettings) -> None:
    """Raise when networks of an iteration cannot be what the next one starts from.

    Raises:
        SegmentationAIError: It trained other networks than the settings ask for.
    """
    before = settings_from_text(last.settings)
    if (before.scheme, before.networks) != (settings.scheme, settings.networks):
        raise SegmentationAIError(
            f"Iteration {last.number} trained {before.networks} by the scheme {before.scheme}, and "
            f"{settings.networks} by {settings.scheme} are to go on from it; give the scheme and "
            "folds of that iteration, or start from the base."
        )


def settings_to_text(settings: RelabelSettings) -> str:
    """Return settings as JSON; equal settings give equal text."""
    return json.dumps(asdict(settings), sort_keys=True)


def settings_from_text(text: str) -> RelabelSettings:
    """Return the settings that `settings_to_text` has written.

    Raises:
        SegmentationAIError: The text is something else.
    """
    found: Any = json_from_bytes(text.encode(), "the settings of an iteration", _LARGEST_BYTES)
    kinds = {field.name: type(field.default) for field in fields(RelabelSettings)}
    if isinstance(found, dict):
        # Iterations of before there was a choice.
        found = {"optimizer": "adamw", **found}
    if (
        not isinstance(found, dict)
        or set(found) != set(kinds)
        or any(type(found[name]) is not kind for name, kind in kinds.items())
    ):
        raise SegmentationAIError(
            "The settings of an iteration are damaged; restore study.sqlite from a backup."
        )
    return RelabelSettings(**found)
