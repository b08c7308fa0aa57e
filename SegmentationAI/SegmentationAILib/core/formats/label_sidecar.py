"""The label table beside a one-layer file: ``liver.labels.json`` beside ``liver.nii.gz``.

Formats such as NIfTI keep label values and nothing else; names, colors, codes, status and
provenance go into this file. It is read strictly, as data from anywhere: what is not of the form
below is refused, and nothing in it is acted upon. The form ``{"1": "spleen"}``, which other
programs write, is accepted as names alone.

Files of one stem share a table: ``head.nii.gz``, a scan, and ``head.nrrd``, its labels. The table
therefore says for which endings it was written; one that says none is everybody's.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, get_args

from ..admission import open_regular, shown_name
from ..errors import FileFormatError
from ..labelmap import Label, Origin, Provenance, Status
from ..one_layer import HIGHEST_VALUE, default_label
from ..terminology import Code, Terminology

SUFFIX: Final = ".labels.json"
FORMAT: Final = "SegmentationAI labels"
VERSION: Final = 1
LARGEST_BYTES: Final = 16 << 20
LONGEST_TEXT: Final = 65536
_ENDING: Final = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,3}")
_ROW_KEYS: Final = frozenset(
    {"value", "name", "color", "terminology", "segment_id", "status", "provenance", "tags"}
)


@dataclass(frozen=True)
class LabelTable:
    """What a table says.

    Attributes:
        labels: Its rows.
        endings: Of the files that it was written for, such as ``.nii.gz``; empty when it does not
            say.
    """

    labels: tuple[Label, ...]
    endings: tuple[str, ...] = ()


def sidecar_path(path: Path, ending: str) -> Path:
    """Return where the table of ``path`` lies.

    Args:
        path: The file with the voxels.
        ending: Its ending, such as ``.nii.gz``, as a format's name counts it.
    """
    return path.with_name(path.name[: -len(ending)] + SUFFIX)


def sidecar_text(labels: Sequence[Label], endings: Sequence[str] = ()) -> str:
    """Return the table as JSON, with the endings of the files that it is for."""
    table: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if endings:
        table["endings"] = list(endings)
    table["labels"] = [_row(label) for label in labels]
    # ASCII on purpose: a name with direction marks cannot disguise the file in an editor.
    return json.dumps(table, indent=1, ensure_ascii=True) + "\n"


def table_beside(path: Path, ending: str) -> tuple[Path, LabelTable] | None:
    """Return where the table of a file lies and what it says; None when the file has none.

    A table that was written for another file of the stem, which is still there, is not its.

    Args:
        path: The file with the voxels.
        ending: Its ending.

    Raises:
        FileFormatError: There is one of another form.
    """
    place = sidecar_path(path, ending)
    if not (place.exists() or place.is_symlink()):
        return None
    table = read_table(place)
    stem, own = path.name[: -len(ending)], path.name[-len(ending) :]
    others = [path.with_name(stem + other) for other in table.endings]
    if own not in table.endings and any(other.exists() for other in others):
        return None
    return place, table


def endings_written(path: Path, ending: str, labels: Sequence[Label]) -> tuple[str, ...]:
    """Return for which endings the table of a file will be when it is written with these labels.

    A table that is there and says the same stays that of the files that it was for.
    """
    own = path.name[-len(ending) :]
    try:
        before = read_table(sidecar_path(path, ending))
    except FileFormatError:
        return (own,)
    if before.labels != tuple(labels):
        return (own,)
    return tuple(sorted({*before.endings, own})) if before.endings else ()


def read_sidecar(path: Path) -> tuple[Label, ...]:
    """Return the labels of a table; raises as `read_table` does."""
    return read_table(path).labels


def read_table(path: Path) -> LabelTable:
    """Return what a table says.

    Raises:
        FileFormatError: It is not JSON of the expected form; the message names the first fault.
    """
    name = shown_name(path)
    with open_regular(path) as file:
        text = file.read(LARGEST_BYTES + 1)
    if len(text) > LARGEST_BYTES:
        raise _refusal(name, f"it is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        table = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # includes UnicodeDecodeError, JSONDecodeError
        raise _refusal(name, f"it is not JSON of the expected form ({str(error)[:80]})") from error
    if isinstance(table, dict) and "labels" not in table:
        return LabelTable(_labels_of_names(table, name))
    _check_keys(table, {"format", "version", "endings", "labels"}, "the table", name)
    if table.get("format") != FORMAT or table.get("version") != VERSION:
        raise _refusal(name, f"its format is not '{FORMAT}', version {VERSION}")
    rows = table.get("labels")
    if not isinstance(rows, list):
        raise _refusal(name, "'labels' is not a list")
    labels = tuple(_label(row, name) for row in rows)
    if len({label.value for label in labels}) < len(labels):
        raise _refusal(name, "two labels have the same value")
    return LabelTable(labels, _endings(table.get("endings", []), name))


def _endings(found: Any, name: str) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(
        isinstance(one, str) and _ENDING.fullmatch(one) for one in found
    ):
        raise _refusal(name, "'endings' is not a list of endings such as .nii.gz")
    return tuple(found)


def _row(label: Label) -> dict[str, Any]:
    row = {
        "value": label.value,
        "name": label.name,
        "color": list(label.color),
        "segment_id": label.segment_id,
        "status": label.status,
        "terminology": None if label.terminology is None else asdict(label.terminology),
        "provenance": None if label.provenance is None else asdict(label.provenance),
        "tags": dict(label.tags),
    }
    return {key: value for key, value in row.items() if value not in (None, "", {})}


def _label(row: Any, name: str) -> Label:
    _check_keys(row, _ROW_KEYS, "a label", name)
    value = row.get("value")
    if type(value) is not int or not 1 <= value <= HIGHEST_VALUE:
        raise _refusal(name, f"a label has the value {str(value)[:40]!r} and not one from 1 on")
    default = default_label(value)
    status = row.get("status", "not started")
    if status not in get_args(Status):
        raise _refusal(name, f"label {value} has an unknown status")
    tags = row.get("tags", {})
    if not isinstance(tags, dict):
        raise _refusal(name, f"the tags of label {value} are not a table")
    return Label(
        value=value,
        name=_text(row.get("name", default.name), name),
        color=_color(row.get("color", default.color), name),
        terminology=_terminology(row.get("terminology"), name),
        segment_id=_text(row.get("segment_id", ""), name),
        status=status,
        provenance=_provenance(row.get("provenance"), name),
        tags=tuple((_text(key, name), _text(tag, name)) for key, tag in tags.items()),
    )


def _labels_of_names(table: Mapping[str, Any], name: str) -> tuple[Label, ...]:
    labels = []
    for key, text in table.items():
        if not (key.isdecimal() and key.isascii() and 0 <= int(key[:11]) <= HIGHEST_VALUE):
            raise _refusal(name, f"it has the key {key[:40]!r} where a label value was expected")
        if int(key) == 0:  # background has no row
            continue
        default = default_label(int(key))
        labels.append(Label(value=int(key), name=_text(text, name), color=default.color))
    if len({label.value for label in labels}) < len(labels):
        raise _refusal(name, "two labels have the same value")
    return tuple(labels)


def _terminology(table: Any, name: str) -> Terminology | None:
    if table is None:
        return None
    codes = ("category", "type", "modifier", "region", "region_modifier")
    contexts = ("category_context", "region_context")
    _check_keys(table, {*codes, *contexts}, "a terminology", name)
    if not {"category", "type"} <= set(table):
        raise _refusal(name, "a terminology has no category or no type")
    fields: dict[str, Any] = {key: _code(table[key], name) for key in codes if key in table}
    fields |= {key: _text(table[key], name) for key in contexts if key in table}
    return Terminology(**fields)


def _code(table: Any, name: str) -> Code:
    _check_keys(table, {"scheme", "value", "meaning"}, "a code", name)
    return Code(**{key: _text(text, name) for key, text in table.items()})


def _provenance(table: Any, name: str) -> Provenance | None:
    if table is None:
        return None
    _check_keys(
        table, {"origin", "network", "weights_sha256", "iteration", "time"}, "a provenance", name
    )
    iteration = table.get("iteration", 0)
    if table.get("origin") not in get_args(Origin) or type(iteration) is not int or iteration < 0:
        raise _refusal(name, "a provenance has an unknown origin or iteration")
    texts = {k: _text(table[k], name) for k in ("network", "weights_sha256", "time") if k in table}
    return Provenance(origin=table["origin"], iteration=iteration, **texts)


def _color(color: Any, name: str) -> tuple[float, float, float]:
    listed = list(color) if isinstance(color, list | tuple) else []
    numbers = [c for c in listed if type(c) in (int, float)]
    if (
        len(numbers) != 3
        or len(listed) != 3
        or not all(math.isfinite(c) and 0 <= c <= 1 for c in numbers)
    ):
        raise _refusal(name, "a color is not three numbers from 0 to 1")
    red, green, blue = (float(c) for c in numbers)
    return red, green, blue


def _text(text: Any, name: str) -> str:
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        raise _refusal(name, f"a text is none, or longer than {LONGEST_TEXT} characters")
    # Half a surrogate pair, which JSON can spell, can be written to no file and shown nowhere.
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _check_keys(table: Any, known: set[str] | frozenset[str], what: str, name: str) -> None:
    if not isinstance(table, dict):
        raise _refusal(name, f"{what} is not a table")
    unknown = sorted(set(table) - known)
    if unknown:
        raise _refusal(name, f"{what} has the unknown key {unknown[0][:40]!r}")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key occurs twice")
    return table


def _no_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")


def _refusal(name: str, fault: str) -> FileFormatError:
    return FileFormatError(
        f"The label table {name} was refused: {fault}; repair or remove it, and labels get plain "
        "names."
    )
