"""The label table of a study as JSON in its index, read strictly."""

import json
from collections.abc import Sequence
from typing import Any, Final

from ...core.errors import SegmentationAIError
from ...core.labelmap import Label, Labelmap
from ...core.one_layer import default_label
from ...networks.strict_json import json_from_bytes

_LARGEST_BYTES: Final = 1 << 20
_KEYS: Final = {"value", "name", "color"}


def labels_to_text(labels: Sequence[Label]) -> str:
    """Return value, name and color of each label as JSON."""
    rows = [{"value": x.value, "name": x.name, "color": list(x.color)} for x in labels]
    return json.dumps(rows, ensure_ascii=True)


def labels_from_text(text: str) -> tuple[Label, ...]:
    """Return the labels that `labels_to_text` has written.

    Raises:
        SegmentationAIError: The text is something else.
    """
    rows = json_from_bytes(text.encode(), "the label table of the study", _LARGEST_BYTES)
    if not isinstance(rows, list) or not rows or not all(_is_row(row) for row in rows):
        raise SegmentationAIError(
            "The label table of the study is damaged; restore study.sqlite from a backup."
        )
    labels = tuple(Label(row["value"], row["name"], _color(row["color"])) for row in rows)
    if len({label.value for label in labels}) < len(labels):
        raise SegmentationAIError("Two labels of the study share a value; restore study.sqlite.")
    return labels


def check_known(labels: Labelmap, text: str) -> None:
    """Check that labels have no other values and names than the table of their study.

    Args:
        labels: Rows without a name of their own fit any.
        text: Of the table.

    Raises:
        SegmentationAIError: One is another; the message has the table.
    """
    known = {label.value: label.name for label in labels_from_text(text)}
    for label in labels.labels:
        names = (known.get(label.value), default_label(label.value).name)
        if label.value not in known or label.name not in names:
            table = ", ".join(f"{value} {name}" for value, name in known.items())
            raise SegmentationAIError(
                f"Found the label {label.value} {label.name}; this study has: {table}. Give it one "
                "of these values, or make a new study."
            )


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and set(row) == _KEYS
        and type(row["value"]) is int
        and row["value"] >= 1
        and isinstance(row["name"], str)
        and isinstance(row["color"], list)
        and len(row["color"]) == 3
        and all(type(x) in (int, float) and 0 <= x <= 1 for x in row["color"])
    )


def _color(numbers: list[float]) -> tuple[float, float, float]:
    red, green, blue = (float(x) for x in numbers)
    return red, green, blue
