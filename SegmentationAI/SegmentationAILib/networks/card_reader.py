"""Network cards from and to JSON: schema first, then what a schema cannot say."""

import functools
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema

from ..core.errors import WeightsError
from ..core.intensity import IntensityRule
from ..core.labelmap import Label
from ..core.monai_rules import MonaiRules
from ..core.shown_text import shown_names, shown_text
from ..core.terminology import Code, Terminology
from ..resources import resource
from .card import (
    Architecture,
    Channel,
    Intensity,
    License,
    NetworkCard,
    Parameter,
    PrecisionGate,
)
from .strict_json import json_from_bytes
from .training_record import record_from_json, record_to_json

MAX_CARD_BYTES = 1 << 20
MAX_TEXT = 1000
SCHEMA = "networks.schema.json"


def card_from_bytes(data: bytes, source: str) -> NetworkCard:
    """Return the card that a ``card.json`` of these bytes holds.

    Args:
        data: UTF-8 JSON.
        source: Name of the file, for messages.

    Raises:
        WeightsError: Not JSON, not what the schema says, or contradicting itself.
    """
    return card_from_json(json_from_bytes(data, source, MAX_CARD_BYTES), source)


def card_from_json(card: Any, source: str) -> NetworkCard:
    """Return the card that a JSON object describes.

    Names and sentences come back safe to show (see `core.shown_text`); label names are unique.

    Raises:
        WeightsError: The object is not what the schema says, or contradicts itself.
    """
    check_schema(card, "card", source)
    found = NetworkCard(
        id=card["id"],
        title=shown_text(card["title"]),
        task=shown_text(card["task"], MAX_TEXT),
        modality=card["modality"],
        labels=_labels(card["labels"]),
        spacing_mm=_triple(card["spacing_mm"]),
        orientation=card["orientation"],
        size=_triple(card.get("size")),
        divisible_by=card.get("divisible_by", 1),
        intensity=_intensity(card["intensity"], source),
        channels=tuple(
            Channel(
                channel["role"],
                shown_text(channel.get("title", channel["role"])),
                _intensity(channel["intensity"], source) if "intensity" in channel else None,
            )
            for channel in card["channels"]
        ),
        patch_size=_triple(card["patch_size"]),
        overlap=float(card["overlap"]),
        one_body=card.get("one_body", False),
        output=card["output"],
        license=License(
            shown_text(card["license"]["id"]),
            shown_text(card["license"]["text"], MAX_TEXT),
            card["license"]["use"],
        ),
        source=shown_text(card["source"], MAX_TEXT),
        paper=shown_text(card["paper"], MAX_TEXT) if card["paper"] else "",
        sha256=card["sha256"],
        size_bytes=card.get("size_bytes", 0),
        address=card.get("address", ""),
        file=card.get("file", ""),
        converted_from=card.get("converted_from", ""),
        architecture=_architecture(card["architecture"]),
        gates=tuple(PrecisionGate(**gate) for gate in card["gates"]),
        limits=tuple(shown_text(sentence, MAX_TEXT) for sentence in card["limits"]),
        notes=tuple(shown_text(sentence, MAX_TEXT) for sentence in card["notes"]),
        conventions=card.get("conventions", ""),
        axes=_triple(card.get("axes", [0, 1, 2])),
        mirror_axes=tuple(card["mirror_axes"]) if "mirror_axes" in card else None,
        one_layer=card.get("one_layer", False),
        promptable=card.get("promptable", False),
        folds=card.get("folds", 1),
        monai=MonaiRules(**card["monai"]) if "monai" in card else None,
        training=record_from_json(card["training"]) if "training" in card else None,
    )
    _check_consistency(found, source)
    return found


def check_schema(value: Any, definition: str, source: str) -> None:
    """Check a JSON value against one definition of ``Resources/networks.schema.json``.

    Raises:
        WeightsError: It does not fit; the message names the place and the reason.
    """
    worst = jsonschema.exceptions.best_match(_validator(definition).iter_errors(value))
    if worst is not None:
        place = "/".join(str(step) for step in worst.absolute_path) or "the whole"
        reason = shown_text(worst.message, 200)
        raise WeightsError(f"{source} does not describe a network: {shown_text(place)}: {reason}.")


