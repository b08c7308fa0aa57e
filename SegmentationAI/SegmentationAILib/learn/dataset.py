"""Data sets in the form of the Medical Segmentation Decathlon: ``dataset.json`` beside its files.

Antonelli et al., "The Medical Segmentation Decathlon", Nature Communications 13:4128, 2022,
doi:10.1038/s41467-022-30695-9. Two optional keys of ours in an entry of ``training``: ``id``, and
``patient`` where several files are of one patient; without it every entry is a patient of its own.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..core.files import VOLUME_ENDINGS
from ..core.labelmap import Label
from ..core.shown_text import shown_names, shown_text
from ..core.system_paths import reachable
from ..networks.card import Channel
from ..networks.formats.distinct_colors import distinct_color
from ..networks.strict_json import json_from_bytes
from .training_case import HIGHEST_LABEL, MOST_LABELS

DATASET_FILE: Final = "dataset.json"
MAX_DATASET_BYTES: Final = 16 << 20
MOST_CASES: Final = 100_000
MOST_CHANNELS: Final = 16
_ENTRY_KEYS: Final = {"image", "label", "patient", "id"}
# What data sets call a modality, as its letters alone, by what a card calls it.
_MODALITIES: Final = {"CT": "CT", "PET": "PT", "PT": "PT", "US": "US", "ULTRASOUND": "US"}
_MR = re.compile(r"MRI?|T[12].*|FLAIR|ADC|DWI|PD.*|CINE.*", re.ASCII)


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case.

    Attributes:
        id: Unique within the data set, fit for a file name.
        volumes: One file with all channels, or one file per channel in the data set's order.
        label: The labelmap.
        patient: Cases of one patient never lie on two sides of a split.
    """

    id: str
    volumes: tuple[Path, ...]
    label: Path
    patient: str

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the case."""
        return (*self.volumes, self.label)


@dataclass(frozen=True)
class Dataset:
    """Cases with labels of one kind.

    Attributes:
        name: Of the data set.
        folder: In which everything lies.
        modality: DICOM modality of all channels, or ``any`` where they differ or are unknown.
        channels: Inputs in order.
        labels: The label table, background left out, in rising order of value.
        cases: In the order of the file.
        license: Of the data, as the data set says it; may be empty.
        notes: What was noticed while reading, sentences.
    """

    name: str
    folder: Path
    modality: str
    channels: tuple[Channel, ...]
    labels: tuple[Label, ...]
    cases: tuple[CaseFiles, ...]
    license: str = ""
    notes: tuple[str, ...] = ()

    def case(self, case_id: str) -> CaseFiles:
        """Return a case by its ID.

        Raises:
            SegmentationAIError: There is none.
        """
        found = next((case for case in self.cases if case.id == case_id), None)
        if found is None:
            raise SegmentationAIError(
                f"The data set {self.name} has no case {shown_text(case_id)}; its "
                f"{len(self.cases)} cases begin with {self.cases[0].id}."
            )
        return found


def read_dataset(path: str | Path) -> Dataset:
    """Return the data set that a ``dataset.json`` describes; its volumes are not opened yet.

    Args:
        path: The JSON file, or the folder that holds ``dataset.json``.

    Raises:
        SegmentationAIError: The file is missing, is no such JSON, or names a file outside of its
            own folder.
    """
    path = reachable(Path(path))
    if path.is_dir():
        path = path / DATASET_FILE
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_DATASET_BYTES + 1)
    except OSError as error:
        raise SegmentationAIError(
            f"{shown_text(path.name)} cannot be read ({error.strerror or 'system error'}); the "
            f"{DATASET_FILE} of a data set in Medical Segmentation Decathlon form was expected."
        ) from error
    return _dataset(json_from_bytes(data, path.name, MAX_DATASET_BYTES), path)


def _dataset(found: Any, path: Path) -> Dataset:
    source = path.name
    if not isinstance(found, dict):
        raise _refused(source, "holds no object", "one with modality, labels and training")
    channels, modality = _channels(found.get("modality"), source)
    cases = _cases(found.get("training"), len(channels), path)
    notes = []
    told = found.get("numTraining", len(cases))
    if told != len(cases):
        notes.append(f"{source} announces {shown_text(str(told))} cases and lists {len(cases)}.")
    return Dataset(
        name=_text(found.get("name", path.parent.name), "name", source),
        folder=path.parent,
        modality=modality,
        channels=channels,
        labels=_labels(found.get("labels"), source),
        cases=cases,
        license=_text(found.get("licence", found.get("license", "")), "licence", source),
        notes=tuple(notes),
    )


def _channels(found: Any, source: str) -> tuple[tuple[Channel, ...], str]:
    names = _numbered(found, "modality", source)
    if list(names) != list(range(len(names))) or not 1 <= len(names) <= MOST_CHANNELS:
        raise _refused(
            source,
            f"numbers its modalities {list(names)[:20]}",
            f"0, 1, ... with at most {MOST_CHANNELS} of them",
        )
    titles = shown_names(list(names.values()))
    roles: list[str] = []
    for title in titles:
        plain = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-_")[:28] or "channel"
        same = sum(role == plain or role.startswith(f"{plain}-") for role in roles)
        roles.append(f"{plain}-{same + 1}" if same else plain)
    kinds = {modality_of(title) for title in names.values()}
    channels = tuple(Channel(role, title) for role, title in zip(roles, titles, strict=True))
    return channels, kinds.pop() if len(kinds) == 1 else "any"


def modality_of(title: str) -> str:
    """Return the DICOM modality of a channel's title, ``any`` where it is not known.

    Examples:
        >>> modality_of("MRI"), modality_of("T1-Gd"), modality_of("CT"), modality_of("PET")
        ('MR', 'MR', 'CT', 'PT')
        >>> modality_of("Elastography")
        'any'
    """
    letters = re.sub(r"[^A-Z0-9]", "", title.upper())
    if _MR.fullmatch(letters):
        return "MR"
    return _MODALITIES.get(letters, "any")


def _labels(found: Any, source: str) -> tuple[Label, ...]:
    names = {value: name for value, name in _numbered(found, "labels", source).items() if value}
    if not 1 <= len(names) <= MOST_LABELS or max(names, default=0) > HIGHEST_LABEL:
        raise _refused(
            source,
            f"has {len(names)} labels besides background",
            f"1 to {MOST_LABELS} with values up to {HIGHEST_LABEL}",
        )
    values = sorted(names)
    shown = shown_names([names[value] for value in values])
    rows = enumerate(zip(values, shown, strict=True))
    return tuple(Label(value, name, _byte_color(row)) for row, (value, name) in rows)


def _byte_color(row: int) -> tuple[float, float, float]:
    """Return a color that plans and cards, which keep bytes, give back unchanged."""
    red, green, blue = (math.floor(level * 255 + 0.5) / 255 for level in distinct_color(row))
    return red, green, blue


def _numbered(found: Any, key: str, source: str) -> dict[int, str]:
    """Return names by number of an object whose keys are numbers, in rising order."""
    wanted = f'an object such as {{"0": "...", "1": "..."}} for {key}'
    if not isinstance(found, dict) or not found:
        raise _refused(source, f"has no {key}" if found is None else f"has another {key}", wanted)
    names = {}
    for number, name in found.items():
        if not re.fullmatch(r"0|[1-9][0-9]{0,5}", number, re.ASCII) or not isinstance(name, str):
            raise _refused(source, f"has {shown_text(repr(number), 40)} among its {key}", wanted)
        names[int(number)] = name
    return dict(sorted(names.items()))


def _cases(found: Any, channels: int, path: Path) -> tuple[CaseFiles, ...]:
    source = path.name
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_CASES:
        count = f"{len(found)} cases" if isinstance(found, list) else "no list"
        raise _refused(source, f"has {count} under training", f"1 to {MOST_CASES} cases")
    root = path.parent.resolve()
    cases, taken, used = [], dict[str, int](), dict[Path, int]()
    for number, entry in enumerate(found, start=1):
        case = _case(entry, channels, root, f"Case {number} of {source}")
        if taken.setdefault(case.id.casefold(), number) != number:
            raise _refused(
                source,
                f"calls its cases {taken[case.id.casefold()]} and {number} both {case.id}",
                "IDs that differ",
                'give each entry an "id"',
            )
        for file in case.files:
            if used.setdefault(file, number) != number:
                raise _refused(
                    source,
                    f"names {shown_text(file.name)} in its cases {used[file]} and {number}",
                    "every file once",
                )
        cases.append(case)
    return tuple(cases)


def _case(entry: Any, channels: int, root: Path, source: str) -> CaseFiles:
    keys = {"image", "label"}
    if not isinstance(entry, dict) or not keys <= set(entry) <= _ENTRY_KEYS:
        found = ", ".join(sorted(map(str, entry))) if isinstance(entry, dict) else "no object"
        raise _refused(
            source, f"has {shown_text(found)}", "image and label, and at most patient and id"
        )
    names = entry["image"] if isinstance(entry["image"], list) else [entry["image"]]
    if len(names) not in (1, channels):
        raise _refused(source, f"has {len(names)} images", f"1, or one for each of {channels}")
    volumes = tuple(_inside(root, name, source) for name in names)
    given = entry.get("id", _stem(volumes[0].name))
    case_id = re.sub(r"[^A-Za-z0-9._-]+", "_", _text(given, "id", source)).lstrip("._-")[:100]
    if not case_id:
        raise _refused(source, f"has the id {shown_text(str(given))!r}", "letters or digits in it")
    patient = _text(entry.get("patient", case_id), "patient", source) or case_id
    return CaseFiles(case_id, volumes, _inside(root, entry["label"], source), patient)


def _inside(root: Path, name: Any, source: str) -> Path:
    """Return the path of a file that lies in the data set's own folder, links followed."""
    wanted = "a relative path inside of the folder of the data set"
    if not isinstance(name, str) or not name or len(name) > 1000 or "\0" in name:
        raise _refused(source, f"names the file {shown_text(repr(name), 60)}", wanted)
    plain = PurePosixPath(name)
    is_foreign = "\\" in name or ":" in plain.parts[0] or plain.is_absolute() or ".." in plain.parts
    path = root / plain
    if is_foreign or not path.resolve().is_relative_to(root):
        raise _refused(source, f"names the file {shown_text(name)}", wanted, "move it there")
    return path


def _stem(name: str) -> str:
    endings = (ending for ending in VOLUME_ENDINGS if name.lower().endswith(ending))
    return name[: -len(next(endings, "")) or None]


def _text(value: Any, key: str, source: str) -> str:
    if not isinstance(value, str):
        raise _refused(source, f"has {shown_text(repr(value), 60)} for {key}", "a text")
    return shown_text(value)


def _refused(source: str, found: str, wanted: str, do: str = "correct it") -> SegmentationAIError:
    return SegmentationAIError(f"{shown_text(source)} {found}; {wanted} was expected: {do}.")
