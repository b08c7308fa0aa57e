"""What a ``dataset.json`` of nnU-Net v2 says: the channels of the volume, and of the labels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...core.errors import WeightsError
from ...core.labelmap import Label
from ...core.shown_text import shown_names, shown_text
from ..card import Channel, Intensity, Output
from .distinct_colors import distinct_color

MOST_LABELS: Final = 1024
MOST_CHANNELS: Final = 16
ROLE_LENGTH: Final = 32


@dataclass(frozen=True)
class Outputs:
    """What the channels of the logits mean.

    Attributes:
        labels: As on a card.
        output: ``sigmoid`` for regions.
        one_layer: Whether regions are painted one over the other.
        notes: What a person should know about them.
    """

    labels: tuple[Label, ...]
    output: Output
    one_layer: bool
    notes: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Channels of the logits."""
        return len(self.labels) + (self.output == "softmax")


def outputs_of(dataset: Mapping[str, Any]) -> Outputs:
    """Return the labels of a dataset.

    Raises:
        WeightsError: Values with gaps or regions without an order, which nnU-Net's own prediction
            cannot do either; the message names them.
        KeyError, TypeError, ValueError: Not what nnU-Net writes.
    """
    listed = {str(name): value for name, value in dataset["labels"].items()}
    listed.pop("ignore", None)
    if len(listed) > MOST_LABELS or type(listed.get("background")) is not int:
        raise ValueError("labels without a background, or too many")
    if listed["background"] != 0:
        raise ValueError("a background that is not 0")
    if any(isinstance(value, list) and len(value) > 1 for value in listed.values()):
        return _regions(listed, dataset.get("regions_class_order"))
    values = {n: v[0] if isinstance(v, list) and v else v for n, v in listed.items()}
    if sorted(values.values()) != list(range(len(values))):
        raise WeightsError(
            f"The labels have the values {sorted(values.values())[:20]}; nnU-Net needs 0 to "
            f"{len(values) - 1} without a gap, and so does its network."
        )
    ordered = sorted((value, name) for name, value in values.items() if value)
    return Outputs(_labels(ordered), "softmax", False, ())


def channels_of(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the volume's channels in their order.

    Raises:
        KeyError, TypeError, ValueError: Not what nnU-Net writes.
    """
    found = dataset["modality"] if "modality" in dataset else dataset["channel_names"]
    ordered = sorted((int(number), str(name)) for number, name in found.items())
    if [number for number, _ in ordered] != list(range(len(ordered))) or not (
        0 < len(ordered) <= MOST_CHANNELS
    ):
        raise ValueError(f"channels numbered {[number for number, _ in ordered]}")
    return tuple(name for _, name in ordered)


def card_channels(names: tuple[str, ...], rules: tuple[Intensity, ...]) -> tuple[Channel, ...]:
    """Return the channels as on a card: roles that a command line takes, titles as they are."""
    taken: set[str] = set()
    channels = []
    for number, (name, rule) in enumerate(zip(names, rules, strict=True)):
        role = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:ROLE_LENGTH]
        if not role or role.casefold() in taken:
            role = f"channel-{number}"
        taken.add(role.casefold())
        own = rule if rule != rules[0] else None
        channels.append(Channel(role, shown_text(name) or role, own))
    return tuple(channels)


def _regions(listed: Mapping[str, Any], order: Any) -> Outputs:
    regions = [(name, value) for name, value in listed.items() if value not in (0, [0])]
    if not isinstance(order, list) or len(order) != len(regions):
        raise WeightsError(
            f"The dataset has {len(regions)} regions but regions_class_order {str(order)[:80]}; "
            "one label value for each region is needed."
        )
    if len(set(order)) != len(order) or any(type(v) is not int or v < 1 for v in order):
        raise WeightsError(
            f"regions_class_order is {str(order)[:80]}; values from 1, each once, are needed."
        )
    names = [name for name, _ in regions]
    painted = _labels(list(zip(order, names, strict=True)))
    note = (
        "Its regions lie within each other and are painted in the order "
        f"{', '.join(label.name for label in painted)}: what is shown of a region is what those "
        "after it leave."
    )
    return Outputs(painted, "sigmoid", True, (note,))


def _labels(ordered: list[tuple[int, str]]) -> tuple[Label, ...]:
    names = shown_names([name for _, name in ordered])
    return tuple(
        Label(value=value, name=name, color=distinct_color(number))
        for number, ((value, _), name) in enumerate(zip(ordered, names, strict=True))
    )