@functools.cache
def _validator(definition: str) -> Any:
    schema = json.loads(resource(SCHEMA).read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{definition}"})


def _check_consistency(card: NetworkCard, source: str) -> None:
    values = [label.value for label in card.labels]
    if len(set(values)) != len(values):
        raise WeightsError(f"{source} gives two labels the same value: {sorted(values)}.")
    roles = [channel.role for channel in card.channels]
    if len(set(roles)) != len(roles):
        raise WeightsError(f"{source} gives two input channels the same role: {roles}.")
    arguments = card.architecture.arguments()
    stated = {"in_channels": len(card.channels), "out_channels": card.out_channels}
    for name, counted in stated.items():
        if arguments.get(name, counted) != counted:
            raise WeightsError(
                f"{source} describes {counted} channels ({name}) but its architecture has "
                f"{arguments[name]}."
            )
    if sorted(card.axes) != [0, 1, 2] or (card.orientation and card.axes != (0, 1, 2)):
        raise WeightsError(
            f"{source} gives the axes {list(card.axes)}; each of 0, 1 and 2 is needed once, and "
            "none beside an orientation."
        )
    if card.one_layer and card.output != "sigmoid":
        raise WeightsError(f"{source} paints labels over each other (one_layer) without sigmoid.")
    sides = card.patch_size or ()
    if any(side % card.divisible_by for side in sides):
        raise WeightsError(
            f"{source} has patches of {sides} voxels, which {card.divisible_by} does not divide."
        )


def _labels(rows: list[dict[str, Any]]) -> tuple[Label, ...]:
    names = shown_names([row["name"] for row in rows])
    return tuple(
        Label(
            value=row["value"],
            name=name,
            color=tuple(level / 255 for level in row["color"]),
            terminology=_terminology(row.get("terminology")),
        )
        for row, name in zip(rows, names, strict=True)
    )


def _terminology(codes: dict[str, Any] | None) -> Terminology | None:
    if codes is None:
        return None
    parts: dict[str, Any] = {
        part: Code(**{key: shown_text(text) for key, text in code.items()})
        for part, code in codes.items()
    }
    return Terminology(**parts)


def _triple(numbers: list[Any] | None) -> Any:
    return None if numbers is None else tuple(numbers)


def _intensity(rule: dict[str, Any], source: str) -> Intensity:
    numbers = {name: float(number) for name, number in rule.items() if name != "rule"}
    try:
        IntensityRule(rule["rule"], **numbers)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{source} has an intensity rule that there is not: {error}.") from error
    return Intensity(rule["rule"], tuple(sorted(numbers.items())))


def _architecture(found: dict[str, Any]) -> Architecture:
    parameters = {name: _literal(value) for name, value in found["parameters"].items()}
    return Architecture(found["name"], tuple(sorted(parameters.items())))


def _literal(value: Any) -> Parameter:
    if isinstance(value, list):
        return tuple(_literal(one) for one in value)
    if isinstance(value, bool | int | str):
        return value
    return float(value)


def card_to_json(card: NetworkCard) -> dict[str, Any]:
    """Return the JSON object from which `card_from_json` makes an equal card."""
    optional = {
        "size": card.size and list(card.size),
        "size_bytes": card.size_bytes,
        "address": card.address,
        "file": card.file,
        "converted_from": card.converted_from,
        "conventions": card.conventions,
        "axes": list(card.axes) if card.axes != (0, 1, 2) else None,
        "one_layer": card.one_layer,
        "promptable": card.promptable,
        "folds": card.folds if card.folds > 1 else None,
        "monai": card.monai and asdict(card.monai),
        "training": card.training and record_to_json(card.training),
    }
    if card.mirror_axes is not None:
        optional["mirror_axes"] = [*card.mirror_axes]
    return {
        "id": card.id,
        "title": card.title,
        "task": card.task,
        "modality": card.modality,
        "labels": [_label_row(label) for label in card.labels],
        "spacing_mm": card.spacing_mm and list(card.spacing_mm),
        "orientation": card.orientation,
        "divisible_by": card.divisible_by,
        "intensity": _intensity_row(card.intensity),
        "channels": [_channel_row(one) for one in card.channels],
        "patch_size": card.patch_size and list(card.patch_size),
        "overlap": card.overlap,
        "one_body": card.one_body,
        "output": card.output,
        "license": vars(card.license),
        "source": card.source,
        "paper": card.paper,
        "sha256": card.sha256,
        "architecture": {
            "name": card.architecture.name,
            "parameters": {k: _listed(v) for k, v in card.architecture.parameters},
        },
        "gates": [vars(gate) for gate in card.gates],
        "limits": list(card.limits),
        "notes": list(card.notes),
        **{name: value for name, value in optional.items() if value or name == "mirror_axes"},
    }


def _channel_row(channel: Channel) -> dict[str, Any]:
    row: dict[str, Any] = {"role": channel.role, "title": channel.title}
    if channel.intensity is not None:
        row["intensity"] = _intensity_row(channel.intensity)
    return row


def _intensity_row(intensity: Intensity) -> dict[str, Any]:
    return {"rule": intensity.rule, **dict(intensity.numbers)}


def _listed(value: Parameter) -> Any:
    return [_listed(one) for one in value] if isinstance(value, tuple) else value


def _label_row(label: Label) -> dict[str, Any]:
    row: dict[str, Any] = {
        "value": label.value,
        "name": label.name,
        "color": [math.floor(level * 255 + 0.5) for level in label.color],
    }
    if label.terminology is not None:
        parts = ("category", "type", "modifier", "region", "region_modifier")
        codes = {part: getattr(label.terminology, part) for part in parts}
        row["terminology"] = {part: vars(code) for part, code in codes.items() if code.value}
    return row


def write_card(card: NetworkCard, path: Path) -> None:
    """Write ``card`` as JSON to ``path``, which must not exist."""
    with path.open("x", encoding="utf-8") as stream:
        json.dump(card_to_json(card), stream, indent=1, ensure_ascii=False)
        stream.write("\n")
