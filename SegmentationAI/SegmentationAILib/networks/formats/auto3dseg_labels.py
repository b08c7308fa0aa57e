"""The ``labels.csv`` beside a network of SlicerMONAIAuto3DSeg: values, names and codes."""

import csv
import io
from typing import Final

from ...core.errors import WeightsError
from ...core.labelmap import Label
from ...core.shown_text import shown_names, shown_text
from ...core.terminology import Code, Terminology
from .distinct_colors import distinct_color

MAX_ROWS: Final = 2000
# Columns of DICOM's names, and ours.
CODES: Final = {
    "category": "SegmentedPropertyCategoryCodeSequence",
    "type": "SegmentedPropertyTypeCodeSequence",
    "modifier": "SegmentedPropertyTypeModifierCodeSequence",
    "region": "AnatomicRegionSequence",
    "region_modifier": "AnatomicRegionModifierSequence",
}
PARTS: Final = ("CodingSchemeDesignator", "CodeValue", "CodeMeaning")


def labels_from_csv(data: bytes, channels: int, source: str) -> tuple[Label, ...]:
    """Return the labels of channels 1 to ``channels - 1``, in their order.

    Args:
        data: UTF-8 text with a line of column names.
        channels: Of the logits, background included.
        source: Name of the file, for messages.

    Raises:
        WeightsError: Not such a table, or its values are not those of the channels.
    """
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        rows = [row for _, row in zip(range(MAX_ROWS), reader, strict=False)]
        named = {int(row["LabelValue"]): row for row in rows if int(row["LabelValue"]) != 0}
        is_unique = len(named) == sum(int(row["LabelValue"]) != 0 for row in rows)
    except (csv.Error, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{source} is no table with a column LabelValue ({str(error)[:80]})."
        ) from error
    if not is_unique or sorted(named) != list(range(1, channels)):
        raise WeightsError(
            f"{source} has the values {sorted(named)[:20]}; the network has 1 to {channels - 1}."
        )
    ordered = [named[value] for value in range(1, channels)]
    names = shown_names([_name(row, value) for value, row in enumerate(ordered, 1)])
    return tuple(
        Label(n, name, distinct_color(n - 1), terminology=_terminology(row))
        for n, (name, row) in enumerate(zip(names, ordered, strict=True), 1)
    )


def _name(row: dict[str, str], value: int) -> str:
    meaning = row.get(f"{CODES['type']}.CodeMeaning")
    return row.get("Name") or meaning or f"Label {value}"


def _terminology(row: dict[str, str]) -> Terminology | None:
    codes = {part: _code(row, sequence) for part, sequence in CODES.items()}
    if not codes["type"].value or not codes["category"].value:
        return None
    return Terminology(
        codes["category"], codes["type"], codes["modifier"], codes["region"],
        codes["region_modifier"],
    )  # fmt: skip


def _code(row: dict[str, str], sequence: str) -> Code:
    parts = [shown_text((row.get(f"{sequence}.{part}") or "").strip()) for part in PARTS]
    return Code(*parts)
