"""Training plans as files: strict JSON, the network's part by the rules of a card."""

import json
import math
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..networks.card import NetworkCard
from ..networks.card_reader import card_from_json, card_to_json
from ..networks.strict_json import json_from_bytes
from .plan import ExpectedCost, TrainingPlan

MAX_PLAN_BYTES: Final = 1 << 20
# The part of a card that a plan decides; what the card says besides comes with the weights.
_CARD_PART: Final = (
    "modality", "labels", "spacing_mm", "orientation", "intensity", "channels", "patch_size",
    "overlap", "architecture", "conventions",
)  # fmt: skip
_NUMBERS: Final = {
    "batch_size": int,
    "epochs": int,
    "steps_per_epoch": int,
    "learning_rate": float,
    "optimizer": str,
    "loss": str,
    "foreground_fraction": float,
    "mirror_axes": list,
    "precision": str,
    "seed": int,
    "validation_fraction": float,
    "patience": int,
    "notes": list,
}


def plan_to_json(plan: TrainingPlan) -> dict[str, Any]:
    """Return the JSON object from which `plan_from_json` makes an equal plan."""
    card = card_to_json(plan.card())
    numbers = {name: getattr(plan, name) for name in _NUMBERS}
    return {
        "version": 1,
        "network": {name: card[name] for name in _CARD_PART if name in card},
        **{name: list(v) if isinstance(v, tuple) else v for name, v in numbers.items()},
        "expected": plan.expected and vars(plan.expected),
    }


def plan_from_json(found: Any, source: str = "The plan") -> TrainingPlan:
    """Return the plan that a JSON object describes; nothing it says is executed.

    Args:
        found: As `plan_to_json` gives it.
        source: Name of the file, for messages.

    Raises:
        SegmentationAIError: A key is missing, unknown, of another type or out of its range.
    """
    names = {"version", "network", "expected", *_NUMBERS}
    if isinstance(found, dict):
        # Plans of before there was a choice.
        found = {"optimizer": "adamw", **found}
    if not isinstance(found, dict) or set(found) != names or found["version"] != 1:
        raise SegmentationAIError(
            f"{source} is not a training plan of version 1, which has exactly the keys "
            f"{', '.join(sorted(names))}; let the program make a new one."
        )
    card = _card_of(found["network"], source)
    numbers = {name: _typed(found[name], kind, name, source) for name, kind in _NUMBERS.items()}
    try:
        return TrainingPlan(
            architecture=card.architecture,
            labels=card.labels,
            channels=card.channels,
            modality=card.modality,
            orientation=_given(card.orientation),
            spacing_mm=_given(card.spacing_mm),
            intensity=card.intensity,
            patch_size=_given(card.patch_size),
            overlap=card.overlap,
            conventions=card.conventions,
            expected=_expected(found["expected"], source),
            **numbers,
        )
    except ValueError as error:
        raise SegmentationAIError(f"{source} cannot be trained: {error}; correct it.") from error


def plan_from_bytes(data: bytes, source: str = "The plan") -> TrainingPlan:
    """Return the plan that UTF-8 JSON describes; see `plan_from_json`.

    Raises:
        SegmentationAIError: It is no JSON, or no plan.
    """
    return plan_from_json(json_from_bytes(data, source, MAX_PLAN_BYTES), source)


def plan_to_bytes(plan: TrainingPlan) -> bytes:
    """Return the plan as UTF-8 JSON; equal plans give equal bytes."""
    text = json.dumps(plan_to_json(plan), indent=1, ensure_ascii=False)
    return f"{text}\n".encode()


def _card_of(part: Any, source: str) -> NetworkCard:
    """Read the network's part by the rules of a card, the blanks filled in."""
    if not isinstance(part, dict) or not set(part) <= set(_CARD_PART):
        raise SegmentationAIError(
            f"{source} describes its network by other keys than {', '.join(_CARD_PART)}; let the "
            "program make a new one."
        )
    blank = {
        "id": "untrained", "title": "Untrained network", "task": "Not trained yet.",
        "output": "softmax", "license": {"id": "unstated", "text": "", "use": "unstated"},
        "source": "", "paper": "", "sha256": "0" * 64, "gates": [], "limits": [], "notes": [],
    }  # fmt: skip
    return card_from_json({**blank, **part}, source)


def _typed(value: Any, kind: type, name: str, source: str) -> Any:
    """Return a value of the wanted type; lists become tuples of whole numbers or sentences."""
    if kind is float and type(value) is int:
        value = float(value)
    inner = str if name == "notes" else int
    fits = type(value) is kind and not (isinstance(value, float) and not math.isfinite(value))
    if not fits or (kind is list and any(type(one) is not inner for one in value)):
        raise SegmentationAIError(
            f"{source} has {str(value)[:60]!r} for {name}, where {kind.__name__} was expected; "
            "correct it."
        )
    return tuple(value) if kind is list else value


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("orientation, spacing and patch size have to be given")
    return value


def _expected(found: Any, source: str) -> ExpectedCost | None:
    if found is None:
        return None
    kinds = {"seconds": float, "memory_mib": float, "weights": int, "basis": str}
    if not isinstance(found, dict) or set(found) != set(kinds):
        raise SegmentationAIError(f"{source} tells its cost by other keys than {list(kinds)}.")
    return ExpectedCost(**{k: _typed(found[k], kind, k, source) for k, kind in kinds.items()})
